"""Results of jobs: a hash a job, which expires.

The script that ends a job writes the result of a job that keeps one. Tasks of Django's framework write their own.
Each function raises StoreUnavailable.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any, NamedTuple

from redis import Redis

from clock.store import keys
from clock.store.invalid_values import text
from clock.store.server.connection import translated
from clock.store.wrong_type import reading

Fields = Mapping[str, str]

#: Instead of a lock (key, jid): the end of the job may push others, as it has a batch or a job that follows it.
HAS_FOLLOWERS = ("", "")


class Kept(NamedTuple):
    """The result of a job that has ended, its jid, and how long it is kept (ms)."""

    jid: str
    ttl_ms: int
    fields: Fields

    @property
    def key(self) -> str:
        """The key of the hash."""
        return keys.JOB_RESULT + self.jid

    @property
    def words(self) -> list[str | int]:
        """The arguments of a script that writes it."""
        return [self.ttl_ms, *chain.from_iterable(self.fields.items())]


class Ending(NamedTuple):
    """The end of a job: its result, if it keeps one, the lock (key, jid) that it frees, and how it ended.

    `how` is "done", "dead", "dropped" or "cancelled"; '': it runs again.
    """

    kept: Kept | None = None
    lock: tuple[str, str] | None = None
    how: str = ""


NOTHING_ELSE = Ending()


def write(redis: Redis, kept: Kept) -> None:
    """Write the result of a job that a program has deleted."""
    with translated(), redis.pipeline() as pipeline:
        pipeline.hset(kept.key, items=list(chain.from_iterable(kept.fields.items())))
        pipeline.pexpire(kept.key, kept.ttl_ms)
        pipeline.execute(raise_on_error=False)  # another program may have written the key or the time


def read(redis: Redis, jid: str) -> dict[str, str]:
    """The fields of a job's result; empty: it has not ended, or the result expired."""
    return _decoded(reading(redis, lambda pipe: pipe.hgetall(keys.JOB_RESULT + jid)) or {})


def write_task(redis: Redis, jid: str, fields: Fields, *, seconds: float, once: Fields | None = None) -> Fields:
    """Set fields of a task's result, those of `once` if they are missing; all fields. It is kept for `seconds`."""
    key = keys.RESULT + jid
    with translated(), redis.pipeline() as pipeline:
        for name, value in (once or {}).items():
            pipeline.hsetnx(key, name, value)
        if fields:
            pipeline.hset(key, items=list(chain.from_iterable(fields.items())))
        pipeline.pexpire(key, int(seconds * 1000))
        pipeline.hgetall(key)
        found: Any = pipeline.execute()[-1]
    return _decoded(found)


def read_task(redis: Redis, jid: str) -> dict[str, str]:
    """The fields of a task's result; empty if it has none, or the result has expired."""
    return _decoded(reading(redis, lambda pipe: pipe.hgetall(keys.RESULT + jid)) or {})


def _decoded(fields: Mapping[bytes, bytes]) -> dict[str, str]:
    return {text(name): text(value) for name, value in fields.items()}
