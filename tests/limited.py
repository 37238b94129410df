"""Jobs with limits, as a worker acknowledges them."""

from __future__ import annotations

from collections.abc import Iterable

from clock.store.jobs.in_progress import Limited
from clock.store.jobs.moves import Claimed


def by_limits(jobs: Iterable[Claimed]) -> Limited:
    """The numbers of the jobs with limits, by the start of their payloads."""
    found: Limited = {}
    for job in jobs:
        if job.limits is not None:
            found.setdefault(job.limits, []).append(job.number)
    return found
