"""What a clock does when Redis has lost the ledger, or a part of it, or holds an older one."""

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from redis import Redis

from clock.clocks import to_ms
from clock.store import keys
from clock.store.ledger.entry import Entry
from clock.store.ledger.ledger import RedisLedger
from clock.testing import FakeClock
from clock.ticker import Signature, Ticker, log_lines
from clock.ticker.lost_writes import OwnCommits
from clock.ticker.planning.due_queue import Planned
from clock.timetable import Timetable
from tests.ticker import jobs
from tests.ticker.conftest import START

LEDGER = [keys.LEDGER_ANCHOR, keys.LEDGER_DECLARATION, keys.LEDGER_DECIDED]
EVENTS = """
every(10).seconds.do(FetchNewsJob, "ten").named("ten")
every(timedelta(seconds=20), "twenty")(note)
every().minute.do(FetchNewsJob, "minute").named("minute")
"""
NOTE = "from tests.ticker.jobs import note\n"


def pushed(redis: Redis) -> list[tuple[str, int]]:
    """Event, and seconds after the start at which it was due, of each job in the queue; the queue is emptied."""
    rows: Any = redis.lrange("queue:default", 0, -1)
    redis.delete("queue:default")
    fields = [json.loads(row)["clock"] for row in reversed(rows)]
    return [(field["event"], (field["due"] - to_ms(START)) // 1000) for field in fields]


def tick_for(ticker: Ticker, clock: FakeClock, seconds: int) -> None:
    for _ in range(seconds):
        clock.advance(timedelta(seconds=1))
        ticker.tick()


@pytest.mark.parametrize(
    "lose", [Redis.flushall, *(lambda redis, key=key: redis.delete(key) for key in LEDGER)], ids=["all", *LEDGER]
)
def test_a_running_clock_writes_lost_entries_again_and_loses_no_due_instant(
    declare: Callable[..., Timetable],
    start: Callable[..., Ticker],
    redis: Redis,
    fake_clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    lose: Callable[[Redis], object],
) -> None:
    jobs.ran.clear()
    ticker = start(declare(NOTE, EVENTS))
    tick_for(ticker, fake_clock, 35)
    before = pushed(redis)

    lose(redis)
    tick_for(ticker, fake_clock, 30)

    assert before == [("ten", 10), ("ten", 20), ("ten", 30)]
    assert pushed(redis) == [("ten", 40), ("ten", 50), ("ten", 60), ("minute", 60)]
    ran: Any = jobs.ran
    noted = [to_ms(due) - to_ms(START) for _, due in ran]
    assert noted == [0, 20_000, 40_000, 60_000]
    [warning] = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert warning.startswith("Redis lost the ledger entries of 'ten'")
    assert "Their due instants are neither lost nor fired twice." in warning
    assert all(redis.hlen(key) == 3 for key in LEDGER)


def test_a_clock_that_led_before_another_one_says_that_its_memory_may_be_old(
    declare: Callable[..., Timetable],
    redis: Redis,
    fake_clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    leads = [True]
    ticker = Ticker(
        declare('every(10).seconds.do(FetchNewsJob, "x").named("ten")\n'),
        ledger=RedisLedger(redis),
        clock=fake_clock,
        signature=Signature("web1", "v1"),
        leads=lambda: leads[0],
    )
    tick_for(ticker, fake_clock, 15)

    leads[0] = False

    def stop_after_one_round(_stop: Event, _seconds: float) -> bool:
        ticker.stop()
        return True

    monkeypatch.setattr(fake_clock, "wait", stop_after_one_round)
    ticker.run()
    leads[0] = True
    redis.flushall()
    ticker.tick()

    assert "Decisions that another clock has made since this one last led are made again." in caplog.text


def test_a_callable_whose_entry_was_lost_while_it_ran_is_not_run_again(
    declare: Callable[..., Timetable], start: Callable[..., Ticker], redis: Redis, fake_clock: FakeClock
) -> None:
    ran: list[object] = []
    jobs.hooks["slow"] = lambda: ran.append(redis.flushall())
    ticker = start(declare("from tests.ticker.jobs import slow\n", "every().minute.do(slow).named('slow')\n"))

    tick_for(ticker, fake_clock, 65)

    assert len(ran) == 1
    [record] = RedisLedger(redis).history("slow")
    assert (record["decision"], record["due"]) == ("fired", to_ms(START) + 60_000)


def lose_decisions(ticker: Ticker, redis: Redis, fake_clock: FakeClock, *, seconds: int) -> list[tuple[str, int]]:
    """Tick on, restore the snapshot from before, and tick again. Returns what was pushed until the restore."""
    snapshot: Any = redis.hgetall(keys.LEDGER_DECIDED)
    tick_for(ticker, fake_clock, seconds)
    before = pushed(redis)
    redis.hset(keys.LEDGER_DECIDED, mapping=snapshot)
    tick_for(ticker, fake_clock, 10)
    return before


def test_a_ledger_restored_from_an_older_snapshot_fires_again_and_the_clock_says_what(
    declare: Callable[..., Timetable],
    start: Callable[..., Ticker],
    redis: Redis,
    fake_clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ticker = start(declare('every(10).seconds.do(FetchNewsJob, "x").named("ten").catch_up("all")\n'))
    tick_for(ticker, fake_clock, 15)
    before = lose_decisions(ticker, redis, fake_clock, seconds=30)

    assert before == [("ten", 10), ("ten", 20), ("ten", 30), ("ten", 40)]
    assert pushed(redis) == [("ten", 20), ("ten", 30), ("ten", 40), ("ten", 50)]
    [warning] = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert "an older snapshot was restored" in warning
    assert "'ten' 3 from 2026-11-24T06:00:10+00:00 to 2026-11-24T06:00:30+00:00" in warning


def test_one_decision_that_redis_lost_is_named_by_its_instant_alone(
    declare: Callable[..., Timetable],
    start: Callable[..., Ticker],
    redis: Redis,
    fake_clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ticker = start(declare('every(10).seconds.do(FetchNewsJob, "x").named("ten").catch_up("all")\n'))
    tick_for(ticker, fake_clock, 15)
    lose_decisions(ticker, redis, fake_clock, seconds=10)

    assert "jobs that ran may run again: 'ten' 2026-11-24T06:00:10+00:00\n" in caplog.text


@pytest.mark.parametrize("key", LEDGER)
def test_at_the_start_incomplete_entries_begin_again_with_one_line_that_names_a_few(
    declare: Callable[..., Timetable],
    start: Callable[..., Ticker],
    redis: Redis,
    fake_clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    key: str,
) -> None:
    lines = "for n in range(40):\n    every().minute.do(FetchNewsJob, n).named(f'job {n}')\n"
    tick_for(start(declare(lines)), fake_clock, 61)
    first = len(pushed(redis))

    redis.delete(key)
    tick_for(start(declare(lines)), fake_clock, 65)

    assert (first, len(pushed(redis))) == (40, 40)
    [warning] = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert warning.startswith("The ledger entries of 'job 0', 'job 1'")
    assert "and 30 more had a missing or invalid part" in warning


@pytest.mark.parametrize("odd", ["x", "-1", "1" + "0" * 20, "[]", b"\xff"])
def test_an_odd_next_due_marker_ends_no_clock(
    declare: Callable[..., Timetable],
    start: Callable[..., Ticker],
    redis: Redis,
    fake_clock: FakeClock,
    odd: str | bytes,
) -> None:
    ticker = start(declare(NOTE, EVENTS))
    tick_for(ticker, fake_clock, 5)

    redis.hset(keys.NEXT_DUE, "due", odd)
    tick_for(ticker, fake_clock, 10)
    redis.set(keys.NEXT_DUE, odd)
    tick_for(ticker, fake_clock, 10)

    assert pushed(redis) == [("ten", 10), ("ten", 20)]
    assert redis.hget(keys.NEXT_DUE, "event") == b"ten"


def test_a_ledger_that_is_older_without_a_due_instant_in_between_is_named_with_the_time(
    declare: Callable[..., Timetable], caplog: pytest.LogCaptureFixture
) -> None:
    [event] = declare('every().day.at("06:00").do(FetchNewsJob, "x").named("daily")\n').events
    own, now = OwnCommits(), to_ms(START)
    own.note([("daily", event.declaration)], [Entry(now, now)])
    older = Entry(now - 5000, now - 5000)

    log_lines.entries_found([Planned(event, older.anchor, older.decided)], [older], own)

    [message] = caplog.messages
    assert message.endswith(f"may run again: 'daily' up to {START.isoformat()}")
