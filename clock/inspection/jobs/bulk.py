"""Changes many jobs of a place, in bounded steps that report their progress.

A step reads a bounded number of jobs and changes those that match. Between two steps other programs may use the
place. A caller may stop, or continue later with the cursor of the last step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from clock.inspection.jobs.jobs import FoundJob, JobFilter
from clock.inspection.jobs.pages import Order, Place, cursor_of, meant, without
from clock.store.jobs.scanning import MOST_JOBS, Cursor, Step

Act = Callable[[Sequence[FoundJob], Step], int]


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of an action: `done` jobs of `searched` that were read, of `total` when the last step started.

    `cursor` continues with the next step; None: all jobs were read.
    """

    done: int
    searched: int
    total: int
    cursor: str | None


def steps(
    place: Place,
    wanted: JobFilter,
    act: Act,
    *,
    now: float,
    order: Order,
    cursor: str | None = None,
    but: float | None = None,
) -> Iterator[Progress]:
    """Act on the jobs that match the filter, in steps. Yields the progress after each step.

    `act` takes them out of the place. Jobs with the score `but` are left alone: `act` moves the others there.

    Raises InvalidCursor, StoreUnavailable, StoreError.
    """
    at: Cursor | None = cursor_of(cursor)
    done = searched = 0
    while at is not None:
        total = place.size()
        step = place.step(at, wanted.texts, order, MOST_JOBS)
        jobs = [job for job, _ in meant(step.jobs, wanted, now) if but is None or job.at != but]
        if jobs:
            done += act(jobs, step)
        at = step.cursor and without(step.cursor, jobs)
        searched += step.read
        yield Progress(done, searched, total, None if at is None else str(at))
