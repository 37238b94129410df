"""The locks of unique jobs as Redis has them: who gets one, and which are checked."""

import logging
from collections.abc import Mapping
from contextlib import closing, nullcontext
from datetime import datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from clock.clocks import from_ms
from clock.errors import StoreError, StoreUnavailable
from clock.store import keys
from clock.store.jobs.flow import batches, unique_locks
from clock.store.jobs.flow.batches import Batch
from clock.store.jobs.flow.unique_locks import CHECKED_AFTER_MS, HeldLock, Lock, LockedPush, free, held, push
from clock.store.server.connection import connect
from tests.store.jobs.calls import calls
from tests.store.talking import serving

NOW_MS = 1_795_500_000_000
NOW = from_ms(NOW_MS)


def unique(
    jid: str, key: str = "feed", queue: str = "default", at: float | None = None, **more: Any
) -> LockedPush:
    lock = Lock(key, jid, **more)
    return LockedPush(lock, queue, f'{{"jid": "{jid}"}}', at)


def rows(redis: Redis, queue: str = "default") -> Any:
    return redis.lrange(f"queue:{queue}", 0, -1)


def test_each_job_goes_to_its_own_queue_or_to_the_schedule_if_it_gets_its_lock(redis: Redis) -> None:
    pushes = [
        unique("a", "1", "low"),
        unique("b", "2", "high"),
        unique("c", "1", "high"),
        unique("d", "3", "low", 1_795_500_060.5),
        unique("e", "4", "low"),
    ]

    push(redis, pushes, now_ms=NOW_MS)

    assert [one.lock.holder for one in pushes] == ["", "", "a", "", ""]
    assert rows(redis, "low") == [b'{"jid": "e"}', b'{"jid": "a"}']
    assert rows(redis, "high") == [b'{"jid": "b"}']
    assert redis.zrange(keys.SCHEDULE, 0, -1, withscores=True) == [(b'{"jid": "d"}', 1_795_500_060.5)]
    assert redis.smembers(keys.QUEUES) == {b"low", b"high"}


def test_the_locks_are_listed_with_the_time_of_their_push_and_the_end_of_their_window(redis: Redis) -> None:
    push(redis, [unique("a", "1"), unique("b", "2", window_ms=5_000)], now_ms=NOW_MS)
    redis.hset(keys.UNIQUE, mapping={"3": "no lock", "4": "a|123456789012345|0", "5": "a|1|123456789012345"})

    locks = {
        "1": HeldLock("1", "a", NOW, None),
        "2": HeldLock("2", "b", NOW, NOW + timedelta(seconds=5)),
    }
    assert {lock.key: lock for lock in held(redis)} == locks
    assert list(held(redis, ["2", "none", "3", "1"])) == [locks["2"], locks["1"]]


def test_a_key_of_another_program_holds_no_locks(redis: Redis) -> None:
    redis.set(keys.UNIQUE, "foreign")

    assert list(held(redis)) == list(held(redis, ["a"])) == []


@pytest.mark.parametrize(("age_ms", "is_checked"), [(CHECKED_AFTER_MS, False), (CHECKED_AFTER_MS + 1, True)])
def test_a_lock_in_the_way_is_checked_when_it_is_older_than_a_minute(
    redis: Redis, age_ms: int, is_checked: bool
) -> None:
    push(redis, [unique("gone", "1"), unique("gone2", "2")], now_ms=NOW_MS)
    redis.delete("queue:default")
    again, firing = unique("a", "1"), unique("b", "2")

    push(redis, [again], now_ms=NOW_MS + age_ms)
    pushed = unique_locks.push_kept_out(redis, [firing], now_ms=NOW_MS + age_ms)

    assert CHECKED_AFTER_MS == 60_000
    assert again.lock.holder == ("" if is_checked else "gone")
    assert pushed == (["b"] if is_checked else [])
    assert len(rows(redis)) == (2 if is_checked else 0)


