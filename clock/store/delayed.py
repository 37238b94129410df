"""Jobs that wait for their time (`schedule`, `retry`), and those parked until a worker knows their class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis import Redis

from clock.store import keys
from clock.store.connection import translated
from clock.store.scripts import script

WAITING = (keys.RETRY, keys.SCHEDULE)
LOOK_SECONDS = 0.5  # how often a poller looks at least: other programs' jobs come without word
BATCH = 500  # jobs moved in one script call: a few ms of Redis's time


class Delayed:
    """The sorted sets of delayed jobs, and the lists of parked ones."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._release = script(redis, "release")
        self._unpark = script(redis, "unpark")

    def due(self, where: str, now: float) -> list[bytes]:
        """Up to `BATCH` payloads due at `now` (float seconds), the earliest first. Raises StoreUnavailable."""
        with translated():
            found: Any = self._redis.zrangebyscore(where, "-inf", now, start=0, num=BATCH)
        return list(found)

    def release(self, where: str, jobs: Sequence[tuple[bytes, str, str | bytes]]) -> int:
        """Move (member, queue, new payload) to their queues; how many were moved. Raises StoreUnavailable."""
        if not jobs:
            return 0
        with translated():
            return int(
                self._release(keys=[where, keys.QUEUE, keys.QUEUES], args=[part for job in jobs for part in job])
            )

    def next_due(self) -> float | None:
        """When the next delayed job is due, in float seconds; None: there is none. Raises StoreUnavailable."""
        with translated(), self._redis.pipeline(transaction=False) as pipeline:
            for where in WAITING:
                pipeline.zrange(where, 0, 0, withscores=True)
            firsts: list[Any] = pipeline.execute()
        return min((float(score) for first in firsts for _, score in first), default=None)

    def parked_classes(self) -> list[str]:
        """The names of classes of which jobs are parked. Raises StoreUnavailable."""
        with translated():
            names: Any = self._redis.smembers(keys.PARKED)
        return sorted(name.decode(errors="replace") for name in names)

    def parked(self, class_name: str) -> list[bytes]:
        """Up to `BATCH` parked payloads of a class, the oldest last. Raises StoreUnavailable."""
        with translated():
            found: Any = self._redis.lrange(keys.PARKED_JOBS + class_name, -BATCH, -1)
        return list(found)

    def unpark(self, class_name: str, jobs: Sequence[tuple[bytes, str]]) -> int:
        """Put (payload, queue) of a class back into their queues; how many. Raises StoreUnavailable."""
        with translated():
            return int(
                self._unpark(
                    keys=[keys.PARKED_JOBS + class_name, keys.PARKED, keys.QUEUE, keys.QUEUES],
                    args=[class_name, *(part for job in jobs for part in job)],
                )
            )


class Nearer:
    """Word of jobs that are due before a poller would look by itself. It holds a connection of its own."""

    def __init__(self, redis: Redis) -> None:
        self._words = redis.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]  # untyped there

    def wait(self, seconds: float) -> None:
        """Return when there is word, after `seconds` at the latest. Raises StoreUnavailable."""
        with translated():
            if not self._words.subscribed:
                self._words.subscribe(keys.NEARER)
                self._words.get_message(timeout=None)  # that it has subscribed
            self._words.get_message(timeout=seconds)
