"""`pause`, `resume`, `history` and `why`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from redis import Redis

from clock.errors import ClockError
from clock.store import pauses
from clock.store.holding import Push
from clock.store.ledger import Decision, RedisLedger
from clock.store.pauses import ALL
from clock.timetable import load

Command = Callable[..., Result]

FILE = """
from clock import configure, every
configure(tz="America/New_York")
every().day.at("01:30").do(print).named("nightly")
"""
ANCHOR = 1_767_225_600_000  # 2026-01-01 00:00 UTC
FIRST_NOVEMBER = 1_793_511_000_000  # 2026-11-01 01:30 in New York, the first of the two


@pytest.fixture(autouse=True)
def ledger(application: Path, redis: Redis) -> RedisLedger:
    """The ledger of a clock that has fired once, on the night on which clocks are put back."""
    (application / "lib").mkdir()
    (application / "lib" / "clock.py").write_text(FILE)
    ledger = RedisLedger(redis)
    event = load("lib/clock.py").event("nightly")
    [entry] = ledger.declare([("nightly", event.declaration)], ANCHOR)
    detail = {"late_ms": 3, "host": "web1", "release": "v42", "jobs": 1, "jids": ["a1b2"]}
    decision = Decision(
        "nightly", event.declaration, entry.decided_ms, FIRST_NOVEMBER, "fired", detail, [Push("{}", "low")]
    )
    ledger.commit([decision])
    return ledger


def test_why_tells_what_became_of_a_due_instant(clock: Command) -> None:
    result = clock("why", "nightly", "2026-11-01 01:30")

    assert result.exit_code == 0
    assert "2026-11-01 01:30: the zone's clocks are put back, so that it occurs twice" in result.output
    assert (
        "2026-11-01 01:30:00 EDT: fired; looked at 3 ms late; 1 jobs: a1b2; by web1, release v42" in result.output
    )
    assert "2026-11-01 01:30:00 EST: it is not due then" in result.output


def test_why_tells_that_an_event_is_not_due_then_and_when_it_is(clock: Command) -> None:
    result = clock("why", "nightly", "2026-11-02 07:00")

    assert "2026-11-02 07:00:00 EST: it is not due then: " in result.output
    assert "it is due next after that at 2026-11-03 01:30:00 EST" in result.output


def test_why_tells_that_clocks_are_put_forward(clock: Command) -> None:
    assert (
        "2027-03-14 02:30: the zone's clocks are put forward over this time"
        in clock("why", "nightly", "2027-03-14 02:30").output
    )


def test_why_tells_when_the_declaration_was_first_seen(clock: Command) -> None:
    assert (
        "this declaration was first seen at 2025-12-31 19:00:00 EST"
        in clock("why", "nightly", "2025-12-01").output
    )


def test_why_refuses_what_is_no_time(clock: Command) -> None:
    with pytest.raises(ClockError, match=r"'tomorrow' is no time; ask for '2026-11-01 01:30'"):
        clock("why", "nightly", "tomorrow")


def test_history_tells_the_records_oldest_first_and_as_json(clock: Command, ledger: RedisLedger) -> None:
    text, data = clock("history", "nightly"), clock("history", "nightly", "--json")

    assert text.output.startswith("2026-11-01 01:30:00 EDT: fired")
    [record] = json.loads(data.output)
    assert (record["decision"], record["due"], record["jids"]) == ("fired", FIRST_NOVEMBER, ["a1b2"])


def test_history_of_an_unknown_event_names_the_near_one(clock: Command) -> None:
    with pytest.raises(ClockError, match="did you mean 'nightly'"):
        clock("history", "nightli")


def test_an_event_is_paused_with_who_why_and_until_when_and_resumed(clock: Command, redis: Redis) -> None:
    paused = clock("pause", "nightly", "--until", "2h", "--by", "Ada", "--note", "mail moves")

    made = pauses.read(redis)["nightly"]
    assert paused.output.startswith("Paused 'nightly' from ")
    assert (made.by, made.note) == ("Ada", "mail moves")
    assert made.until_ms is not None
    assert made.until_ms - made.from_ms == 7_200_000
    assert clock("resume", "nightly").output == "Resumed 'nightly'\n"
    assert clock("resume", "nightly").output == "'nightly' was not paused\n"
    assert not pauses.read(redis)["nightly"].covers(made.until_ms - 1)


def test_the_whole_clock_is_paused_until_an_instant(clock: Command, redis: Redis) -> None:
    result = clock("pause", "--all", "--until", "2099-01-01 08:00")

    assert "the whole clock" in result.output
    assert "until 2099-01-01 08:00:00 EST" in result.output
    assert pauses.read(redis)[ALL].until_ms is not None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nightly", "--until", "yesterday"], "--until 'yesterday': a time is wanted"),
        (["nightly", "--until", "2020-01-01"], "--until '2020-01-01' is past"),
        (["nope"], "no event is named 'nope'"),
    ],
)
def test_a_pause_that_cannot_be_is_refused(clock: Command, words: list[str], told: str) -> None:
    with pytest.raises(ClockError, match=told):
        clock("pause", *words)


def test_a_pause_is_of_an_event_or_of_all(clock: Command) -> None:
    assert clock("pause").exit_code == 2
    assert clock("pause", "nightly", "--all").exit_code == 2
