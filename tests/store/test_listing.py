"""Reading what Redis holds, for people."""

from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from clock.config import Config
from clock.store import keys, listing
from clock.store.ledger.entry import Entry, LedgerRow
from clock.store.listing import Sizes
from clock.store.server.opening import connected
from clock.store.server.shards import every
from clock.store.wrong_type import WrongType
from tests.store.jobs.calls import calls


@pytest.fixture
def home(redis: Redis, redis_url: str) -> Iterator[Redis]:
    """The home of an application with two shards, its own place included."""
    found = connected(Config(redis=redis_url, namespace="shop", shards=2), 3)
    yield found
    for place in every(found):
        place.close()


def numbered(count: int) -> list[bytes]:
    return [b"%04d" % number for number in range(count)]


def test_the_ends_of_queues_are_their_sizes_and_next_jobs(redis: Redis) -> None:
    redis.lpush("queue:mail", "first", "second")
    redis.set("queue:bad", "foreign")

    assert listing.queue_ends(redis, ["mail", "bad", "none"]) == [(2, b"first"), None, (0, None)]
    assert listing.queue_ends(redis, []) == []


@pytest.mark.parametrize(("count", "pages"), [(0, 1), (15, 1), (16, 2), (17, 2), (79, 2), (80, 3), (300, 4)])
def test_all_jobs_of_a_place_are_read_once_page_by_page(redis: Redis, count: int, pages: int) -> None:
    if count:
        redis.lpush("queue:mail", *numbered(count))
        redis.zadd("retry", {job: place for place, job in enumerate(numbered(count))})
    redis.config_resetstat()

    assert list(listing.queue_payloads(redis, "mail")) == numbered(count)
    assert list(listing.waiting(redis, "retry")) == [(job, place) for place, job in enumerate(numbered(count))]

    assert (calls(redis, "lrange"), calls(redis, "zrange")) == (pages, pages)


def test_names_and_sizes_of_all_shards_are_added_up(home: Redis) -> None:
    for number, place in enumerate(every(home), 1):
        place.sadd(keys.QUEUES, "mail", f"only-{number}")
        for where, count in ((keys.SCHEDULE, 1), (keys.RETRY, 2), (keys.DEAD, 3)):
            place.zadd(where, dict.fromkeys(map(str, range(count * number)), 0))
        place.mset({keys.STAT_PROCESSED: 10 * number, keys.STAT_FAILED: 100 * number})
        place.mset({f"{keys.STAT_PROCESSED}:2026-11-24": number, f"{keys.STAT_FAILED}:2026-11-23": number})
        place.sadd(keys.PARKED, "AJob", f"Job{number}", "NoneJob")
        for name in ("AJob", f"Job{number}"):
            place.lpush(keys.PARKED_JOBS + name, *["{}"] * number)

    assert listing.queue_names(home) == ["mail", "only-1", "only-2"]
    assert listing.sizes(home) == Sizes(schedule=3, retry=6, dead=9, processed=30, failed=300)
    assert [listing.size(home, where) for where in (keys.SCHEDULE, keys.RETRY, keys.DEAD)] == [3, 6, 9]
    assert listing.days(home, ["2026-11-24", "2026-11-23"]) == [(3, 0), (0, 3)]
    assert listing.days(home, []) == []
    assert listing.parked(home) == {"AJob": 3, "Job1": 1, "Job2": 2}


def test_values_of_other_programs_count_as_nothing(redis: Redis) -> None:
    for key in (keys.SCHEDULE, keys.QUEUES, keys.PARKED, keys.PROCESSES, keys.WORKERS):
        redis.set(key, "foreign")
    redis.mset({keys.STAT_PROCESSED: "junk", f"{keys.STAT_PROCESSED}:2026-11-24": "junk"})
    redis.zadd(keys.RETRY, {"a": 1})
    redis.lpush("list", "x")

    assert listing.sizes(redis) == Sizes(0, 1, 0, 0, 0)
    assert listing.queue_names(redis) == listing.registered(redis) == []
    assert [listing.parked(redis), listing.processes(redis), listing.work(redis)] == [{}, {}, {}]
    assert listing.holders(redis) == (set(), set())
    assert listing.days(redis, ["2026-11-24"]) == [(0, 0)]
    redis.delete(keys.RETRY)
    redis.mset({keys.RETRY: "foreign", keys.DEAD: "foreign"})
    assert listing.sizes(redis) == Sizes(0, 0, 0, 0, 0)
    redis.mset({"one": 7, "minus": -1, "text": "x"})
    assert listing.counters(redis, ["one", "minus", "text", "list", "none"]) == [7, 0, 0, 0, 0]


