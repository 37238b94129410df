"""Contents of the clock's keys that no clock has written: the commands go on, and name a key of another type."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from redis import Redis

from clock.errors import ClockError
from clock.store import keys
from clock.store.ledger.decision import Decision, DecisionKind
from clock.store.ledger.ledger import RedisLedger
from clock.timetable import load
from tests.examples import few_every_day

Command = Callable[..., Result]

FILE = """
from clock import configure, every
configure(tz="UTC")
every().day.at("01:30").do(print).named("odd")
every().day.at("01:30").do(print).named("other")
"""
START = 1_767_225_600_000  # 2026-01-01 00:00 UTC
DUE = START + 5_400_000
VALUES: list[Any] = ["", "x", "[]", "{}", "7", "-1", "1e400", "1" + "0" * 20, "null", b"\xff\xfe", "[" * 5_000]
COMMANDS = [
    ["list"],
    ["list", "--json"],
    ["status"],
    ["status", "--json"],
    ["why", "other", "2026-01-01"],
    ["why", "odd", "2026-01-01"],
    ["history", "odd"],
    ["history", "odd", "--json"],
    ["history"],
    ["pause", "other", "--until", "1h"],
    ["resume", "other"],
    ["fire", "odd"],
    ["doctor"],
]
HASHES = [
    keys.LEDGER_ANCHOR,
    keys.LEDGER_DECLARATION,
    keys.LEDGER_DECIDED,
    keys.LEDGER_COUNTED,
    keys.LEDGER_ORPHANED,
    keys.LEDGER_RENAMED,
    keys.PAUSED,
    keys.LEASE,
    keys.NEXT_DUE,
]
RECORDS = ["x", "[]", "7", "{}", '{"decision": 1, "due": "x"}', '{"decision": "fired", "due": 1e30}', b"\xff"]


@pytest.fixture(autouse=True)
def ledger(application: Path, redis: Redis) -> RedisLedger:
    (application / "lib").mkdir()
    (application / "lib" / "clock.py").write_text(FILE)
    ledger = RedisLedger(redis)
    for name in ("odd", "other"):
        declaration = load("lib/clock.py").event(name).declaration
        [entry] = ledger.declare([(name, declaration)], START)
        made = Decision(name, declaration, entry.decided_ms, DUE, DecisionKind.FIRED, {"jids": ["0a"], "jobs": 1})
        ledger.commit([made])
    return ledger


def spoil_fields(redis: Redis, value: Any) -> None:
    for key in HASHES:
        for field in ("odd", "", "due", "identity", "rank", b"\xff\xfe"):
            redis.hset(key, field, value)
    redis.zadd(keys.CLOCKS, {"web1:1:0a": 2**45})
    redis.zadd(keys.CLOCKS, {b"\xff\xfe": 2**45})
    redis.set(keys.CLOCK + "web1:1:0a", value)
    redis.xadd(keys.HISTORY + "odd", {"entry": value})
    redis.xadd(keys.HISTORY + "odd", {"other": value})
    redis.xadd(keys.OUTCOMES + "odd", {"entry": value})


@pytest.mark.parametrize("value", few_every_day(VALUES, 4), ids=lambda value: repr(value)[:12])
def test_odd_fields_end_no_command(clock: Command, redis: Redis, value: Any) -> None:
    spoil_fields(redis, value)

    for words in COMMANDS:
        clock(*words)
    assert "2026-01-01 01:30:00 UTC: ran" in clock("why", "other", "2026-01-01").output
    found = json.loads(clock("list", "--json").stdout)
    assert [view["name"] for view in found] == ["odd", "other"]


@pytest.mark.parametrize("record", RECORDS)
def test_records_that_are_none_are_passed_over(clock: Command, redis: Redis, record: Any) -> None:
    redis.xadd(keys.HISTORY + "odd", {"entry": record})
    redis.xadd(keys.OUTCOMES + "odd", {"entry": record})

    assert clock("history", "odd").output.count(": ran") == 1
    assert json.loads(clock("list", "--json").output)[0]["last"] is None


def output_or_error(clock: Command, words: list[str]) -> str:
    """What a command prints, or the one line with which it fails; other exceptions are raised."""
    try:
        return clock(*words).output
    except ClockError as error:
        return str(error)


OF_ANOTHER_TYPE = [*HASHES, keys.CLOCKS, keys.HISTORY + "odd", keys.OUTCOMES + "odd"]


@pytest.mark.parametrize("key", few_every_day([*OF_ANOTHER_TYPE], 4))
def test_a_key_of_another_type_is_named_by_the_commands_that_need_it(
    clock: Command, redis: Redis, key: str
) -> None:
    redis.delete(key)
    redis.set(key, "in the way")

    outputs = [output_or_error(clock, words) for words in COMMANDS]

    if key != keys.NEXT_DUE:
        assert any(key in output for output in outputs)


def test_doctor_names_the_entries_of_the_ledger_that_are_broken(clock: Command, redis: Redis) -> None:
    redis.hset(keys.LEDGER_DECIDED, "odd", "x")

    found = clock("doctor").output

    assert "'odd'" in found
    assert "'other'" not in found


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["cancel", "x", ""], "a jid is empty"),
        (["unique", "free", ""], "the key is empty"),
        (["dead", "search", ""], "the text is empty"),
        (["mark-deploy", " "], "give a label"),
        (["batches", "--seal"], "--seal needs the id of a batch"),
        (["pause"], "give an event name or --all"),
        (["resume", "odd", "--all"], "give an event name or --all"),
        (["retry", "delete"], "select jobs by JID"),
        (["queue", "delete", "default"], "select jobs by JID"),
        (["dead", "retry", "--class", ""], "--class is empty"),
    ],
)
def test_wrong_words_are_reported_without_a_connection_to_redis(
    words: list[str], message: str, clock: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")

    refused = clock(*words)

    assert (refused.exit_code, message in refused.output) == (2, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["queue", "pause", ""], "the name of the queue is empty"),
        (["schedules", "put", "odd", "--job", "AnyJob", "--args", "{}"], "it must be a JSON list"),
    ],
)
def test_wrong_values_are_reported_without_a_connection_to_redis(
    words: list[str], message: str, clock: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")

    with pytest.raises(ClockError, match=message):
        clock(*words)
