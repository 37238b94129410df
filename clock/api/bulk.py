"""The actions of the API on many jobs: which jobs are meant, and the progress of each step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from clock.api.connecting import now
from clock.errors import JobError
from clock.inspection import FoundJob, JobFilter
from clock.inspection.jobs.bulk import Act, Progress, steps
from clock.inspection.jobs.pages import Order, Place
from clock.printable import brief

OnProgress = Callable[[Progress], object]


class Bulk:
    """Acts on jobs of one place. `order` is the end at which reading starts."""

    def __init__(self, place: Place, order: Order) -> None:
        self._place = place
        self._order = order

    def steps(
        self, act: Act, wanted: JobFilter, cursor: str | None = None, *, but: float | None = None
    ) -> Iterator[Progress]:
        """Act on the jobs that match the filter, from `cursor` on. Skips jobs with the score `but`."""
        return steps(self._place, wanted, act, now=now(), order=self._order, cursor=cursor, but=but)

    def all(
        self, act: Act, wanted: JobFilter, progress: OnProgress | None = None, *, but: float | None = None
    ) -> int:
        """Act on the jobs that match the filter; returns how many. Calls `progress` after each step."""
        done = 0
        for step in self.steps(act, wanted, but=but):
            done = step.done
            if progress:
                progress(step)
        return done


def named(jobs: Sequence[FoundJob], wanted: JobFilter, method: str) -> Sequence[FoundJob]:
    """The jobs that were passed; empty: conditions were. Raises JobError unless it is just one of both."""
    wrong = [job for job in jobs if not isinstance(job, FoundJob)]
    if wrong:
        raise JobError(f"{method} got {brief(wrong[0])}; pass jobs that a search returned, and a list as *jobs")
    if bool(jobs) == (not wanted.accepts_all):
        raise JobError(f"{method} takes either jobs or conditions, such as class_='SendMailJob' or jid='2f9b...'")
    return jobs
