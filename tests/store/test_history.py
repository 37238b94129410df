"""The history of an event: its decisions, each with the outcomes of its jobs, and its backfills."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from clock.clocks import from_ms, to_ms
from clock.store import keys
from clock.store.ledger import history
from clock.store.ledger.entry import LATEST_MS
from clock.store.ledger.history import LATEST, MOST_RENAMES, OUTCOME, RECORD

NOW = from_ms(1_795_521_600_000)
FIRED = {"decision": "fired", "due": 1000}
DONE = {"jid": "a", "outcome": "done", "at": 7, "took_ms": 3}


def add(redis: Redis, stream: str, *entries: Mapping[str, object]) -> None:
    for entry in entries:
        redis.xadd(stream + "feed", {"entry": json.dumps(entry)})


@pytest.mark.parametrize(
    ("record", "is_valid"),
    [
        (FIRED, True),
        ({**FIRED, "unknown": [1]}, True),
        ({"decision": "fired"}, False),
        ({"due": 1000}, False),
        ({**FIRED, "decision": 5}, False),
        ({**FIRED, "due": "1000"}, False),
        ({**FIRED, "due": True}, False),
        ({**FIRED, "due": 1.5}, False),
        ({**FIRED, "due": -LATEST_MS}, True),
        ({**FIRED, "due": LATEST_MS + 1}, False),
        ({**FIRED, "late_ms": LATEST_MS}, True),
        ({**FIRED, "late_ms": None}, False),
        ({**FIRED, "jids": ["a"]}, True),
        ({**FIRED, "jids": "a"}, False),
        ({**FIRED, "jids": ["a", 1]}, False),
        ({**FIRED, "kept_out": {"a": "b"}}, True),
        ({**FIRED, "kept_out": []}, False),
        ([FIRED], False),
        (7, False),
    ],
)
def test_a_record_has_its_fields_with_their_types(record: Any, is_valid: bool) -> None:
    assert history.decoded(json.dumps(record).encode()) == (record if is_valid else None)


@pytest.mark.parametrize("text", [None, b"", b"x", b"\xff", b"[" * 5000, b'{"decision": "fired", "due": NaN}'])
def test_a_text_that_is_no_record_is_left_out(text: bytes | None) -> None:
    assert history.decoded(text) is None


def test_text_that_is_not_utf_8_in_a_record_of_an_older_clock_is_read() -> None:
    assert history.decoded(b'{"decision": "fired", "due": 1000, "reason": "caf\\udce9"}') is not None


@pytest.mark.parametrize("outcomes", [[], 5, {"a": 5}, {"a": {}}, {"a": {"at": "x"}}])
def test_outcomes_in_a_record_of_another_program_are_left_out(redis: Redis, outcomes: object) -> None:
    add(redis, keys.HISTORY, {**FIRED, "outcomes": outcomes})

    assert list(history.read(redis, "feed")) == [FIRED]


@pytest.mark.parametrize("reason", [5, None, {"a": 1}, ["x"]])
def test_a_record_whose_reason_is_not_text_is_left_out(redis: Redis, reason: object) -> None:
    add(redis, keys.HISTORY, {**FIRED, "reason": reason}, {**FIRED, "reason": "paused"})

    assert list(history.read(redis, "feed")) == [{**FIRED, "reason": "paused"}]


@pytest.mark.parametrize("missing", OUTCOME)
def test_an_outcome_without_one_of_its_fields_is_left_out(missing: str) -> None:
    outcome = {name: value for name, value in DONE.items() if name != missing}

    assert history.decoded(json.dumps(DONE).encode(), OUTCOME) == DONE
    assert history.decoded(json.dumps(outcome).encode(), OUTCOME) is None


def test_the_newest_outcome_of_each_job_is_with_the_decision_that_pushed_it(redis: Redis) -> None:
    add(redis, keys.HISTORY, {**FIRED, "jids": ["a", "b"]}, {**FIRED, "due": 2000}, {**FIRED, "jids": ["c"]})
    add(redis, keys.OUTCOMES, {**DONE, "outcome": "retry"}, DONE, {**DONE, "jid": "x"}, {"jid": "b"})

    found = list(history.read(redis, "feed"))

    ended = {name: value for name, value in DONE.items() if name != "jid"}
    assert found == [
        {**FIRED, "jids": ["c"]},
        {**FIRED, "due": 2000},
        {**FIRED, "jids": ["a", "b"], "outcomes": {"a": ended}},
    ]
    assert list(history.read(redis, "feed", 1)) == found[:1]


@pytest.mark.parametrize(
    ("outcome", "is_failure"),
    [
        ({"outcome": "done"}, False),
        ({"outcome": "retry"}, True),
        ({"outcome": "dead"}, True),
        ({"outcome": "dropped"}, False),
        ({"outcome": "dropped", "failed": True}, True),
        ({"outcome": "dropped", "failed": 1}, False),
    ],
)
def test_a_job_failed_that_waits_for_a_retry_is_dead_or_was_dropped_for_its_error(
    outcome: dict[str, object], is_failure: bool
) -> None:
    assert history.is_failure(outcome) is is_failure


def test_an_outcome_follows_its_event_to_its_new_name_but_not_forever(redis: Redis) -> None:
    for number in range(MOST_RENAMES):
        redis.hset(keys.LEDGER_RENAMED, f"name{number}", f"name{number + 1}")
    redis.xadd(keys.HISTORY + f"name{MOST_RENAMES - 1}", {"entry": json.dumps(FIRED)})
    redis.xadd(keys.HISTORY + f"name{MOST_RENAMES}", {"entry": json.dumps(FIRED)})

    history.add_outcome(redis, "name0", "a", {"outcome": "done", "at": 7, "took_ms": 3}, ended=True)

    assert redis.xlen(keys.OUTCOMES + f"name{MOST_RENAMES - 1}") == 1
    assert redis.xlen(keys.OUTCOMES + f"name{MOST_RENAMES}") == 0

    redis.delete(keys.HISTORY + f"name{MOST_RENAMES - 1}")
    history.add_outcome(redis, "name0", "b", {"outcome": "done", "at": 8, "took_ms": 3}, ended=True)

    assert redis.xlen(keys.OUTCOMES + f"name{MOST_RENAMES}") == 0


def test_the_latest_decisions_are_known_with_the_time_of_their_commit(redis: Redis) -> None:
    for number in range(LATEST + 2):
        record = {**FIRED, "due": number}
        redis.xadd(keys.HISTORY + "feed", {"entry": json.dumps(record)}, id=f"{5000 + number}-3")
    redis.xadd(keys.HISTORY + "feed", {"other": "x"}, id="9000-0")

    found = history.committed_at(redis, "feed")

    assert found == {number: 5000 + number for number in range(3, LATEST + 2)}
    assert RECORD


def test_the_backfilled_instants_of_an_event_are_read_without_those_of_others(redis: Redis) -> None:
    members = ["1000 feed", "2000 feed", "3000 feed me", "4000 mail", "x feed", " feed", "5000"]
    redis.zadd(keys.BACKFILLED, dict.fromkeys(members, 1))

    assert history.backfilled(redis, "feed") == {1000, 2000}
    assert history.backfilled(redis, "feed me") == {3000}


def test_backfills_of_more_than_a_year_ago_are_forgotten(redis: Redis) -> None:
    year = timedelta(days=366)
    redis.zadd(keys.BACKFILLED, {"1 feed": to_ms(NOW - year), "2 feed": to_ms(NOW - year) + 1})

    history.forget_old_backfills(redis, NOW)

    assert history.backfilled(redis, "feed") == {2}
