"""The workers that live: Sidekiq's `processes`, for its web page, and our own register of heartbeats."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis

from clock.store import keys
from clock.store.connection import translated
from clock.store.scripts import script

SHOWN_SECONDS = 60  # Sidekiq's page shows a process for so long after its last beat


@dataclass(frozen=True, slots=True)
class Beat:
    """What a worker tells of itself. Times are float seconds since 1970, `rss` is in kB.

    `fetched`, when it last completed a round trip of fetching, is ours; the rest is Sidekiq's.
    """

    info: Mapping[str, object]
    busy: int
    beat: float
    rtt_us: int
    quiet: bool
    rss: int
    work: Mapping[str, Mapping[str, object]]
    fetched: float


class Processes:
    """The register of workers."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._bury = script(redis, "bury_worker")

    def beat(self, identity: str, beat: Beat, *, expires_ms: int) -> str | None:
        """Say that the worker lives until `expires_ms`; a signal that was sent to it meanwhile, if any.

        Raises StoreUnavailable.
        """
        with translated(), self._redis.pipeline() as pipeline:
            pipeline.zadd(keys.WORKERS, {identity: expires_ms})
            pipeline.sadd(keys.PROCESSES, identity)
            pipeline.hset(
                identity,
                mapping={
                    "info": json.dumps(beat.info),
                    "concurrency": str(beat.info["concurrency"]),
                    "busy": beat.busy,
                    "beat": beat.beat,
                    "rtt_us": beat.rtt_us,
                    "quiet": "true" if beat.quiet else "false",
                    "rss": beat.rss,
                    "fetched": beat.fetched,
                },
            )
            pipeline.expire(identity, SHOWN_SECONDS)
            for name in (keys.work(identity), keys.workers(identity)):
                pipeline.unlink(name)
                if beat.work:
                    pipeline.hset(name, mapping={tid: json.dumps(item) for tid, item in beat.work.items()})
                    pipeline.expire(name, SHOWN_SECONDS)
            pipeline.rpop(keys.signals(identity))
            signal: bytes | None = pipeline.execute()[-1]
        return signal.decode(errors="replace") if signal else None

    def leave(self, identity: str) -> None:
        """Take a stopped worker off the register; its heartbeat hash is left to expire, as Sidekiq does."""
        with translated(), self._redis.pipeline() as pipeline:
            pipeline.srem(keys.PROCESSES, identity)
            pipeline.unlink(keys.work(identity), keys.workers(identity))
            if not self._redis.exists(keys.IN_PROGRESS + identity):
                pipeline.zrem(keys.WORKERS, identity)
                pipeline.unlink(keys.RUNNING + identity)
            pipeline.execute()

    def expired(self, now_ms: int) -> list[str]:
        """The identities of workers whose heartbeat has expired. Raises StoreUnavailable."""
        with translated():
            found: Any = self._redis.zrangebyscore(keys.WORKERS, "-inf", f"({now_ms}")
        return [identity.decode(errors="replace") for identity in found]

    def forget(self, identity: str, now_ms: int) -> bool:
        """Take a dead worker off the register, if none of its jobs is left. Raises StoreUnavailable."""
        with translated():
            return bool(
                self._bury(
                    keys=[keys.IN_PROGRESS + identity, keys.WORKERS, keys.PROCESSES, keys.RUNNING + identity],
                    args=[identity, now_ms],
                )
            )
