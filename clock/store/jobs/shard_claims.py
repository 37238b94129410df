"""Which worker process serves which shard: claims at the home, which their processes renew.

Processes with the same queues share the shards among themselves: each queue needs a worker in each shard.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

from redis import Redis

from clock.store import keys
from clock.store.invalid_values import text
from clock.store.scripts import run
from clock.store.server.connection import translated
from clock.store.server.shards import every
from clock.store.wrong_type import reading


class ShardClaims:
    """The claim of one process, by its name. Its methods raise StoreUnavailable."""

    def __init__(self, home: Redis, name: str, queues: Sequence[str], *, expires_ms: int) -> None:
        self._home = home
        self._name = name
        self._expires_ms = expires_ms
        group = f"{crc32(chr(10).join(sorted(queues)).encode()):08x}"
        self._keys = [f"{keys.SHARD_CLAIMS}{group}:{number}" for number in range(len(every(home)))]

    def claim(self, serves: int | None = None, *, may_move: bool = False) -> int:
        """Choose the shard, or renew the claim on `serves`, the shard of the process; the number of the shard.

        With `may_move` it is another one if that has two processes fewer.
        """
        place = 0 if serves is None else serves + 1
        args = [self._name, self._expires_ms, place, int(may_move)]
        return int(run(self._home, "claim_shard", self._keys, args)) - 1

    def release(self) -> None:
        """Give the claim up: the process ends and is not replaced."""
        with translated(), self._home.pipeline(transaction=False) as pipeline:
            for key in self._keys:
                pipeline.zrem(key, self._name)
            pipeline.execute()


def noted_shards(home: Redis) -> dict[str, float]:
    """The shards that were ever in use, and when last (ms since 1970). Raises StoreUnavailable."""
    found: Any = reading(home, lambda pipe: pipe.zrange(keys.SHARDS, 0, -1, withscores=True)) or ()
    return {text(name): at for name, at in found}


def forget_shard(home: Redis, name: str) -> None:
    """Remove a shard from those that were ever in use. Raises StoreUnavailable."""
    with translated():
        home.zrem(keys.SHARDS, name)
