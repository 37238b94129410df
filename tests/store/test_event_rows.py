"""Some events as the pages read them: entry, pauses, latest decisions, and how long their jobs take."""

import json
from collections.abc import Mapping

import pytest
from redis import Redis

from clock.clocks import from_ms
from clock.store import keys
from clock.store.ledger import event_rows, pauses
from clock.store.ledger.entry import LATEST_MS, Entry, LedgerRow
from clock.store.ledger.event_rows import CHUNK, EARLY_MS, USUAL, StoredEvent
from clock.store.ledger.pauses import ALL, Pause

NOON = 1_795_521_600_000
ROW = LedgerRow("daily", Entry(1000, 2000, "x"))
FIRED = {"decision": "fired", "due": NOON}


def outcome(jid: str = "a", took_ms: int = 3) -> dict[str, object]:
    return {"jid": jid, "outcome": "done", "at": NOON, "took_ms": took_ms}


def add(redis: Redis, key: str, at_ms: int, entry: Mapping[str, object]) -> None:
    redis.xadd(key, {"entry": json.dumps(entry)}, id=f"{at_ms}-{redis.xlen(key) + 1}")  # Redis 6.2 knows no `MS-*`


def declare(redis: Redis, *events: str) -> None:
    for event in events:
        redis.hset(keys.LEDGER_DECLARATION, event, "daily")
        redis.hset(keys.LEDGER_ANCHOR, event, 1000)
        redis.hset(keys.LEDGER_DECIDED, event, 2000)
        redis.hset(keys.LEDGER_COUNTED, event, "x")


def test_each_event_is_read_with_its_own_values(redis: Redis) -> None:
    declare(redis, "a", "b")
    redis.hdel(keys.LEDGER_ANCHOR, "b")
    for number in range(3):
        add(redis, keys.HISTORY + "a", NOON + number, {**FIRED, "due": NOON + number})
        add(redis, keys.OUTCOMES + "b", NOON + number, outcome(took_ms=number))
    add(redis, keys.HISTORY + "b", NOON, {"invalid": 1})

    found = event_rows.read(redis, ["a", "unknown", "b"], 2)

    assert found == [
        StoredEvent(ROW, {}, [{**FIRED, "due": NOON + 2}, {**FIRED, "due": NOON + 1}]),
        StoredEvent(None, {}, []),
        StoredEvent(None, {}, [], outcome(took_ms=2)),
    ]


def test_without_decisions_only_entries_and_pauses_are_read(redis: Redis) -> None:
    declare(redis, "a")
    add(redis, keys.HISTORY + "a", NOON, FIRED)
    add(redis, keys.OUTCOMES + "a", NOON, outcome())

    assert event_rows.read(redis, ["a"], 0) == [StoredEvent(ROW, {}, [])]


def test_an_event_has_its_own_pause_and_that_of_the_whole_clock(redis: Redis) -> None:
    own, whole = Pause(from_ms(1000)), Pause(from_ms(2000))
    pauses.pause(redis, "a", own)
    before = event_rows.read(redis, ["a", "b"], 0)
    pauses.pause(redis, ALL, whole)
    redis.hset(keys.PAUSED, "b", "not a pause")

    after = event_rows.read(redis, ["a", "b"], 0)

    assert [event.pauses for event in before] == [{"a": own}, {}]
    assert [event.pauses for event in after] == [{ALL: whole, "a": own}, {ALL: whole}]
    assert event_rows.read_pauses(redis, ["a", "b", "c"]) == {ALL: whole, "a": own}
    assert event_rows.read_pauses(redis, []) == {}


def test_more_events_than_one_round_trip_reads_keep_their_order(redis: Redis) -> None:
    names = [f"event {number}" for number in range(2 * CHUNK + 1)]
    declare(redis, names[0], names[CHUNK], names[-1])
    for name in (names[0], names[CHUNK], names[-1]):
        pauses.pause(redis, name, Pause(from_ms(1000)))

    found = event_rows.read(redis, names, 1)

    assert [name for name, event in zip(names, found, strict=True) if event.row] == [
        names[0],
        names[CHUNK],
        names[-1],
    ]
    assert list(event_rows.read_pauses(redis, names)) == [names[0], names[CHUNK], names[-1]]


