"""Reads the jobs of a place up to a limit: all of them, or pages that are spread evenly over the place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from redis import Redis
from redis.exceptions import ResponseError

from clock.store.jobs.steps import PageSize
from clock.store.server.connection import translated

PAGE_JOBS = 100
Kind = Literal["list", "zset"]


def size(redis: Redis, key: str, kind: Kind) -> int:
    """The number of jobs of a list or sorted set; 0 if the key has another type. Raises StoreUnavailable."""
    with translated():
        try:
            return int(redis.llen(key) if kind == "list" else redis.zcard(key))
        except ResponseError:
            return 0


def sampled(redis: Redis, key: str, kind: Kind, total: int, most: int) -> Iterator[bytes]:
    """About `most` of the `total` jobs, or all if they are fewer. Raises StoreUnavailable."""
    first, pages = 0, PageSize(PAGE_JOBS)
    while first < total:
        wanted = pages.jobs
        with translated():
            found: Any = (redis.lrange if kind == "list" else redis.zrange)(key, first, first + wanted - 1)
        if not found:
            return
        yield from found
        pages.note(found)
        first += max(len(found), len(found) * total // most)
