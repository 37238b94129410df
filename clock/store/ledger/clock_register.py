"""The register of live clocks and their reports, so any process can see whether they work."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import Redis

from clock.clocks import to_ms
from clock.store import keys
from clock.store.invalid_values import json_object
from clock.store.ledger.entry import LATEST_MS
from clock.store.server.connection import translated
from clock.store.server.sending import ask_all, checked
from clock.store.wrong_type import typed


@dataclass(frozen=True, slots=True)
class AboutClock:
    """The constant part of a clock's report.

    `started_at` is in ms since 1970. `skew_ms` is Redis's clock minus the machine's. `events` is the number of
    events in the clock file.
    """

    host: str
    pid: int
    release: str
    started_at: int
    events: int
    skew_ms: int


class ClockRegister:
    """The register of clocks, both leaders and clocks on standby."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def beat(self, identity: str, state: Mapping[str, object], *, now: datetime, seconds: float) -> None:
        """Register the clock for some seconds from `now`, with its report. Raises StoreUnavailable."""
        now_ms, kept_ms = to_ms(now), int(seconds * 1000)
        commands = [
            ("ZREMRANGEBYSCORE", keys.CLOCKS, "-inf", f"({now_ms}"),
            ("SET", keys.CLOCK + identity, json.dumps(state), "PX", kept_ms),
            ("ZADD", keys.CLOCKS, now_ms + kept_ms, identity),  # last: a name in the register has a report
        ]
        with translated():
            checked(ask_all(self._redis, commands))

    def leave(self, identity: str) -> None:
        """Remove a stopped clock from the register. Raises StoreUnavailable."""
        with translated(), self._redis.pipeline() as pipeline:
            pipeline.zrem(keys.CLOCKS, identity)
            pipeline.unlink(keys.CLOCK + identity)
            pipeline.execute()

    def living(self, now: datetime) -> dict[str, dict[str, Any]]:
        """The last valid report of each live clock, by identity. Raises StoreUnavailable, WrongType."""
        with typed(self._redis, keys.CLOCKS, "sorted set"):
            names: Any = self._redis.zrangebyscore(keys.CLOCKS, to_ms(now), "+inf")
        with translated():
            state: Any = self._redis.mget([keys.CLOCK.encode() + name for name in names]) if names else []
        pairs = zip(names, state, strict=True)
        return {keys.shown(name): about for name, text in pairs if (about := _decoded(text)) is not None}


def _decoded(text: bytes | None) -> dict[str, Any] | None:
    found = json_object(text)
    if found is None:
        return None
    has_types = all(isinstance(value, _FIELD_TYPES.get(name, object)) for name, value in found.items())
    instants = [found.get(name) for name in _INSTANTS]
    return found if has_types and all(at is None or 0 <= at <= LATEST_MS for at in instants) else None


_INSTANTS = ("started_at", "last_round", "oldest_undecided")
_FIELD_TYPES: Mapping[str, Any] = {
    "host": str,
    "pid": int,
    "release": str,
    "started_at": int,
    "events": int,
    "skew_ms": int,
    "leads": bool,
    "last_round": int,
    "oldest_undecided": int | None,
}
