"""Moving the jobs of a shard that is no longer in use: none is lost, and each goes to its new shard."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis

from clock.store import keys, listing
from clock.store.jobs import leaving
from clock.store.server.connection import connect


@pytest.fixture
def places(redis: Redis, redis_url: str) -> Iterator[tuple[Redis, Redis]]:
    """Two shards in use."""
    found = tuple(connect(redis_url, namespace=name) for name in ("shop-1", "shop-2"))
    yield found[0], found[1]
    for place in found:
        place.close()


@pytest.fixture
def target(places: tuple[Redis, Redis]) -> Callable[[bytes], Redis]:
    """Jobs with an odd number go to the second shard."""
    return lambda payload: places[payload.lstrip(b"x")[-1] % 2]


def queues(redis: Redis, name: str = "default") -> Any:
    """The jobs of a queue, the next one first."""
    found: Any = redis.lrange(f"queue:{name}", 0, -1)
    return found[::-1]


def jobs(count: int) -> list[bytes]:
    return [b"%04d" % number for number in range(count)]


def test_a_queue_is_moved_in_its_order_in_pages_that_grow(
    redis: Redis, places: tuple[Redis, Redis], target: Callable[[bytes], Redis]
) -> None:
    redis.lpush("queue:default", *jobs(400))
    redis.lpush("queue:low", "stays")

    steps = list(leaving.move_queue(redis, "default", target))

    assert steps == [16, 64, 200, 120]
    assert [queues(place) for place in places] == [jobs(400)[::2], jobs(400)[1::2]]
    assert [place.smembers("queues") for place in places] == [{b"default"}, {b"default"}]
    assert not redis.exists("queue:default")
    assert redis.llen("queue:low") == 1


def test_parked_jobs_are_moved_to_their_queues(
    redis: Redis, places: tuple[Redis, Redis], target: Callable[[bytes], Redis]
) -> None:
    redis.lpush(f"{keys.PARKED_JOBS}AJob", *jobs(20), jobs(3)[2])

    steps = list(leaving.move_parked(redis, "AJob", target, lambda payload: f"q{payload[-2] % 2}"))

    assert steps == [16, 5]
    assert queues(places[0], "q0") == [*jobs(20)[:10:2], jobs(3)[2]]
    assert queues(places[0], "q1") == jobs(20)[10::2]
    assert queues(places[1], "q1") == jobs(20)[11::2]
    assert not redis.exists(f"{keys.PARKED_JOBS}AJob")


@pytest.mark.parametrize("where", [keys.SCHEDULE, keys.RETRY, keys.DEAD])
def test_delayed_and_dead_jobs_keep_their_times(
    redis: Redis, places: tuple[Redis, Redis], target: Callable[[bytes], Redis], where: str
) -> None:
    redis.zadd(where, {job: place + 0.5 for place, job in enumerate(jobs(100))})

    steps = list(leaving.move_set(redis, where, target))

    assert steps == [16, 64, 20]
    for first, place in enumerate(places):
        moved = [(job, at + 0.5) for at, job in enumerate(jobs(100)) if at % 2 == first]
        assert place.zrange(where, 0, -1, withscores=True) == moved
    assert not redis.exists(where)


def test_jobs_in_progress_of_a_dead_worker_go_to_the_front_the_oldest_first(
    redis: Redis, places: tuple[Redis, Redis], target: Callable[[bytes], Redis]
) -> None:
    places[0].lpush("queue:default", "waits")
    redis.zadd(keys.WORKERS, {"host:1:a": 5, "host:2:b": 5})
    entries: dict[Any, Any] = {str(number): b"default\n" + job for number, job in enumerate(jobs(203))}
    redis.hset(keys.IN_PROGRESS + "host:1:a", mapping=entries)
    redis.hset(keys.IN_PROGRESS + "host:2:b", "1", "default\n1")
    assert list(listing.in_progress_sizes(redis)) == ["host:1:a", "host:2:b"]

    steps = list(leaving.move_in_progress(redis, "host:1:a", target))

    assert steps == [200, 3]
    assert queues(places[0]) == [*jobs(203)[::2], b"waits"]
    assert queues(places[1]) == jobs(203)[1::2]
    assert redis.zrange(keys.WORKERS, 0, -1) == [b"host:2:b"]
    assert list(listing.in_progress_sizes(redis)) == ["host:2:b"]


def test_counters_are_added_and_other_values_are_left(redis: Redis, places: tuple[Redis, Redis]) -> None:
    redis.mset({"stat:processed": 7, "stat:failed": "junk", "stat:processed:2026-11-24": 3, "other": 1})
    places[0].set("stat:processed", 5)

    leaving.move_counters(redis, places[0])

    assert places[0].mget("stat:processed", "stat:failed", "stat:processed:2026-11-24") == [b"12", None, b"3"]
    assert not redis.exists("stat:processed", "stat:processed:2026-11-24")
    assert redis.get("other") == b"1"


def test_a_second_run_after_a_crash_moves_the_jobs_that_are_left(
    redis: Redis, places: tuple[Redis, Redis], target: Callable[[bytes], Redis]
) -> None:
    redis.lpush("queue:default", *jobs(30))
    first = leaving.move_queue(redis, "default", target)
    assert next(first) == 16

    assert sum(leaving.move_queue(redis, "default", target)) == 14

    assert sorted(queues(places[0]) + queues(places[1])) == jobs(30)