def test_a_lock_whose_job_was_found_is_not_checked_again_for_a_minute(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(redis, [unique("lives")], now_ms=NOW_MS)
    searched: list[set[str]] = []
    search = unique_locks.gone

    def noted(redis: Redis, jids: list[str], **more: Any) -> set[str]:
        searched.append(set(jids))
        return search(redis, jids, **more)

    monkeypatch.setattr(unique_locks, "gone", noted)
    for later_ms in (60_001, 120_001, 120_002):
        push(redis, [unique("a")], now_ms=NOW_MS + later_ms)

    assert searched == [{"lives"}, {"lives"}]
    assert [lock.since for lock in held(redis)] == [NOW + timedelta(milliseconds=120_002)]


def test_the_window_of_a_lock_is_not_ended_by_a_check(redis: Redis) -> None:
    push(redis, [unique("a", window_ms=3_600_000)], now_ms=NOW_MS)
    redis.delete("queue:default")
    late = unique("b")

    push(redis, [late], now_ms=NOW_MS + 70_000)

    assert late.lock.holder == "a"
    assert unique_locks.push_kept_out(redis, [late], now_ms=NOW_MS + 70_000) == []
    assert [lock.since for lock in held(redis)] == [NOW]


def test_a_check_that_finds_the_job_changes_neither_a_window_nor_the_lock_of_another_job(redis: Redis) -> None:
    push(redis, [unique("a", "1", window_ms=3_600_000), unique("b", "2")], now_ms=NOW_MS)
    before = list(held(redis))

    push(redis, [unique("c", "1")], now_ms=NOW_MS + 70_000)
    unique_locks.heal(redis, {"2": "a"}, now=NOW + timedelta(hours=1))

    assert list(held(redis)) == before


def test_a_push_counts_by_the_time_of_redis_unless_it_is_given(redis: Redis) -> None:
    push(redis, [unique("a", "1"), unique("b", "2", at=5.0)])

    seconds, _ = redis.time()
    assert [abs(lock.since.timestamp() - seconds) < 60 for lock in held(redis)] == [True, True]


def test_only_locks_that_their_job_holds_are_freed(redis: Redis) -> None:
    push(redis, [unique("a", "1"), unique("b", "2"), unique("c", "3", window_ms=60_000)], now_ms=NOW_MS)

    assert free(redis, [("1", "a"), ("2", "x"), ("3", "c"), ("4", "d")]) == [("1", "a")]
    assert free(redis, []) == []
    assert {lock.key for lock in held(redis)} == {"2", "3"}


def test_a_lock_is_freed_by_hand_with_its_window(redis: Redis) -> None:
    push(redis, [unique("a", window_ms=60_000), unique("b", "plain")], now_ms=NOW_MS)

    assert unique_locks.drop(redis, "plain")
    assert unique_locks.drop(redis, "feed")
    assert not unique_locks.drop(redis, "feed")
    assert not redis.exists(keys.UNIQUE_WINDOWS)


def test_the_jobs_that_are_nowhere_are_found_also_if_there_are_many_places(redis: Redis) -> None:
    redis.zadd(keys.SCHEDULE, {'{"jid": "delayed"}': 99 * 366 * 86_400})
    names = [f"queue-{number:03}" for number in range(20)]
    redis.sadd(keys.QUEUES, *names)
    for name in names:
        redis.rpush(f"queue:{name}", *['{"jid": "x"}'] * 600, f'{{"jid": "{name}"}}')

    long = [f'{{"jid": "x{at}", "enqueued_at": {NOW_MS + at}}}' for at in range(3_000)]
    redis.sadd(keys.QUEUES, "long")
    redis.lpush("queue:long", *long)
    jids = ["delayed", "queue-000", "queue-019", "x1500", "lost-1", "lost-2"]

    missing = unique_locks.gone(redis, jids, now=NOW, within=60)

    assert missing == {"lost-1", "lost-2"}


@pytest.mark.parametrize("durable", [0, 1])
def test_a_durable_push_fails_if_no_replica_confirms_it(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, durable: int
) -> None:
    monkeypatch.setattr(unique_locks, "WAIT_MS", 1)
    one = unique("a")._replace(durable=durable)
    redis.config_resetstat()

    with pytest.raises(StoreUnavailable, match="0 of 1 confirmed it") if durable else nullcontext():
        push(redis, [one, unique("b", "2")])

    assert calls(redis, "wait") == durable
    assert len(rows(redis)) == 2


def test_a_durable_push_succeeds_if_a_replica_confirms_it() -> None:
    answers = {
        b"INFO": b"$21\r\nredis_version:7.4.0\r\n\r\n",
        b"SCRIPT": b"*1\r\n:1\r\n",
        b"EVALSHA": b"*1\r\n$9\r\nold|10|20\r\n",
        b"WAIT": b":1\r\n",
    }
    one = unique("a")

    with (
        serving(lambda words: answers.get(words[0], b"+OK\r\n")) as url,
        closing(connect(url, durable=1)) as redis,
    ):
        push(redis, [one])

    assert one.lock.holder == "old"


def test_a_jid_with_a_bar_is_named_as_the_holder(redis: Redis) -> None:
    push(redis, [unique("a|b")], now_ms=NOW_MS)
    again = unique("c")

    push(redis, [again], now_ms=NOW_MS)

    assert again.lock.holder == "a|b"


def test_a_search_without_time_finds_nothing_missing(redis: Redis) -> None:
    assert unique_locks.gone(redis, ["lost"], now=NOW, within=0) == set()
    assert unique_locks.gone(redis, [], now=NOW, within=60) == set()


def test_healing_frees_the_locks_of_missing_jobs_only_and_counts_them(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    push(redis, [unique("lives", "1")], now_ms=NOW_MS)
    redis.hset(keys.UNIQUE, mapping={"2": "gone|5|0", "3": "other|5|0"})

    healed = unique_locks.heal(redis, {"1": "lives", "2": "gone", "3": "gone3"}, now=NOW + timedelta(minutes=1))

    assert healed == {"2"}
    assert {lock.key: lock.since for lock in held(redis)} == {
        "1": NOW + timedelta(minutes=1),
        "3": from_ms(5),
    }
    assert redis.get(keys.HEALED) == b"1"
    assert caplog.messages == ["Freed the lock 2: its job gone was not found in Redis; another program removed it"]


def test_a_firing_that_is_pushed_late_is_logged_and_its_siblings_name_it(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "clock.redis")
    redis.hset(keys.UNIQUE, mapping={"1": "gone|5|0", "2": "b|5|0", "3": "young|1795500000000|0"})
    pushes = [unique("a", "1"), unique("b", "2"), unique("c", "3"), unique("d", "4"), unique("e", "1")]

    assert unique_locks.push_kept_out(redis, pushes, now_ms=NOW_MS) == ["a"]

    assert rows(redis) == [b'{"jid": "a"}']
    assert caplog.messages[-1] == "Pushed the job a late: the job that held its lock is gone"
    assert len(caplog.messages) == 2


def test_an_error_of_redis_keeps_a_firing_out_and_is_logged(
    redis: Redis, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis.hset(keys.UNIQUE, "feed", "gone|5|0")

    def fail(*_: object, **__: object) -> None:
        raise StoreError("Redis is away")

    monkeypatch.setattr(unique_locks, "gone", fail)

    assert unique_locks.push_kept_out(redis, [unique("a")], now_ms=NOW_MS) == []
    assert caplog.messages == [
        "The locks of unique jobs could not be checked; a later push checks them: Redis is away"
    ]


def test_a_job_of_a_batch_that_is_done_is_late_and_is_not_pushed(redis: Redis) -> None:
    late = unique("a", "", bid="unknown")

    push(redis, [late], now_ms=NOW_MS)

    assert late.lock.is_late
    assert late.lock.holder == ""
    assert rows(redis) == []


def test_a_job_whose_batch_ends_while_a_stale_lock_is_freed_is_late(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches.open_batch(redis, "b", Batch(), now=NOW)
    redis.hset(keys.UNIQUE, "feed", f"gone|{NOW_MS - CHECKED_AFTER_MS - 1}|0")
    late = unique("a", bid="b")
    free_stale = unique_locks.heal

    def heal(redis: Redis, locks: Mapping[str, str], *, now: datetime) -> set[str]:
        batches.seal(redis, "b", now=now)
        return free_stale(redis, locks, now=now)

    monkeypatch.setattr(unique_locks, "heal", heal)

    push(redis, [late], now_ms=NOW_MS)

    assert late.lock.is_late
    assert rows(redis) == []
