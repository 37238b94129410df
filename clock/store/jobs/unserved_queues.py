"""Queues with waiting jobs that no worker serves, neither clock's nor Sidekiq's."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from redis import Redis

from clock.problems import Problem
from clock.store import keys
from clock.store.invalid_values import json_object, seconds_in
from clock.store.server.connection import translated

LOOKED_AT = 200  # queues at one check: if there are more, each check reads others

Unserved = Mapping[str, tuple[int, float]]


def unserved(redis: Redis) -> Unserved:
    """By queue without a worker: how many jobs wait, and when the latest was enqueued (seconds; 0: not known).

    Raises StoreUnavailable.
    """
    with translated():
        found: Any = redis.smembers(keys.QUEUES)
        names = random.sample(sorted(found), min(len(found), LOOKED_AT))
        sizes = _asked(redis, "LLEN", [keys.QUEUE.encode() + name for name in names])
        waiting = {name: size for name, size in zip(names, sizes, strict=True) if isinstance(size, int) and size}
        if waiting:
            taken = _taken(redis)
            waiting = {name: size for name, size in waiting.items() if name.decode(errors="replace") not in taken}
        latest = _asked(redis, "LINDEX", [keys.QUEUE.encode() + name for name in waiting], 0)
    return {
        name.decode(errors="replace"): (size, _enqueued_at(payload))
        for (name, size), payload in zip(waiting.items(), latest, strict=True)
    }


def unserved_problems(redis: Redis, started: float) -> list[Problem]:
    """The problems to report. Only jobs that came after `started` (seconds) make the process unready.

    A queue that was left behind long ago must not delay each deploy. Raises StoreUnavailable.
    """
    return [
        Problem(
            f"no_worker:{name}",
            f"Jobs wait in the queue {name!r} ({size}), and no worker processes it. Start "
            f"one: clock worker -q {name}",
            blocks=latest >= started,
        )
        for name, (size, latest) in sorted(unserved(redis).items())
    ]


def _taken(redis: Redis) -> set[str]:
    """The queues of all workers that live and take jobs."""
    identities: Any = redis.smembers(keys.PROCESSES)
    beats = _asked(redis, "HMGET", list(identities), "info", "quiet")
    taken: set[str] = set()
    for info, quiet in (beat for beat in beats if isinstance(beat, list)):
        if quiet != b"true":
            taken |= _queues_of(info)
    return taken


def _queues_of(info: bytes | None) -> set[str]:
    queues = (json_object(info) or {}).get("queues")
    return set(map(str, queues)) if isinstance(queues, list) else set()


def _asked(redis: Redis, command: str, names: list[bytes], *further: object) -> list[Any]:
    """The answers of a command for each key; an exception for one of another type."""
    with redis.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.execute_command(command, name, *further)  # type: ignore[no-untyped-call]  # untyped there
        return pipeline.execute(raise_on_error=False)


def _enqueued_at(payload: object) -> float:
    job = json_object(payload) if isinstance(payload, bytes) else None
    return seconds_in((job or {}).get("enqueued_at"))
