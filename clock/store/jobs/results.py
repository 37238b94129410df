"""Results of jobs, kept for a caller that asks later: one hash for each job, which expires."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis import Redis

from clock.store import keys
from clock.store.invalid_values import text
from clock.store.server.connection import translated
from clock.store.wrong_type import reading

Fields = Mapping[str, str]


def write(redis: Redis, jid: str, fields: Fields, *, seconds: float, once: Fields | None = None) -> dict[str, str]:
    """Set fields of a job's result, those of `once` only if they are not set, and return them all.

    It is kept for so many seconds from now. Raises StoreUnavailable.
    """
    key = keys.RESULT + jid
    with translated(), redis.pipeline() as pipeline:
        for name, value in (once or {}).items():
            pipeline.hsetnx(key, name, value)
        if fields:
            pipeline.hset(key, items=[part for item in fields.items() for part in item])
        pipeline.pexpire(key, int(seconds * 1000))
        pipeline.hgetall(key)
        found: Any = pipeline.execute()[-1]
    return _decoded(found)


def read(redis: Redis, jid: str) -> dict[str, str]:
    """The fields of a job's result; empty if it has no result, or the result has expired.

    Raises StoreUnavailable.
    """
    return _decoded(reading(redis, lambda pipe: pipe.hgetall(keys.RESULT + jid)) or {})


def _decoded(fields: Mapping[bytes, bytes]) -> dict[str, str]:
    return {text(name): text(value) for name, value in fields.items()}
