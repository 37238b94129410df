"""The base of queues and of the three sorted sets of jobs: it reads jobs, and changes many of them in steps."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from types import NoneType
from typing import ClassVar, Unpack, get_args

from clock.api.conditions import Conditions, where
from clock.api.objects import awaitable, awaitable_items, now
from clock.errors import InvalidCursor, JobError
from clock.inspection.jobs.jobs import FoundJob, JobFilter
from clock.inspection.jobs.pages import PAGE_JOBS, SCANNED_JOBS, Act, Order, Page, Place, Progress
from clock.job.flow.limits import check_count
from clock.printable import brief
from clock.store import Redis

OnProgress = Callable[[Progress], object]


class JobPlace:
    """A queue or a sorted set of jobs. Its methods raise StoreUnavailable, and have twins with the prefix `a`."""

    _changed_from: ClassVar[Order] = "first"  # the end at which a change of many jobs starts

    def __init__(self, redis: Redis, place: Place) -> None:
        self._redis = redis
        self._place = place

    def size(self) -> int:
        """The number of jobs."""
        return self._place.size()

    def __len__(self) -> int:
        return self.size()

    def __bool__(self) -> bool:
        return True  # an empty place is still a place, and its size costs a round trip

    def __iter__(self) -> Iterator[FoundJob]:
        return self.search()

    def __aiter__(self) -> AsyncIterator[FoundJob]:
        return self.asearch()

    def search(self, *, order: Order = "first", **conditions: Unpack[Conditions]) -> Iterator[FoundJob]:
        """The jobs that meet all conditions (see `Conditions`), read in bounded steps while the caller iterates.

        A queue starts with the job that a worker takes next ("first"), or with the newest ("last"). A sorted set
        starts with the job that is due or died first, or with the last. Jobs that come or go do not disturb the
        search of a sorted set. In a queue, "first" may miss jobs while workers take some, and "last" may return
        jobs twice while some are pushed. Raises JobError.
        """
        _check_order(order)
        return self._place.jobs(where(**conditions), now=now(), order=order)

    def page(
        self,
        cursor: str | None = None,
        *,
        limit: int = PAGE_JOBS,
        order: Order = "first",
        scan: int = SCANNED_JOBS,
        **conditions: Unpack[Conditions],
    ) -> Page:
        """A page of the jobs that meet all conditions: at most `limit` jobs, after reading at most `scan`.

        `cursor` is the `cursor` of the page before, or None for the first page. Raises InvalidCursor, JobError.
        """
        _check_order(order)
        if not isinstance(cursor, (str, NoneType)):
            raise InvalidCursor(brief(cursor))
        check_count("limit", limit)
        check_count("scan", scan)
        wanted = where(**conditions)
        return self._place.page(wanted, now=now(), cursor=cursor, limit=limit, order=order, scan=scan)

    def find(self, jid: str) -> FoundJob | None:
        """The job with this id, or None if it is not here. Redis reads through all jobs, in bounded steps."""
        return next(self.search(jid=jid), None)

    def _steps(
        self, act: Act, wanted: JobFilter, cursor: str | None = None, *, but: float | None = None
    ) -> Iterator[Progress]:
        """Act on the jobs that match the filter, from `cursor` on. Skips jobs with the score `but`."""
        order = self._changed_from
        return self._place.steps(wanted, act, now=now(), order=order, cursor=cursor, but=but)

    def _change(
        self, act: Act, wanted: JobFilter, progress: OnProgress | None, *, but: float | None = None
    ) -> int:
        """Act on the jobs that match the filter; returns how many. Calls `progress` after each step."""
        done = 0
        for step in self._steps(act, wanted, but=but):
            done = step.done
            if progress:
                progress(step)
        return done

    asize = awaitable(size)
    asearch = awaitable_items(search)
    apage = awaitable(page)
    afind = awaitable(find)


def _check_order(order: Order) -> None:
    if order not in get_args(Order):
        raise JobError(f'order is {brief(order)}; it must be "first" or "last"')


def named(jobs: Sequence[FoundJob], wanted: JobFilter, method: str) -> Sequence[FoundJob]:
    """The jobs that were passed; empty: conditions were. Raises JobError unless it is just one of both."""
    wrong = [job for job in jobs if not isinstance(job, FoundJob)]
    if wrong:
        raise JobError(f"{method} got {brief(wrong[0])}; pass jobs that a search returned, and a list as *jobs")
    if bool(jobs) == (not wanted.accepts_all):
        raise JobError(f"{method} takes either jobs or conditions, such as class_='SendMailJob' or jid='2f9b...'")
    return jobs
