"""Saving the position of an iterating job pushes the jobs of its items once, or fails before it pushes any."""

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from clock.clocks import from_ms
from clock.errors import StoreError
from clock.store import keys
from clock.store.jobs.flow import unique_locks
from clock.store.jobs.flow.unique_locks import Lock
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.moves import Claimed
from clock.store.ledger.held_pushes import Push

NOON = 1_795_521_600_000
JOB = json.dumps({"class": "SomeJob", "args": [], "jid": "j1", "queue": "default"})
PLAIN, DELAYED = Push("plain", "low"), Push("delayed", "low", NOON / 1000)
UNIQUE = Push("unique", "low", lock=Lock("SomeJob:2", "j2", window_ms=1, conflict="replace"))
CHILD = Push("child", "low", lock=Lock("", "j3", bid="b"))
ALL = [PLAIN, DELAYED, CHILD, UNIQUE]


def save_three_times(redis: Redis, own: InProgress, job: Claimed, pushes: list[Push]) -> list[str]:
    """The payloads in Redis afterwards. Another job holds the lock of the unique one."""
    redis.hset("clock:in_progress:me", str(job.number), "default\n" + JOB)
    for _ in range(3):
        with contextlib.suppress(StoreError):
            own.save_position(job, JOB + " ", pushes, now=from_ms(NOON))
    waiting: Any = redis.lrange("queue:low", 0, -1) if redis.type("queue:low") == b"list" else []
    delayed: Any = redis.zrange("schedule", 0, -1) if redis.type("schedule") == b"zset" else []
    return sorted(payload.decode() for payload in [*waiting, *delayed])


def is_saved(redis: Redis) -> bool:
    return redis.hget("clock:in_progress:me", "1") == f"default\n{JOB} ".encode()


@pytest.mark.parametrize(
    ("key", "pushed"),
    [
        ("schedule", DELAYED),
        ("queue:low", PLAIN),
        ("clock:unique", UNIQUE),
        ("clock:unique_windows", UNIQUE),
        ("clock:replaced", UNIQUE),
        (keys.BATCH_CHILDREN, CHILD),
    ],
)
def test_a_key_of_the_wrong_type_pushes_nothing_and_hinders_only_jobs_that_need_it(
    redis: Redis, key: str, pushed: Push
) -> None:
    own, job = InProgress(redis, "me"), Claimed(1, "default", JOB.encode())
    redis.set(key, "junk")

    assert save_three_times(redis, own, job, ALL) == []
    assert not is_saved(redis)

    if key != "queue:low":
        others = [push for push in ALL if push is not pushed]
        assert save_three_times(redis, own, job, others) == sorted(push.payload for push in others)
        assert is_saved(redis)


def test_a_position_is_saved_although_the_locks_cannot_be_checked(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    own, job = InProgress(redis, "me"), Claimed(1, "default", JOB.encode())
    redis.hset("clock:in_progress:me", "1", "default\n" + JOB)

    def fails(*_: object) -> None:
        raise StoreError("Redis refuses it")

    monkeypatch.setattr(unique_locks, "held", fails)

    assert own.save_position(job, JOB + " ", [UNIQUE], now=from_ms(NOON))
    assert "a later push checks them: Redis refuses it" in caplog.text


@pytest.mark.parametrize("command", ["hget", "hset", "hmget", "lpush", "sadd", "time", "type", "zadd", "zscore"])
def test_a_refused_command_pushes_nothing_twice(
    redis: Redis, limited: Callable[[str], Redis], command: str
) -> None:
    redis.hset("clock:unique", "SomeJob:2", f"holder|{NOON}|0")
    own, job = InProgress(limited(command), "me"), Claimed(1, "default", JOB.encode())

    pushed = save_three_times(redis, own, job, ALL)

    assert pushed == (sorted(push.payload for push in ALL) if is_saved(redis) else [])
    assert is_saved(redis) == (command in {"hmget", "sadd"})
