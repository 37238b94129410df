"""The register of workers: who lives, who died and how, and what Sidekiq's page shows of them."""

import json
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from clock.clocks import from_ms, to_ms
from clock.errors import StoreError
from clock.store import keys
from clock.store.jobs.worker_register import Beat, End, WorkerRegister

NOW_MS = 1_795_500_000_000
NOW = from_ms(NOW_MS)
NAME = "host:1:a"


def beat(**more: Any) -> Beat:
    fields: dict[str, Any] = {
        "info": {"concurrency": 5},
        "busy": 2,
        "beat": 1.5,
        "rtt_us": 7,
        "quiet": False,
        "rss": 64,
    }
    return Beat(**{**fields, "work": {}, "fetched": 1.25, **more})


def expiry(redis: Redis) -> float:
    found = redis.zscore(keys.WORKERS, NAME)
    assert found is not None
    return found


def redis_ms(redis: Redis) -> int:
    seconds, micros = redis.time()
    return seconds * 1000 + micros // 1000


def test_a_heartbeat_holds_for_its_seconds_and_the_process_is_listed(redis: Redis) -> None:
    assert WorkerRegister(redis).beat(NAME, now=NOW, seconds=60.25) is None

    assert redis.zscore(keys.WORKERS, NAME) == NOW_MS + 60_250
    assert redis.smembers(keys.PROCESSES) == {NAME.encode()}


def test_a_heartbeat_returns_the_signals_one_by_one_the_oldest_first(redis: Redis) -> None:
    redis.lpush(keys.signals(NAME), "TSTP", "TERM")
    register = WorkerRegister(redis)

    assert [register.beat(NAME, now=NOW, seconds=60) for _ in range(3)] == ["TSTP", "TERM", None]


def test_a_heartbeat_needs_the_register_and_nothing_else(redis: Redis) -> None:
    redis.set(keys.PROCESSES, "foreign")
    redis.set(keys.signals(NAME), "foreign")
    register = WorkerRegister(redis)
    assert register.beat(NAME, now=NOW, seconds=60) is None
    assert redis.zscore(keys.WORKERS, NAME) == NOW_MS + 60_000

    redis.delete(keys.WORKERS)
    redis.set(keys.WORKERS, "foreign")
    with pytest.raises(StoreError, match="WRONGTYPE"):
        register.beat(NAME, now=NOW, seconds=60)


@pytest.mark.parametrize("quiet", [True, False])
def test_the_description_is_written_as_sidekiq_reads_it_and_expires(redis: Redis, quiet: bool) -> None:
    item = {"queue": "default", "payload": "{}"}
    shown = beat(quiet=quiet, work={"t1": item}, problems=[{"cause": "x"}])

    WorkerRegister(redis).describe(NAME, shown)

    assert redis.hgetall(NAME) == {
        b"info": b'{"concurrency": 5}',
        b"concurrency": b"5",
        b"busy": b"2",
        b"beat": b"1.5",
        b"rtt_us": b"7",
        b"quiet": b"true" if quiet else b"false",
        b"rss": b"64",
        b"fetched": b"1.25",
        b"frozen": b"0",
        b"problems": b'[{"cause": "x"}]',
    }
    for key in (keys.work(NAME), keys.workers(NAME)):
        assert redis.hgetall(key) == {b"t1": json.dumps(item).encode()}
        assert redis.ttl(key) == 60
    assert redis.ttl(NAME) == 60


def test_a_worker_without_busy_threads_shows_none(redis: Redis) -> None:
    register = WorkerRegister(redis)
    register.describe(NAME, beat(work={"t1": {}}))

    register.describe(NAME, beat())

    assert redis.keys(f"{NAME}*") == [NAME.encode()]


def test_a_frozen_worker_is_kept_alive_by_the_time_of_redis(redis: Redis) -> None:
    register = WorkerRegister(redis)
    register.beat(NAME, now=from_ms(0), seconds=0)
    register.describe(NAME, beat(work={"t1": {}}))
    for key in (NAME, keys.work(NAME), keys.workers(NAME)):
        redis.expire(key, 1)
    before = redis_ms(redis)

    register.extend(NAME, 60.5, frozen=12.9)

    expires = expiry(redis)
    assert before + 60_500 <= expires <= redis_ms(redis) + 60_500
    assert redis.hmget(NAME, "beat", "frozen") == [str((expires - 60_500) / 1000).encode(), b"12"]
    assert [redis.ttl(key) for key in (NAME, keys.work(NAME), keys.workers(NAME))] == [60, 60, 60]


