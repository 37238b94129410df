"""Moves the jobs of a shard that is no longer in use to the shards in use, in short steps.

Each step first pushes jobs, and then removes them: a crash in between leaves them in both places, and never in
none. `target` chooses the place of a job by its payload. Each function raises StoreUnavailable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from redis import Redis

from clock.store import keys, repairs
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.steps import PageSize
from clock.store.server.connection import translated

Target = Callable[[bytes], Redis]


def move_queue(source: Redis, name: str, target: Target) -> Iterator[int]:
    """Move the jobs of a queue; yields the number of each step."""

    def remove(page: Sequence[bytes]) -> int:
        return repairs.remove_from_part(source, name, -len(page), -1, page)

    yield from _move_list(source, keys.queue(name), target, lambda _: name, remove)


def move_parked(source: Redis, job_class: str, target: Target, queue_of: Callable[[bytes], str]) -> Iterator[int]:
    """Move the parked jobs of a class to their queues: a worker there knows the class, or parks them again."""
    key = keys.PARKED_JOBS + job_class

    def remove(page: Sequence[bytes]) -> int:
        with translated(), source.pipeline() as pipeline:
            for payload in page:
                pipeline.lrem(key, -1, payload)  # type: ignore[arg-type]  # the library sends bytes as they are
            return sum(map(int, pipeline.execute()))

    yield from _move_list(source, key, target, queue_of, remove)


def move_set(source: Redis, where: str, target: Target) -> Iterator[int]:
    """Move the jobs of `schedule`, `retry` or `dead`, with their scores; yields the number of each step."""
    size = PageSize()
    while True:
        with translated():
            page: Any = source.zrange(where, 0, size.jobs - 1, withscores=True)
        if not page:
            return
        size.note(member for member, _ in page)
        for place, some in _by_target(page, lambda job: target(job[0])):
            with translated():
                place.zadd(where, dict(some))
        yield repairs.remove_waiting(source, where, [member for member, _ in page])


def move_in_progress(source: Redis, identity: str, target: Target) -> Iterator[int]:
    """Move the jobs that a dead worker had claimed to their queues; yields the number of each step."""
    for step in InProgress(source, identity).left():
        for claimed, field in step:
            _push(target(claimed.payload), [(claimed.payload, claimed.queue)], in_front=True)
            with translated():
                source.hdel(keys.IN_PROGRESS + identity, field)
        yield len(step)
    with translated():
        source.zrem(keys.WORKERS, identity)


def move_counters(source: Redis, target: Redis) -> None:
    """Add the counters of jobs to the counters of another place."""
    with translated():
        names = [bytes(name) for name in source.scan_iter(match="stat:*", count=1000)]
    for name in names:
        with translated():
            count: Any = source.getdel(name)
            if count is not None and bytes(count).isdigit():
                target.incrby(name.decode(), int(count))


def _move_list(
    source: Redis,
    key: str,
    target: Target,
    queue_of: Callable[[bytes], str],
    remove: Callable[[Sequence[bytes]], int],
) -> Iterator[int]:
    size = PageSize()
    while True:
        with translated():
            page: Any = source.lrange(key, -size.jobs, -1)
        if not page:
            return
        for place, some in _by_target(list(reversed(page)), target):
            _push(place, [(payload, queue_of(payload)) for payload in some])
        size.note(page)
        yield remove(page)


def _push(redis: Redis, jobs: Sequence[tuple[bytes, str]], *, in_front: bool = False) -> None:
    with translated(), redis.pipeline(transaction=False) as pipeline:
        for payload, queue in jobs:
            pipeline.sadd(keys.QUEUES, queue)
            (pipeline.rpush if in_front else pipeline.lpush)(keys.queue(queue), payload)
        pipeline.execute()


def _by_target(items: Sequence[Any], target: Callable[[Any], Redis]) -> list[tuple[Redis, list[Any]]]:
    found: dict[int, tuple[Redis, list[Any]]] = {}
    for item in items:
        place = target(item)
        found.setdefault(id(place), (place, []))[1].append(item)
    return list(found.values())
