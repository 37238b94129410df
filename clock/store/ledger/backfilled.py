"""The due instants that were backfilled: a backfill that is repeated skips them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from redis import Redis

from clock.clocks import to_ms
from clock.store import keys
from clock.store.server.connection import translated

KEPT_MS = 366 * 86_400_000  # a year: an older backfill is hardly repeated by mistake


def read(redis: Redis, event: str) -> set[int]:
    """The due instants of an event that were backfilled in the last year, in ms. Raises StoreUnavailable."""
    with translated():
        members: Any = redis.zrange(keys.BACKFILLED, 0, -1)
    split = (member.partition(b" ") for member in members)
    return {int(due) for due, _, name in split if name == event.encode() and due.isdigit()}


def forget_old(redis: Redis, now: datetime) -> None:
    """Forget backfills that are older than a year. Raises StoreUnavailable."""
    with translated():
        redis.zremrangebyscore(keys.BACKFILLED, "-inf", to_ms(now) - KEPT_MS)