def test_a_worker_that_has_left_does_not_come_back_by_its_heartbeat_process(redis: Redis) -> None:
    register = WorkerRegister(redis)

    register.extend(NAME, 60, frozen=0)
    register.note_end(NAME, End.ENDED)

    assert not redis.exists(keys.WORKERS)


def test_keeping_a_worker_alive_needs_the_register_and_nothing_else(redis: Redis) -> None:
    register = WorkerRegister(redis)
    register.beat(NAME, now=from_ms(0), seconds=0)
    redis.set(NAME, "foreign")
    register.extend(NAME, 60, frozen=0)
    assert expiry(redis) > 60_000

    redis.delete(keys.WORKERS)
    redis.set(keys.WORKERS, "foreign")
    with pytest.raises(StoreError, match="WRONGTYPE"):
        register.extend(NAME, 60, frozen=0)


def test_a_stopped_worker_leaves_and_its_heartbeat_expires_by_itself(redis: Redis) -> None:
    register = WorkerRegister(redis)
    register.beat(NAME, now=NOW, seconds=60)
    register.describe(NAME, beat(work={"t1": {}}))
    redis.hset(keys.RUNNING + NAME, "1", 1)

    register.leave(NAME)

    assert redis.keys("*") == [NAME.encode()]


def test_a_stopped_worker_with_jobs_in_progress_stays_until_they_are_put_back(redis: Redis) -> None:
    register = WorkerRegister(redis)
    register.beat(NAME, now=NOW, seconds=60)
    redis.hset(keys.RUNNING + NAME, "1", 1)
    redis.hset(keys.IN_PROGRESS + NAME, "1", "default\n{}")

    register.leave(NAME)

    assert redis.zscore(keys.WORKERS, NAME) == NOW_MS + 60_000
    assert redis.exists(keys.RUNNING + NAME) == 1
    assert not redis.exists(keys.PROCESSES)


def test_the_expired_workers_are_those_whose_time_is_over_with_how_each_ended(redis: Redis) -> None:
    register = WorkerRegister(redis)
    for name, before_ms in (("lives", 0), ("silent", 1), ("ended", 0), ("frozen", 0)):
        register.beat(name, now=NOW - timedelta(milliseconds=before_ms), seconds=0)
    register.note_end("ended", End.ENDED)
    register.note_end("frozen", End.FROZEN)
    redis.zadd(keys.WORKERS, {"adopted": 0, "odd": -1.5})

    assert register.expired(NOW) == {
        "silent": End.SILENT,
        "ended": End.ENDED,
        "frozen": End.FROZEN,
        "adopted": End.SILENT,
        "odd": End.SILENT,
    }


def test_a_name_that_is_no_workers_is_removed_from_the_register(redis: Redis) -> None:
    redis.zadd(keys.WORKERS, {b"caf\xe9": 1, b"host:1:a": 1, b"caf\xc3\xa9": to_ms(NOW)})

    assert WorkerRegister(redis).expired(NOW) == {"host:1:a": End.SILENT}

    assert redis.zrange(keys.WORKERS, 0, -1) == [b"host:1:a", b"caf\xc3\xa9"]


def test_a_dead_worker_is_forgotten_when_none_of_its_jobs_is_left(redis: Redis) -> None:
    register = WorkerRegister(redis)
    register.beat(NAME, now=NOW, seconds=0)
    redis.hset(keys.RUNNING + NAME, "1", 1)
    redis.hset(keys.IN_PROGRESS + NAME, "1", "default\n{}")
    later = NOW + timedelta(milliseconds=1)

    assert not register.forget(NAME, later)
    redis.delete(keys.IN_PROGRESS + NAME)
    assert not register.forget(NAME, NOW)  # it is alive
    assert register.forget(NAME, later)

    assert redis.keys("*") == []
    assert not register.forget(NAME, later)