@pytest.mark.parametrize("key", [keys.HISTORY + "a", keys.OUTCOMES + "a", keys.PAUSED, keys.LEDGER_ANCHOR])
def test_a_key_of_another_type_hides_no_other_event(redis: Redis, key: str) -> None:
    declare(redis, "a", "b")
    add(redis, keys.HISTORY + "b", NOON, FIRED)
    redis.unlink(key)
    redis.set(key, "in the way")

    first, second = event_rows.read(redis, ["a", "b"], 1)

    entry = None if key == keys.LEDGER_ANCHOR else ROW
    assert first == StoredEvent(entry, {}, [])
    assert second == StoredEvent(entry, {}, [FIRED])


@pytest.mark.parametrize("count", [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 1])
def test_all_missed_runs_are_read_the_latest_first(redis: Redis, count: int) -> None:
    redis.zadd(keys.MISSED, {f"event {n:04}": NOON + n for n in range(count)})

    found = event_rows.read_missed(redis, NOON)

    assert list(found.items()) == [(f"event {n:04}", NOON + n) for n in reversed(range(count))]


def test_missed_runs_at_no_instant_are_left_out(redis: Redis) -> None:
    redis.zadd(keys.MISSED, {"a": -1, "b": 0, "c": LATEST_MS, "d": LATEST_MS + 1, "e": float("inf")})

    assert event_rows.read_missed(redis, -1) == {"c": LATEST_MS, "b": 0}


def test_the_decisions_of_a_span_are_read_from_shortly_before_it_the_oldest_first(redis: Redis) -> None:
    for at, jid in ((NOON - EARLY_MS - 1, "z"), (NOON - EARLY_MS, "a"), (NOON, "b"), (NOON + 1, "c")):
        add(redis, keys.HISTORY + "feed", at, {**FIRED, "due": at, "jids": [jid]})
        add(redis, keys.OUTCOMES + "feed", at, outcome(jid, took_ms=1))
        add(redis, keys.OUTCOMES + "feed", at, outcome(jid, took_ms=2))

    [(records, _), (none, usual)] = event_rows.read_span(redis, ["feed", "unknown"], NOON, 10)
    [(first, _)] = event_rows.read_span(redis, ["feed"], NOON, 2)

    assert [(record["due"], list(record["outcomes"].items())) for record in records] == [
        (NOON - EARLY_MS, [("a", {"outcome": "done", "at": NOON, "took_ms": 2})]),
        (NOON, [("b", {"outcome": "done", "at": NOON, "took_ms": 2})]),
        (NOON + 1, [("c", {"outcome": "done", "at": NOON, "took_ms": 2})]),
    ]
    assert [record["due"] for record in first] == [NOON - EARLY_MS, NOON]
    assert (none, usual) == ([], 0)


def test_a_span_that_starts_at_the_epoch_is_read(redis: Redis) -> None:
    add(redis, keys.HISTORY + "feed", 1, FIRED)

    assert event_rows.read_span(redis, ["feed"], 0, 10) == [([FIRED], 0)]


def test_jobs_usually_take_the_mean_of_their_latest_outcomes(redis: Redis) -> None:
    add(redis, keys.OUTCOMES + "feed", 1, outcome(took_ms=1_000_000))
    for number in range(USUAL):
        add(redis, keys.OUTCOMES + "feed", 2 + number, outcome(took_ms=number % 2 * 7))

    [(_, usual)] = event_rows.read_span(redis, ["feed"], NOON, 10)

    assert usual == 3


def test_the_names_of_all_events_are_in_order(redis: Redis) -> None:
    declare(redis, "b", "a")

    assert event_rows.known_names(redis) == ["a", "b"]
    redis.unlink(keys.LEDGER_DECLARATION)
    assert event_rows.known_names(redis) == []
