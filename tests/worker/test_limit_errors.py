"""Errors inside the scripts that move jobs with limits: a key of a wrong type, and a server without memory.

No job is lost or doubled, and after the check of the places no limit is wrong.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from redis import Redis

from clock.clocks import to_ms
from clock.errors import ClockError
from clock.store import keys, scripts
from clock.store.jobs.flow import batches, limit_holders, unique_locks
from clock.store.jobs.flow.unique_locks import Lock, LockedPush
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.moves import CannotMove, Claimed, Move
from clock.store.jobs.results import Ending
from tests.limited import by_limits, violations
from tests.worker.test_limit_orders import everywhere, jid

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)
LATE = datetime(2286, 1, 1, tzinfo=UTC)
MEMORY = "no memory"
LISTS = ("queue:default",)
BROKEN = (
    *(keys.LIMITS, keys.LIMIT_HOLDERS, keys.LIMIT_RESERVED, keys.BLOCKED, keys.FREED, keys.LIMIT_TURN),
    *(keys.RATES, keys.RATE_SLOTS, keys.RATE_STARTS, keys.SCHEDULE, keys.RETRY, keys.DEAD, keys.WORKERS),
    *(keys.STAT_PROCESSED, keys.OVERLAPS, keys.CANCELLED, *LISTS, MEMORY),
)
Call = Callable[[Redis, InProgress, list[Claimed]], object]


def claim(_: Redis, worker: InProgress, jobs: list[Claimed]) -> object:
    return worker.claim(["default"], 5, done=(), now=NOW, expires_seconds=60.0)


def acknowledge(_: Redis, worker: InProgress, jobs: list[Claimed]) -> object:
    return worker.claim(["default"], 5, done=(), limited=by_limits(jobs), now=NOW, expires_seconds=60.0)


def retry(_: Redis, worker: InProgress, jobs: list[Claimed]) -> object:
    return worker.set_aside(jobs[0], jobs[0].payload.decode(), where=keys.RETRY, score=5.0, now=NOW)


def put_back(_: Redis, worker: InProgress, jobs: list[Claimed]) -> object:
    return worker.put_back(Move(job, "queue", job.queue, job.payload) for job in jobs)


def set_maximum(redis: Redis, _: InProgress, jobs: list[Claimed]) -> object:
    return limit_holders.set_maximum(redis, "a", 4)


def push(redis: Redis, numbers: Iterable[int]) -> None:
    for number in numbers:
        row: dict[str, Any] = {"limits": [{"name": "a", "max": 2}]}
        if number % 2:
            row["rates"] = [{"name": "r", "count": 50, "per": 1000, "weight": 1, "window": number % 4 == 1}]
        row |= {"class": "SomeJob", "args": [], "jid": f"j{number}", "queue": "default"}
        redis.lpush("queue:default", json.dumps(row, separators=(",", ":")))


def broken(redis: Redis, key: str) -> Iterator[None]:
    """Break a key, or take the server's memory, and undo that."""
    if key == MEMORY:
        redis.config_set("maxmemory", 1)
        yield
        redis.config_set("maxmemory", 0)
        return
    saved: Any = redis.dump(key)
    redis.delete(key)
    redis.rpush(key, "x") if key not in LISTS else redis.set(key, "x")
    yield
    redis.delete(key)
    if saved is not None:
        redis.restore(key, 0, saved)


@pytest.mark.parametrize("call", [claim, acknowledge, retry, put_back, set_maximum])
def test_an_error_inside_a_script_loses_no_job_and_leaves_no_place(redis: Redis, call: Call) -> None:
    for key in BROKEN:
        redis.flushdb()
        push(redis, range(8))
        worker = InProgress(redis, "host:1:abc")
        jobs = worker.claim(["default"], 5, done=(), now=NOW, expires_seconds=60.0)
        push(redis, range(8, 16))

        for _ in broken(redis, key):
            with suppress(ClockError, CannotMove):
                call(redis, worker, jobs)
        limit_holders.heal(redis, now=LATE)

        found = sorted(map(jid, everywhere(redis)))
        ended = {jid(job.payload) for job in jobs} if call is acknowledge else set()
        assert set(found) | ended == {f"j{number}" for number in range(16)}, key
        assert len(found) == len(set(found)), key
        assert violations(redis) == [], key


