"""Marks of cancelled jobs.

A mark lasts until the job has ended, at most a day. A worker renews the marks of the jobs that it runs.

Each function that takes a connection raises StoreUnavailable.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from redis import Redis

from clock.clocks import to_ms
from clock.store import keys
from clock.store.invalid_values import text
from clock.store.server.connection import translated

KEPT_SECONDS = 86_400.0  # of a job that runs, or that may be anywhere
MISSED_SECONDS = 60.0  # of a job that was not found: it may have moved during the search
MOST = 10_000  # marks that a worker reads at once


def mark(redis: Redis, jids: Iterable[str], *, now: datetime, seconds: float = KEPT_SECONDS) -> None:
    """Mark jobs. Marks that are over are removed."""
    with translated(), redis.pipeline(transaction=False) as pipeline:
        pipeline.zremrangebyscore(keys.CANCELLED, "-inf", to_ms(now))
        pipeline.zadd(keys.CANCELLED, dict.fromkeys(jids, to_ms(now) + int(seconds * 1000)))
        pipeline.execute()


def unmark(redis: Redis, jid: str) -> None:
    """Remove a mark."""
    with translated():
        redis.zrem(keys.CANCELLED, jid)


def is_marked(redis: Redis, jid: str, *, now: datetime) -> bool:
    """Whether a job was cancelled."""
    with translated():
        score: Any = redis.zscore(keys.CANCELLED, jid)
    return score is not None and float(score) > to_ms(now)


def marked(redis: Redis, *, now: datetime) -> set[str]:
    """The jids of the cancelled jobs. Marks that are over are removed."""
    with translated(), redis.pipeline(transaction=False) as pipeline:
        pipeline.zremrangebyscore(keys.CANCELLED, "-inf", to_ms(now))
        pipeline.zrange(keys.CANCELLED, 0, MOST - 1)
        found: Any = pipeline.execute()[1]
    return set(map(text, found))
