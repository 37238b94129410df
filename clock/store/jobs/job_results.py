"""Results of jobs that keep theirs: a hash a job, which expires. The script that ends the job writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from redis import Redis

from clock.store import keys
from clock.store.invalid_values import text
from clock.store.server.connection import translated
from clock.store.wrong_type import reading

#: Instead of a lock (key, jid): the end of the job may push others, as it has a batch or a job that follows it.
HAS_FOLLOWERS = ("", "")


class Kept(NamedTuple):
    """The result of a job that has ended, its jid, and how long it is kept (ms)."""

    jid: str
    ttl_ms: int
    fields: Mapping[str, str]

    @property
    def key(self) -> str:
        """The key of the hash."""
        return keys.JOB_RESULT + self.jid

    @property
    def words(self) -> list[str | int]:
        """The arguments of a script that writes it."""
        return [self.ttl_ms, *(part for pair in self.fields.items() for part in pair)]


class Ending(NamedTuple):
    """The end of a job: its result, if it keeps one, the lock (key, jid) that it frees, and how it ended.

    `how` is "done", "dead", "dropped" or "cancelled"; '': it runs again.
    """

    kept: Kept | None = None
    lock: tuple[str, str] | None = None
    how: str = ""

    @property
    def lock_words(self) -> tuple[str, str]:
        """The lock as a script receives it."""
        return self.lock or ("", "")


NOTHING_ELSE = Ending()


def write(redis: Redis, kept: Kept) -> None:
    """Write the result of a job that a program has deleted. Raises StoreUnavailable."""
    with translated(), redis.pipeline() as pipeline:
        for name, value in kept.fields.items():
            pipeline.hset(kept.key, name, value)
        pipeline.pexpire(kept.key, kept.ttl_ms)
        pipeline.execute(raise_on_error=False)  # another program may have written the key or the time


def read(redis: Redis, jid: str) -> dict[str, str]:
    """The fields of a job's result; empty: it has not ended, or the result expired. Raises StoreUnavailable."""
    found: Any = reading(redis, lambda pipe: pipe.hgetall(keys.JOB_RESULT + jid)) or {}
    return {text(name): text(value) for name, value in found.items()}
