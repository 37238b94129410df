"""The clocks that live: what each tells of itself, so that any process can see whether they work."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis

from clock.store import keys
from clock.store.connection import translated


@dataclass(frozen=True, slots=True)
class AboutClock:
    """What a clock tells of itself that never changes.

    `started_at` is in ms since 1970; `skew_ms` is how far Redis's clock is ahead of its machine's; `events` counts
    those of the clock file.
    """

    host: str
    pid: int
    release: str
    started_at: int
    events: int
    skew_ms: int


class ClockRegister:
    """The register of clocks, those that lead and those that stand by."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def beat(self, identity: str, told: Mapping[str, object], *, now_ms: int, expires_ms: int) -> None:
        """Say that the clock lives until `expires_ms`, and what it tells. Raises StoreUnavailable."""
        with translated(), self._redis.pipeline() as pipeline:
            pipeline.zremrangebyscore(keys.CLOCKS, "-inf", f"({now_ms}")
            pipeline.zadd(keys.CLOCKS, {identity: expires_ms})
            pipeline.set(keys.CLOCK + identity, json.dumps(told), px=expires_ms - now_ms)
            pipeline.execute()

    def leave(self, identity: str) -> None:
        """Take a stopped clock off the register. Raises StoreUnavailable."""
        with translated(), self._redis.pipeline() as pipeline:
            pipeline.zrem(keys.CLOCKS, identity)
            pipeline.unlink(keys.CLOCK + identity)
            pipeline.execute()

    def living(self, now_ms: int) -> dict[str, dict[str, Any]]:
        """What each living clock told last, by identity. Raises StoreUnavailable."""
        with translated():
            names: Any = self._redis.zrangebyscore(keys.CLOCKS, now_ms, "+inf")
            identities = [name.decode(errors="replace") for name in names]
            told: Any = self._redis.mget([keys.CLOCK + identity for identity in identities]) if identities else []
        return {identity: json.loads(text) for identity, text in zip(identities, told, strict=True) if text}
