"""Queues with waiting jobs that no worker serves, neither clock's nor Sidekiq's."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from redis import Redis

from clock.clocks import Clock
from clock.problems import Problem
from clock.store import keys
from clock.store.invalid_values import json_object, seconds_in
from clock.store.server.connection import translated
from clock.store.server.sending import ask_all, checked

NO_WORKER = "no_worker:"  # the cause of a problem, with the queue's name
LOOKED_AT = 200  # queues at one check: if there are more, each check reads others
SEEN_WHILE_EMPTY = 20  # workers whose queues are recorded while no job waits: a thousand workers ask at each beat
GRACE_SECONDS = 40.0  # a normal restart: the stop timeout of 25 s, a heartbeat of 5 s, and 10 s to start

Unserved = Mapping[str, tuple[int, float]]


class UnservedQueues:
    """The problems of queues that no worker serves, with a grace time for workers that restart.

    Redis keeps no record of a worker that has stopped. So this object records when each queue last had one.
    """

    def __init__(self, redis: Redis, *, clock: Clock) -> None:
        self._redis, self._clock = redis, clock
        self._started = clock.now().timestamp()
        #: Queue -> monotonic seconds: when a worker last served it, or was first seen while it stops.
        self._served_at: dict[str, float] = {}

    def problems(self) -> list[Problem]:
        """The problems to report. Only jobs that came after the start make the process unready.

        A queue that was left behind long ago must not delay each deploy. Raises StoreUnavailable.
        """
        with translated():
            queues, workers = _names(self._redis)
            waiting = _waiting(self._redis, queues)
            serving, stopping = _queues_by_state(self._redis, workers, None if waiting else SEEN_WHILE_EMPTY)
            now = self._clock.monotonic()
            self._served_at = dict.fromkeys(stopping, now) | self._served_at | dict.fromkeys(serving, now)
            late = {name: size for name, size in waiting.items() if self._is_late(_text(name), now)}
            found = _with_latest(self._redis, late)
        return [
            Problem(
                f"{NO_WORKER}{name}",
                f"Jobs wait in the queue {name!r} ({size}), and no worker processes it. "
                f"Start one (clock worker -q {name}).",
                blocks=latest >= self._started,
            )
            for name, (size, latest) in sorted(found.items())
        ]

    def _is_late(self, name: str, now: float) -> bool:
        served_at = self._served_at.get(name)
        return served_at is None or now - served_at > GRACE_SECONDS


def unserved(redis: Redis) -> Unserved:
    """By queue without a worker: how many jobs wait, and when the latest was enqueued (seconds; 0: not known).

    Raises StoreUnavailable.
    """
    with translated():
        queues, workers = _names(redis)
        waiting = _waiting(redis, queues)
        if waiting:
            serving, _ = _queues_by_state(redis, workers)
            waiting = {name: size for name, size in waiting.items() if _text(name) not in serving}
        return _with_latest(redis, waiting)


def _names(redis: Redis) -> list[list[bytes]]:
    """The names of the queues, and of the workers."""
    return checked(ask_all(redis, [("SMEMBERS", keys.QUEUES), ("SMEMBERS", keys.PROCESSES)]))


def _waiting(redis: Redis, queues: Sequence[bytes]) -> dict[bytes, int]:
    """How many jobs wait, by queue; the empty queues are left out."""
    names = random.sample(sorted(queues), min(len(queues), LOOKED_AT))
    sizes = _asked(redis, "LLEN", [keys.QUEUE.encode() + name for name in names])
    return {name: size for name, size in zip(names, sizes, strict=True) if isinstance(size, int) and size}


def _with_latest(redis: Redis, waiting: Mapping[bytes, int]) -> Unserved:
    latest = _asked(redis, "LINDEX", [keys.QUEUE.encode() + name for name in waiting], 0)
    return {
        _text(name): (size, _enqueued_at(payload))
        for (name, size), payload in zip(waiting.items(), latest, strict=True)
    }


def _queues_by_state(
    redis: Redis, identities: Sequence[bytes], most: int | None = None
) -> tuple[set[str], set[str]]:
    """The queues of the living workers that take jobs, and those of the quiet ones; of `most` workers."""
    if most is not None:
        identities = random.sample(identities, min(len(identities), most))
    beats = _asked(redis, "HMGET", identities, "info", "quiet")
    serving: set[str] = set()
    quiet: set[str] = set()
    for info, is_quiet in (beat for beat in beats if isinstance(beat, list)):
        queues = quiet if is_quiet == b"true" else serving
        queues |= _queues_of(info)
    return serving, quiet


def _text(name: bytes) -> str:
    return name.decode(errors="replace")


def _queues_of(info: bytes | None) -> set[str]:
    queues = (json_object(info) or {}).get("queues")
    return set(map(str, queues)) if isinstance(queues, list) else set()


def _asked(redis: Redis, command: str, names: Sequence[bytes], *further: str | int) -> list[Any]:
    """The answers of a command for each key; an exception for one of another type."""
    return ask_all(redis, [(command, name, *further) for name in names]) if names else []


def _enqueued_at(payload: object) -> float:
    job = json_object(payload) if isinstance(payload, bytes) else None
    return seconds_in((job or {}).get("enqueued_at"))
