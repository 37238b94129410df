"""The sorted sets of jobs: scheduled jobs, jobs that wait for a retry, dead jobs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Unpack

from clock.api.awaitable import awaitable, awaitable_items
from clock.api.conditions import Conditions, where
from clock.api.connecting import connected, now
from clock.inspection import DEAD, RETRY, SCHEDULE, FoundJob, SetName
from clock.inspection.pages import PAGE_JOBS, SCANNED_JOBS, Order, Page, set_place
from clock.store import Redis


class JobSet:
    """What the three sets have in common. Its methods raise StoreUnavailable.

    Each method that reads Redis has an awaitable twin, whose name begins with `a`. `redis` is a connection of
    `api.connect`; without it the process's own connection is used.
    """

    name: ClassVar[SetName]

    def __init__(self, *, redis: Redis | None = None) -> None:
        self._redis = connected(redis)
        self._place = set_place(self._redis, self.name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def size(self) -> int:
        """How many jobs it holds."""
        return self._place.size()

    def __len__(self) -> int:
        return self.size()

    def __bool__(self) -> bool:
        return True  # an empty set is a set; and asking for its size costs a round trip

    def __iter__(self) -> Iterator[FoundJob]:
        return self.search()

    def search(self, *, order: Order = "first", **conditions: Unpack[Conditions]) -> Iterator[FoundJob]:
        """The jobs that meet all conditions (see `Conditions`), read in bounded steps as they are asked for.

        `order`: "first" begins with the job that is due first, or died first; "last" at the other end. Jobs that
        come or go in the meantime are not a problem: no other job is left out or returned twice.
        """
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
        """A page of the jobs that meet all conditions: `limit` jobs at most, after reading `scan` at most.

        `cursor` is the `cursor` of the page before; None: the first page. Raises InvalidCursor.
        """
        wanted = where(**conditions)
        return self._place.page(wanted, now=now(), cursor=cursor, limit=limit, order=order, scan=scan)

    def find(self, jid: str) -> FoundJob | None:
        """The job of that id; None: it is not in this set. Redis reads through the set, in bounded steps."""
        return next(self.search(jid=jid), None)

    asize = awaitable(size)
    asearch = awaitable_items(search)
    apage = awaitable(page)
    afind = awaitable(find)


class ScheduledSet(JobSet):
    """The jobs that are scheduled for later (`schedule`)."""

    name = SCHEDULE


class RetrySet(JobSet):
    """The jobs that have failed and wait for a retry (`retry`)."""

    name = RETRY


class DeadSet(JobSet):
    """The jobs that have failed for good (`dead`)."""

    name = DEAD
