"""Queues: lists of payloads, as Sidekiq's. Jobs are added on the left and taken from the right.

Workers take no jobs from paused queues. The set of these is Sidekiq Pro's; each may pause queues for the other. A
queue is paused in all shards of a home.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from redis import Redis

from clock.store import keys
from clock.store.invalid_values import text
from clock.store.jobs.flow.unique_locks import Lock
from clock.store.server.connection import translated
from clock.store.server.sending import Command, wait_command
from clock.store.server.shards import every
from clock.store.wrong_type import reading


@dataclass(slots=True)
class Parcel:
    """Jobs on their way to one queue: their JSON, and when each is due (float seconds since 1970; None: now).

    `is_near`: one of them is due before a worker would look by itself. `at_front`: they are taken before those
    that wait already, the first of them first. `durable`: how many replicas must have them. `locks`: of unique
    jobs, one for each payload. `jids`: of jobs that may be spread over shards; None: they stay at home.
    """

    queue: str
    payloads: list[str]
    at: list[float] | None = None
    is_near: bool = False
    at_front: bool = False
    durable: int = 0
    locks: list[Lock] | None = None
    jids: list[str] | None = None


def push_commands(parcels: Sequence[Parcel], durable: int = 0) -> list[Command]:
    """The commands that push jobs: to their queues, or to the schedule. With `durable`, WAIT follows them."""
    commands: list[Command] = []
    for parcel in parcels:
        if parcel.at is None:
            commands.append(("SADD", keys.QUEUES, parcel.queue))
            if parcel.at_front:
                commands.append(("RPUSH", keys.queue(parcel.queue), *reversed(parcel.payloads)))
            else:
                commands.append(("LPUSH", keys.queue(parcel.queue), *parcel.payloads))
        else:
            pairs = [word for pair in zip(parcel.at, parcel.payloads, strict=True) for word in pair]
            commands.append(("ZADD", keys.SCHEDULE, *pairs))
            if parcel.is_near:
                commands.append(("PUBLISH", keys.NEARER, ""))
        durable = max(durable, parcel.durable)
    return [*commands, wait_command(durable)] if durable else commands


def list_size(redis: Redis, key: str) -> int:
    """How many jobs a list holds: a queue, or the parked jobs of a class."""
    with translated():
        return int(redis.llen(key))


def pause(redis: Redis, name: str) -> bool:
    """Pause a queue; False: it was paused already. Raises StoreUnavailable, StoreError."""
    with translated():
        return sum(int(place.sadd(keys.PAUSED_QUEUES, name)) for place in every(redis)) > 0


def unpause(redis: Redis, name: str) -> bool:
    """Resume a queue. Returns False if it was not paused. Raises StoreUnavailable, StoreError."""
    with translated():
        return sum(int(place.srem(keys.PAUSED_QUEUES, name)) for place in every(redis)) > 0


def paused(redis: Redis) -> set[str]:
    """The names of the paused queues. Raises StoreUnavailable."""
    found = [reading(place, lambda pipe: pipe.smembers(keys.PAUSED_QUEUES)) or () for place in every(redis)]
    return set(map(text, chain.from_iterable(found)))
