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

from clock.errors import ClockError
from clock.inspection.jobs.limits import violations
from clock.store import keys
from clock.store.jobs.flow import limit_holders
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.moves import CannotMove, Claimed, Move
from tests.limited import by_limits
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
