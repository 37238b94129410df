"""Putting right what was left behind, as `clock doctor --repair` does."""

from __future__ import annotations

from clock.inspection.events import forget, orphans
from clock.store import Redis, listing, repairs
from clock.timetable import Timetable


def adopt_jobs(redis: Redis) -> int:
    """Have live workers put back the jobs of workers that are on no register; how many workers' jobs.

    Raises StoreUnavailable.
    """
    holding, registered = listing.holders(redis)
    return repairs.adopt(redis, sorted(holding - registered))


def forget_events(redis: Redis, timetable: Timetable) -> int:
    """Delete ledger and history of events that the clock file does not have; how many. Raises StoreUnavailable."""
    return forget(redis, orphans(redis, timetable))
