"""Marks of cancelled jobs.

A mark lasts until the job has ended, at most a day. A worker renews the marks of the jobs that it runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from redis import Redis

from clock.store import keys
from clock.store.invalid_values import text
from clock.store.server.connection import translated

KEPT_MS = 86_400_000  # of a job that runs, or that may be anywhere
MISSED_MS = 60_000  # of a job that was not found: it may have moved during the search
MOST = 10_000  # marks that a worker reads at once


def mark(redis: Redis, jids: Iterable[str], *, now_ms: int, kept_ms: int = KEPT_MS) -> None:
    """Mark jobs. Marks that are over are removed. Raises StoreUnavailable."""
    with translated(), redis.pipeline(transaction=False) as pipeline:
        pipeline.zremrangebyscore(keys.CANCELLED, "-inf", now_ms)
        pipeline.zadd(keys.CANCELLED, dict.fromkeys(jids, now_ms + kept_ms))
        pipeline.execute()


def unmark(redis: Redis, jid: str) -> None:
    """Remove a mark. Raises StoreUnavailable."""
    with translated():
        redis.zrem(keys.CANCELLED, jid)


def is_marked(redis: Redis, jid: str, *, now_ms: int) -> bool:
    """Whether a job was cancelled. Raises StoreUnavailable."""
    with translated():
        score: Any = redis.zscore(keys.CANCELLED, jid)
    return score is not None and float(score) > now_ms


def marked(redis: Redis, *, now_ms: int) -> set[str]:
    """The jids of the cancelled jobs. Marks that are over are removed. Raises StoreUnavailable."""
    with translated(), redis.pipeline(transaction=False) as pipeline:
        pipeline.zremrangebyscore(keys.CANCELLED, "-inf", now_ms)
        pipeline.zrange(keys.CANCELLED, 0, MOST - 1)
        found: Any = pipeline.execute()[1]
    return set(map(text, found))
