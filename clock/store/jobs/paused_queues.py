"""Paused queues: workers take no jobs from them. The set is Sidekiq Pro's; each may pause queues for the other.

A queue is paused in all shards of a home.
"""

from __future__ import annotations

from redis import Redis

from clock.store import keys
from clock.store.invalid_values import text
from clock.store.server.connection import translated
from clock.store.server.shards import every
from clock.store.wrong_type import reading


def pause(redis: Redis, name: str) -> bool:
    """Pause a queue; False: it was paused already. Raises StoreUnavailable, StoreError."""
    with translated():
        return sum(int(place.sadd(keys.PAUSED_QUEUES, name)) for place in every(redis)) > 0


def unpause(redis: Redis, name: str) -> bool:
    """Resume a queue. Returns False if it was not paused. Raises StoreUnavailable, StoreError."""
    with translated():
        return sum(int(place.srem(keys.PAUSED_QUEUES, name)) for place in every(redis)) > 0


def paused(redis: Redis) -> set[str]:
    """The names of the paused queues. Raises StoreUnavailable."""
    return {name for place in every(redis) for name in _paused(place)}


def _paused(redis: Redis) -> set[str]:
    return set(map(text, reading(redis, lambda pipe: pipe.smembers(keys.PAUSED_QUEUES)) or ()))