def places_of_a(redis: Redis) -> int:
    [(held, _)] = limit_holders.counts(redis, ["a"])
    return held


@pytest.mark.parametrize("end", ["own", "foreign", "kept", "retried", "put back"])
def test_a_queue_whose_name_looks_like_a_payload_keeps_no_place(redis: Redis, end: str) -> None:
    separators = (" , ", ": ") if end == "foreign" else (",", ":")
    row = {"limits": [{"name": "a", "max": 2}], "class": "SomeJob", "args": [], "jid": "j1"}
    redis.lpush("queue:{mail}", json.dumps(row, separators=separators))
    worker = InProgress(redis, "host:1:abc")
    [job] = worker.claim(["{mail}"], 5, done=(), now=NOW, expires_seconds=60.0)
    assert places_of_a(redis) == 1
    assert violations(redis) == []

    if end == "kept":
        worker.finish(job, Ending(how="done"), now=NOW)
    elif end == "retried":
        retry(redis, worker, [job])
    elif end == "put back":
        put_back(redis, worker, [job])
    else:
        limited = by_limits([job]) if end == "own" else {b"": [job.number]}
        worker.claim([], 0, done=(), limited=limited, now=NOW, expires_seconds=60.0)

    assert places_of_a(redis) == 0


@pytest.mark.parametrize("indent", [None, 1])
def test_the_end_of_a_job_in_such_a_queue_ends_its_batch(redis: Redis, indent: int | None) -> None:
    row = {"class": "SomeJob", "args": [], "jid": "j1", "bid": "b"}
    push = LockedPush(Lock("", "j1", bid="b"), "{mail}", json.dumps(row, indent=indent), None)
    batches.open_batch(redis, "b", batches.Batch(), now=NOW)
    unique_locks.push(redis, [push], now_ms=to_ms(NOW))
    batches.seal(redis, "b", now=NOW)
    worker = InProgress(redis, "host:1:abc")
    [job] = worker.claim(["{mail}"], 5, done=(), now=NOW, expires_seconds=60.0)
    assert list(batches.pending(redis))

    worker.finish(job, Ending(how="done"), now=NOW)

    assert list(batches.pending(redis)) == []


@pytest.mark.parametrize("cause", [keys.BLOCKED, keys.SCHEDULE, "an error"])
def test_a_job_that_cannot_wait_elsewhere_takes_its_place(
    redis: Redis, cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = [{"name": "r", "count": 1, "per": 60_000, "weight": 1}]
    rules: dict[str, Any] = {"limits": [{"name": "a", "max": 9 if cause == keys.SCHEDULE else 1}]}
    rules |= {"rates": rates} if cause == keys.SCHEDULE else {}
    for number in range(2):
        redis.lpush("queue:default", json.dumps({**rules, "class": "SomeJob", "args": [], "jid": f"j{number}"}))
    if cause == "an error":
        read = scripts.source
        broken_text = ("redis.pcall('INCR', K.turn)", "error('no memory')")
        monkeypatch.setattr(scripts, "source", lambda name: read(name).replace(*broken_text))
    else:
        redis.set(cause, "x")
    worker = InProgress(redis, "host:1:abc")

    first, second = worker.claim(["default"], 5, done=(), now=NOW, expires_seconds=60.0)

    assert places_of_a(redis) == 2
    worker.claim([], 0, done=(), limited=by_limits([second]), now=NOW, expires_seconds=60.0)
    assert places_of_a(redis) == 1
    worker.claim([], 0, done=(), limited=by_limits([first]), now=NOW, expires_seconds=60.0)
    assert places_of_a(redis) == 0
