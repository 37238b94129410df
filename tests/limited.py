"""Jobs with limits: as a worker acknowledges them, and whether each limit is right."""

from __future__ import annotations

from collections.abc import Iterable

from clock.inspection.doctor.deep import free_but_blocked
from clock.store import Redis
from clock.store.jobs.flow import limit_holders
from clock.store.jobs.in_progress import Limited
from clock.store.jobs.moves import Claimed


def by_limits(jobs: Iterable[Claimed]) -> Limited:
    """The numbers of the jobs with limits, by the start of their payloads."""
    found: Limited = {}
    for job in jobs:
        if job.limits is not None:
            found.setdefault(job.limits, []).append(job.number)
    return found


def violations(redis: Redis) -> list[str]:
    """The faults of limits, in words: a check of all jobs in progress and of the next blocked job of each limit.

    Holders whose job is in a queue are not searched.
    """
    wrong = limit_holders.miscounted(redis, limit_holders.holders(redis))
    return [*(one.fault for one in wrong), *free_but_blocked(redis)]
