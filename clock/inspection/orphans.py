"""What was left behind by dead workers, and by events that have left the clock file, as `clock doctor` tells."""

from __future__ import annotations

from clock.store import Redis, listing, repairs


def lost_workers(redis: Redis) -> list[str]:
    """The identities of workers that hold jobs and are on no register. Raises StoreUnavailable."""
    holding, registered = listing.holders(redis)
    return sorted(holding - registered)


def adopt_jobs(redis: Redis) -> int:
    """Have live workers put back the jobs of these; of how many workers. Raises StoreUnavailable."""
    return repairs.adopt(redis, lost_workers(redis))


def orphans(redis: Redis) -> list[str]:
    """The events that have left the clock file, as the clock has noted. Raises StoreUnavailable.

    The clock forgets them a week later by itself: until then, one that comes back goes on as before.
    """
    return sorted(listing.orphaned(redis))


def forget_events(redis: Redis) -> int:
    """Delete ledger and history of these; how many had not come back. Raises StoreUnavailable."""
    return sum(repairs.forget_event(redis, event) for event in orphans(redis))
