"""Counters: how many jobs wait, run, were run and have failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from clock.api.objects import awaitable, connected, now
from clock.errors import JobError
from clock.inspection.jobs.job_sets import queues
from clock.inspection.processes import workers
from clock.printable import brief
from clock.store import Redis, listing, repairs

MOST_DAYS = 5 * 366  # counters of a day are kept for five years
FIRST_YEAR = 1970

Counter = Literal["processed", "failed"]


@dataclass(frozen=True, slots=True)
class Counts:
    """The present figures. `processed` and `failed` count since the first job, or since `reset`.

    `enqueued` is the number of jobs in queues, `busy` the number of running jobs. `latency` is the waiting time in
    seconds of the next job of the queue `default`.
    """

    processed: int
    failed: int
    scheduled: int
    retries: int
    dead: int
    enqueued: int
    busy: int
    workers: int
    latency: float


@dataclass(frozen=True, slots=True)
class Day:
    """How many jobs were run, and how many of these failed, on one day (UTC)."""

    date: date
    processed: int
    failed: int


class Stats:
    """The counters. Its methods raise StoreUnavailable.

    Each method has an awaitable twin, whose name starts with `a`. `redis` is a connection of `api.connect`;
    without it the process's own connection is used.
    """

    def __init__(self, *, redis: Redis | None = None) -> None:
        self._redis = connected(redis)

    def now(self) -> Counts:
        """The present figures."""
        time = now()
        sizes, views, living = listing.sizes(self._redis), queues(self._redis, time), workers(self._redis, time)
        return Counts(
            processed=sizes.processed,
            failed=sizes.failed,
            scheduled=sizes.schedule,
            retries=sizes.retry,
            dead=sizes.dead,
            enqueued=sum(view.size for view in views),
            busy=sum(worker.busy for worker in living),
            workers=len(living),
            latency=next((view.latency for view in views if view.name == "default"), 0.0),
        )

    def history(self, days: int = 30, *, until: date | None = None) -> Sequence[Day]:
        """The last `days` days (1 to 1830), today first; or those up to `until`. Raises JobError."""
        if type(days) is not int or not 0 < days <= MOST_DAYS:
            raise JobError(f"days is {brief(days)}; it must be a whole number, 1 to {MOST_DAYS}")
        if until is not None and (type(until) is not date or until.year < FIRST_YEAR):
            raise JobError(f"until is {brief(until)}; it must be a date from {FIRST_YEAR} on")
        last = until or datetime.fromtimestamp(now(), UTC).date()
        dates = [last - timedelta(days=back) for back in range(days)]
        found = listing.days(self._redis, [day.isoformat() for day in dates])
        return [Day(day, processed, failed) for day, (processed, failed) in zip(dates, found, strict=True)]

    def reset(self, *counters: Counter) -> None:
        """Set `processed`, `failed`, or both if none is named, to 0. The counters of days are kept."""
        unknown = [counter for counter in counters if counter not in ("processed", "failed")]
        if unknown:
            raise JobError(f"unknown counter {', '.join(map(brief, unknown))}; known are processed, failed")
        repairs.reset_counters(self._redis, counters or ("processed", "failed"))

    anow = awaitable(now)
    ahistory = awaitable(history)
    areset = awaitable(reset)
