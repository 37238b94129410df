"""The locks of unique jobs, and whether each still has its job.

Each function that takes a connection raises StoreUnavailable.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from clock.inspection.doctor.finding import Finding, Grade
from clock.printable import shortened_list
from clock.store import Redis
from clock.store.jobs.flow import unique_locks
from clock.store.jobs.flow.unique_locks import CHECKED_AFTER_MS, HeldLock

CHECKED_AFTER = timedelta(milliseconds=CHECKED_AFTER_MS)
SECONDS = 60.0  # of a deep check, at most


def lost_locks(redis: Redis, now: datetime) -> list[HeldLock]:
    """Locks older than a minute whose job is gone: another program removed it. Reads all jobs."""
    old = [lock for lock in unique_locks.held(redis) if lock.until is None and now - lock.since > CHECKED_AFTER]
    missing = unique_locks.gone(redis, [lock.jid for lock in old], now=now, within=SECONDS)
    return [lock for lock in old if lock.jid in missing]


def free_lost_locks(redis: Redis, now: datetime) -> int:
    """Free the locks whose job is gone; how many."""
    return len(unique_locks.free(redis, [(lock.key, lock.jid) for lock in lost_locks(redis, now)]))


def locks_finding(redis: Redis, now: datetime) -> Finding:
    """Whether each lock has its job."""
    lost = lost_locks(redis, now)
    if not lost:
        return Finding("unique jobs", Grade.GOOD, "each lock has its job")
    named = shortened_list([f"{lock.key} of {lock.jid}" for lock in lost])
    return Finding(
        "unique jobs",
        Grade.WARNING,
        f"locks without a job: {named}",
        "another program removed these jobs; the next push frees the lock, or now: clock doctor --deep --repair",
    )
