"""The workers that live: Sidekiq's `processes`, for its web page, and our own register of heartbeats."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any

from redis import Redis

from clock.clocks import to_ms
from clock.store import keys
from clock.store.invalid_values import tolerated
from clock.store.scripts import run
from clock.store.server.connection import translated

SHOWN_SECONDS = 60  # Sidekiq's page shows a process for so long after its last beat


class End(IntEnum):
    """How a dead worker ended. Its heartbeat process sets the value as the worker's score in the register.

    A score is an expiry in ms, so no value below 0 is one.
    """

    SILENT = 0  # no process reported an end: the heartbeat has expired
    ENDED = -1  # the process is gone
    FROZEN = -2  # killed by its heartbeat process, after `frozen_timeout`


@dataclass(frozen=True, slots=True)
class Beat:
    """The description that a worker publishes. Times are float seconds since 1970, `rss` is in kB.

    `fetched`, when it last completed a round trip of fetching, and `problems` are clock's fields; the others are
    Sidekiq's.
    """

    info: Mapping[str, object]
    busy: int
    beat: float
    rtt_us: int
    quiet: bool
    rss: int
    work: Mapping[str, Mapping[str, object]]
    fetched: float
    problems: Sequence[Mapping[str, object]] = ()


class WorkerRegister:
    """The register of workers. Its methods raise StoreUnavailable."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def beat(self, identity: str, *, now: datetime, seconds: float) -> str | None:
        """Register the worker as alive for some seconds from `now`. Returns a signal sent to it, or None."""
        with translated(), self._redis.pipeline() as pipeline:
            pipeline.zadd(keys.WORKERS, {identity: to_ms(now) + int(seconds * 1000)})
            pipeline.sadd(keys.PROCESSES, identity)
            pipeline.rpop(keys.signals(identity))
            signal: bytes | None = tolerated(pipeline, needed=1)[-1]
        return signal.decode(errors="replace") if signal else None

    def describe(self, identity: str, beat: Beat) -> None:
        """Write what the worker does, for Sidekiq's page."""
        with translated(), self._redis.pipeline() as pipeline:
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
                    "frozen": 0,
                    "problems": json.dumps(beat.problems),
                },
            )
            pipeline.expire(identity, SHOWN_SECONDS)
            for name in (keys.work(identity), keys.workers(identity)):
                pipeline.unlink(name)
                if beat.work:
                    pipeline.hset(name, mapping={tid: json.dumps(item) for tid, item in beat.work.items()})
                    pipeline.expire(name, SHOWN_SECONDS)
            pipeline.execute()

    def extend(self, identity: str, seconds: float, *, frozen: float) -> None:
        """Keep a registered worker alive for `seconds` from now, by Redis's clock.

        What the worker wrote about itself is shown for longer; `frozen` is for how many seconds its interpreter
        has not run. A worker that has left the register does not come back.
        """
        with translated():
            now: Any = self._redis.time()
            now_ms = now[0] * 1000 + now[1] // 1000
            with self._redis.pipeline() as pipeline:
                pipeline.zadd(keys.WORKERS, {identity: now_ms + int(seconds * 1000)}, xx=True)
                pipeline.hset(identity, mapping={"beat": now_ms / 1000, "frozen": int(frozen)})
                for name in (identity, keys.work(identity), keys.workers(identity)):
                    pipeline.expire(name, SHOWN_SECONDS)
                tolerated(pipeline, needed=1)

    def note_end(self, identity: str, how: End) -> None:
        """Note that the worker's process is gone, so its jobs are put back now."""
        with translated():
            self._redis.zadd(keys.WORKERS, {identity: how.value}, xx=True)

    def leave(self, identity: str) -> None:
        """Take a stopped worker off the register; its heartbeat hash is left to expire, as Sidekiq does."""
        with translated(), self._redis.pipeline() as pipeline:
            pipeline.srem(keys.PROCESSES, identity)
            pipeline.unlink(keys.work(identity), keys.workers(identity))
            if not self._redis.exists(keys.IN_PROGRESS + identity):
                pipeline.zrem(keys.WORKERS, identity)
                pipeline.unlink(keys.RUNNING + identity)
            tolerated(pipeline)

    def expired(self, now: datetime) -> dict[str, End]:
        """The workers whose heartbeat has expired: identity -> how each ended."""
        with translated():
            found: Any = self._redis.zrangebyscore(keys.WORKERS, "-inf", f"({to_ms(now)}", withscores=True)
            foreign = [identity for identity, _ in found if not identity.isascii()]
            if foreign:  # no worker's name: another program has written it
                self._redis.zrem(keys.WORKERS, *foreign)
        ends = {end.value: end for end in End}
        return {name.decode(): ends.get(score, End.SILENT) for name, score in found if name.isascii()}

    def forget(self, identity: str, now: datetime) -> bool:
        """Take a dead worker off the register, if none of its jobs is left."""
        names = [keys.IN_PROGRESS + identity, keys.WORKERS, keys.PROCESSES, keys.RUNNING + identity]
        return bool(run(self._redis, "bury_worker", names, [identity, to_ms(now)]))