def test_heartbeats_and_busy_threads_are_read_by_worker_also_in_sidekiqs_older_form(home: Redis) -> None:
    first, second = every(home)
    first.sadd(keys.PROCESSES, "new", "silent")
    second.sadd(keys.PROCESSES, "old")
    first.hset("new", mapping={b"info": b"caf\xe9"})
    first.hset(keys.work("new"), "t1", "{}")
    first.hset(keys.workers("new"), "not", "read")
    second.hset(keys.workers("old"), "t3", "{3}")

    assert listing.processes(home) == {"new": {"info": "caf\ufffd"}, "silent": {}, "old": {}}
    assert listing.work(home) == {"new": {"t1": b"{}"}, "silent": {}, "old": {"t3": b"{3}"}}
    second.hset(keys.work("new"), "t2", "{2}")
    assert listing.work(home, ["old", "new"]) == {"old": {"t3": b"{3}"}, "new": {"t1": b"{}", "t2": b"{2}"}}
    assert listing.work(home, []) == {}


def test_workers_that_hold_jobs_and_those_on_the_register_are_found(redis: Redis) -> None:
    for number in range(3):
        redis.hset(f"{keys.IN_PROGRESS}host:1:a", str(number), "x")
    redis.hset(f"{keys.IN_PROGRESS}gone:1:a", "1", "x")
    redis.set(f"{keys.IN_PROGRESS}odd", "foreign")
    redis.zadd(keys.WORKERS, {"host:1:a": 5, "idle:1:a": 4})

    assert listing.holders(redis) == ({"host:1:a", "gone:1:a", "odd"}, {"host:1:a", "idle:1:a"})
    assert listing.registered(redis) == ["idle:1:a", "host:1:a"]
    assert listing.in_progress_sizes(redis) == {"gone:1:a": 1, "host:1:a": 3, "idle:1:a": 0, "odd": 0}


def enter(redis: Redis, event: str, **fields: Any) -> None:
    names = {
        "anchor": keys.LEDGER_ANCHOR,
        "declaration": keys.LEDGER_DECLARATION,
        "decided": keys.LEDGER_DECIDED,
        "counted": keys.LEDGER_COUNTED,
    }
    for field, value in fields.items():
        redis.hset(names[field], event, value)


def test_the_ledger_is_read_without_broken_entries_which_are_named(redis: Redis) -> None:
    enter(redis, "good", anchor=5, declaration="daily", decided=7, counted="1,2")
    enter(redis, "plain", anchor=6, declaration="hourly", decided=8)
    enter(redis, "no-anchor", declaration="daily", decided=7)
    enter(redis, "no-declaration", anchor=5, decided=7)
    enter(redis, "odd-decided", anchor=5, declaration="daily", decided="soon")

    rows = {"good": LedgerRow("daily", Entry(5, 7, "1,2")), "plain": LedgerRow("hourly", Entry(6, 8, ""))}
    assert listing.ledger(redis) == rows
    assert {name: listing.ledger_row(redis, name) for name in ("good", "plain", "odd-decided", "none")} == {
        **rows,
        "odd-decided": None,
        "none": None,
    }
    assert listing.ledger_size(redis) == 4
    assert listing.broken_entries(redis) == ["no-anchor", "no-declaration", "odd-decided"]


def test_events_that_left_the_clock_file_are_read_with_the_time(redis: Redis) -> None:
    redis.hset(keys.LEDGER_ORPHANED, mapping={"old": 5, "odd": "soon", b"caf\xe9": 7})

    assert listing.orphaned(redis) == {"old": 5, "odd": 0, "caf\\xe9": 7}


@pytest.mark.parametrize(
    ("key", "read"),
    [
        (keys.LEDGER_DECIDED, listing.ledger),
        (keys.LEDGER_DECLARATION, lambda redis: listing.ledger_row(redis, "a")),
        (keys.LEDGER_DECLARATION, listing.ledger_size),
        (keys.LEDGER_ANCHOR, listing.broken_entries),
        (keys.LEDGER_ORPHANED, listing.orphaned),
    ],
)
def test_a_ledger_of_a_wrong_type_is_named(redis: Redis, key: str, read: Any) -> None:
    redis.set(key, "foreign")

    with pytest.raises(WrongType, match=f"the key {key} is not a hash"):
        read(redis)


def test_the_latest_decision_of_each_event_is_read(redis: Redis) -> None:
    redis.xadd(f"{keys.HISTORY}a", {"entry": '{"decision": "missed", "due": 4}'})
    redis.xadd(f"{keys.HISTORY}a", {"entry": '{"decision": "fired", "due": 5}'})
    redis.xadd(f"{keys.HISTORY}b", {"entry": "no json"})
    redis.set(f"{keys.HISTORY}c", "foreign")

    found = listing.latest_decisions(redis, ["a", "b", "c", "none"])

    assert found == [{"decision": "fired", "due": 5}, None, None, None]


def test_a_setting_of_the_server_is_a_text_or_unknown(redis: Redis) -> None:
    assert listing.server_setting(redis, "maxmemory") == "0"
    assert listing.server_setting(redis, "no-such-setting") is None
    assert "redis_version" in listing.server(redis)
