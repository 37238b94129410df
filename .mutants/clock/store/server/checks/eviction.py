"""Whether the server throws keys away when its memory is full, as clock and Sidekiq cannot bear."""

from __future__ import annotations

import logging

from redis import Redis

from clock.errors import StoreError
from clock.store import listing

logger = logging.getLogger("clock.redis")


def warn_of_eviction(redis: Redis) -> None:
    """Log a warning if the server may evict keys. Raises nothing."""
    try:
        policy = listing.server(redis).get("maxmemory_policy")
    except StoreError:  # without the permission to ask, it does not warn
        return
    if policy not in (None, "noeviction"):
        logger.warning(
            "Redis has maxmemory-policy %s: with a full memory it deletes jobs and the clock's ledger. "
            "Set maxmemory-policy noeviction.",
            policy,
        )
