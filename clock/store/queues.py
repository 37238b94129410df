"""Queues: lists of payloads, as Sidekiq's. Jobs are added on the left and taken from the right."""

from __future__ import annotations

from collections.abc import Sequence

from redis import Redis

from clock.store import keys
from clock.store.connection import translated
from clock.store.holding import Push


def push(redis: Redis, pushes: Sequence[Push]) -> None:
    """Add jobs to their queues and delayed jobs to the schedule, in one round trip. Raises StoreUnavailable.

    After a StoreUnavailable it is not known whether they were added; calling again may add them twice.
    """
    by_queue: dict[str, list[str]] = {}
    delayed: dict[str, float] = {}
    for job in pushes:
        if job.at is None:
            by_queue.setdefault(job.queue, []).append(job.payload)
        else:
            delayed[job.payload] = job.at
    with translated(), redis.pipeline(transaction=False) as pipeline:
        if by_queue:
            pipeline.sadd(keys.QUEUES, *by_queue)
        for name, payloads in by_queue.items():
            pipeline.lpush(keys.queue(name), *payloads)
        if delayed:
            pipeline.zadd(keys.SCHEDULE, delayed)
        pipeline.execute()


def size(redis: Redis, name: str) -> int:
    """How many jobs wait in the queue."""
    with translated():
        return int(redis.llen(keys.queue(name)))
