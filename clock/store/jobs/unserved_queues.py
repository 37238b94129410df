"""Queues with waiting jobs that no worker serves, neither clock's nor Sidekiq's."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from redis import Redis

from clock.clocks import Clock
from clock.problems import Problem
from clock.store import keys
from clock.store.invalid_values import json_object, seconds_in, text
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
            waiting, serving, stopping = _look(self._redis, SEEN_WHILE_EMPTY)
            now = self._clock.monotonic()
            self._served_at = dict.fromkeys(stopping, now) | self._served_at | dict.fromkeys(serving, now)
            found = _unserved(self._redis, waiting, lambda name: self._is_late(name, now))
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
    """By queue without a worker: how many jobs wait, and when the latest was enqueued (seconds; 0: not known)."""
    with translated():
        waiting, serving, _ = _look(redis, 0)
        return _unserved(redis, waiting, lambda name: name not in serving)


def _look(redis: Redis, seen_while_empty: int) -> tuple[dict[bytes, int], set[str], set[str]]:
    """How many jobs wait, by queue, and the queues of the living workers: of those that take jobs, of the quiet.

    While no job waits, only some workers are asked.
    """
    queues, workers = checked(ask_all(redis, [("SMEMBERS", keys.QUEUES), ("SMEMBERS", keys.PROCESSES)]))
    names = random.sample(sorted(queues), min(len(queues), LOOKED_AT))
    sizes = _asked(redis, "LLEN", [keys.QUEUE.encode() + name for name in names])
    waiting = {name: size for name, size in zip(names, sizes, strict=True) if isinstance(size, int) and size}
    if not waiting:
        workers = random.sample(workers, min(len(workers), seen_while_empty))
    serving, quiet = set[str](), set[str]()
    for beat in _asked(redis, "HMGET", workers, "info", "quiet"):
        if isinstance(beat, list):
            found = (json_object(beat[0]) or {}).get("queues")
            (quiet if beat[1] == b"true" else serving).update(map(str, found if isinstance(found, list) else ()))
    return waiting, serving, quiet


def _unserved(redis: Redis, waiting: Mapping[bytes, int], is_unserved: Callable[[str], bool]) -> Unserved:
    names = [name for name in waiting if is_unserved(text(name))]
    latest = _asked(redis, "LINDEX", [keys.QUEUE.encode() + name for name in names], 0)
    jobs = [json_object(payload) if isinstance(payload, bytes) else None for payload in latest]
    return {
        text(name): (waiting[name], seconds_in((job or {}).get("enqueued_at")))
        for name, job in zip(names, jobs, strict=True)
    }


def _asked(redis: Redis, command: str, names: Sequence[bytes], *further: str | int) -> list[Any]:
    """The answers of a command for each key; an exception for one of another type."""
    return ask_all(redis, [(command, name, *further) for name in names]) if names else []
