"""Contents of the clock's keys that no clock has written affect the one event concerned, and end no clock."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from clock.store import keys
from clock.testing import FakeClock
from clock.ticker import Ticker
from clock.timetable import Timetable
from tests.examples import few_every_day

LONG = "[" * 5_000  # deeper than any parser goes
VALUES: list[Any] = [
    "",
    "x",
    "[]",
    "{}",
    "7",
    "-1",
    "1e400",
    "1" + "0" * 20,
    "null",
    b"\xff\xfe",
    "[" * 5_000,
    '{"from": []}',
]
HASHES = [
    keys.LEDGER_ANCHOR,
    keys.LEDGER_DECIDED,
    keys.LEDGER_COUNTED,
    keys.LEDGER_ORPHANED,
    keys.LEDGER_RENAMED,
    keys.PAUSED,
    keys.NEXT_DUE,
    keys.LEASE,
    keys.WATCHED + "odd",
]
FIELDS: dict[str, list[Any]] = {
    keys.PAUSED: ["odd", "", b"\xff\xfe"],
    keys.NEXT_DUE: ["event", "due"],
    keys.LEASE: ["identity", "release", "rank"],
    keys.LEDGER_ORPHANED: ["odd", "gone", b"\xff\xfe"],
    keys.LEDGER_DECLARATION: ["gone", b"\xff\xfe"],
}
CLOCK_FILE = """
every(10).seconds.do(FetchNewsJob, "x").named("odd").overlap("skip")
every(10).seconds.do(FetchNewsJob, "x").named("other")
every(10).seconds.do(note, "x", None).named("function")
every(timedelta(seconds=10), "again", if_=lambda t: True)(note)
"""


def tick_for(ticker: Ticker, clock: FakeClock, seconds: int) -> None:
    for _ in range(seconds // 5):
        clock.advance(timedelta(seconds=5))
        ticker.tick()


def fired(redis: Redis, event: str) -> int:
    """How many entries the event's history has."""
    return int(redis.xlen(keys.HISTORY + event))


@pytest.mark.parametrize("key", few_every_day([*HASHES, keys.LEDGER_DECLARATION], 3))
def test_an_odd_field_stops_neither_a_clock_that_runs_nor_one_that_starts(
    declare: Callable[..., Timetable], start: Callable[..., Ticker], redis: Redis, fake_clock: FakeClock, key: str
) -> None:
    timetable = declare("from tests.ticker.jobs import note\n", CLOCK_FILE)
    for field in FIELDS.get(key, ["odd"]):
        for value in VALUES:
            redis.flushall()
            ticker = start(timetable)
            tick_for(ticker, fake_clock, 15)
            before = fired(redis, "other")

            redis.hset(key, field, value)
            if key == keys.LEDGER_ORPHANED:
                redis.hset(keys.LEDGER_DECLARATION, field, "it has left the clock file")
            tick_for(ticker, fake_clock, 10)
            running = fired(redis, "other")
            tick_for(start(timetable), fake_clock, 20)

            assert (before, running - before) == (1, 1), (field, value)
            assert fired(redis, "other") - running >= 1, (field, value)
            assert fired(redis, "function") >= 3, (field, value)
            assert fired(redis, "again") >= 3, (field, value)


@pytest.mark.parametrize(
    "key", [keys.PAUSED, keys.NEXT_DUE, keys.LEASE, keys.WATCHED + "odd", keys.HISTORY + "odd"]
)
def test_a_key_of_another_type_stops_no_event(
    declare: Callable[..., Timetable],
    start: Callable[..., Ticker],
    redis: Redis,
    fake_clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    key: str,
) -> None:
    timetable = declare("from tests.ticker.jobs import note\n", CLOCK_FILE)
    ticker = start(timetable)
    tick_for(ticker, fake_clock, 15)

    redis.delete(key)
    redis.set(key, "in the way")
    tick_for(ticker, fake_clock, 10)
    tick_for(start(timetable), fake_clock, 10)

    assert (fired(redis, "other"), fired(redis, "function"), fired(redis, "again")) == (3, 3, 4)
    assert redis.llen("queue:default") >= 4
    if key not in (keys.NEXT_DUE, keys.LEASE):  # the first is replaced, the second the leader's
        assert key in caplog.text
