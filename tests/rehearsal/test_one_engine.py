"""A rehearsal is what production does: the same firings, jobs and history, one by one."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from clock import testing
from clock.clocks import from_ms, to_ms
from clock.job.push.client import using_clock
from clock.rehearsal.uptime import enqueue_only
from clock.store import keys, listing
from clock.store.ledger.ledger import RedisLedger
from clock.testing import FakeClock, History, MemoryLedger
from clock.ticker import ActionMode, Signature, Ticker
from clock.ticker.planning.catch_up import backlog_of, fires_on_time
from clock.timetable import Event, Timetable, load
from tests.examples import ARE_MANY, examples

START = datetime(2026, 1, 1, tzinfo=UTC)
CLOCK_FILE = """
from datetime import timedelta
from clock import DUE_AT, configure, cron, every, on
from schedule import CancelJob
from tests.testing.jobs import CountVisitsJob, SendReportJob

configure(tz="America/New_York")
calls = []

every(4).hours.do(CountVisitsJob).named("visits")
every().day.at("02:30").do(SendReportJob, DUE_AT).named("report")
every().sunday.at("01:30").do(SendReportJob.set(queue="mail"), DUE_AT, 2).named("weekly")
cron("*/90 9-17 * * mon-fri", tz="Europe/Berlin").do(CountVisitsJob, "office").named("office")
cron("0 6 L * *").do(CountVisitsJob, "month").named("month")
every(20).to(40).hours.do(CountVisitsJob).named("now.and.then")
every().day.at(["06:00", "18:00"]).if_(lambda due: due.weekday() < 5).do(SendReportJob, DUE_AT).named("weekdays")
every().day.at("07:00").if_(lambda due: 1 // (due.day - 13)).do(CountVisitsJob).named("unlucky")

@every(timedelta(hours=12), "twice.a.day")
def twice(name, due):
    calls.append(due)
    CountVisitsJob.perform_in(60, due.isoformat())

@every(timedelta(days=1), "until.march", at="08:00")
def until_march(name, due):
    return CancelJob if due.month == 3 else None

@every(timedelta(weeks=2), "payday", at="fri 16:20", tz="Australia/Lord_Howe")
def payday(name, due):
    SendReportJob.perform_async(due.isoformat())
    if due.month == 4:
        raise RuntimeError("no money in April")
"""
SIGNATURE = Signature("rehearsal", "rehearsal")


@pytest.fixture
def timetable(tmp_path: Path) -> Timetable:
    path = tmp_path / "clock.py"
    path.write_text(CLOCK_FILE)
    return load(path)


def run_for_real(
    timetable: Timetable, redis: Redis, end: datetime
) -> Iterator[tuple[list[dict[str, Any]], list[bytes]]]:
    """A clock of production on a real Redis from START to `end`: after each look, its history and its jobs."""
    clock = FakeClock(START)
    ledger = RedisLedger(redis)
    ticker = Ticker(timetable, ledger=ledger, clock=clock, signature=SIGNATURE)
    with using_clock(clock):
        while clock.now() < end:
            ticker.tick()
            yield _drained(redis, timetable)
            assert ticker.next_due is not None
            clock.travel_to(ticker.next_due)


def _drained(redis: Redis, timetable: Timetable) -> tuple[list[dict[str, Any]], list[bytes]]:
    """What the look added to history and jobs, which are taken out of Redis."""
    pipeline = redis.pipeline()
    for event in timetable.events:
        pipeline.xrange(keys.HISTORY + event.name)
        pipeline.unlink(keys.HISTORY + event.name)
    for queue in ("default", "low", "mail"):
        pipeline.lrange(keys.queue(queue), 0, -1)
        pipeline.unlink(keys.queue(queue))
    pipeline.zrange(keys.SCHEDULE, 0, -1)
    pipeline.unlink(keys.SCHEDULE)
    replies = pipeline.execute()[::2]
    names = [event.name for event in timetable.events]
    history = [
        {"event": name, **json.loads(fields[b"entry"])}
        for name, rows in zip(names, replies, strict=False)
        for _, fields in rows
    ]
    return history, [job for jobs in replies[len(names) :] for job in jobs]


def rehearsed(history: History) -> tuple[list[dict[str, Any]], list[bytes]]:
    """The same of a rehearsal."""
    entries = [
        {"event": item.event, "decision": item.kind, "due": item.due_ms, **json.loads(json.dumps(item.detail))}
        for item in history.decisions
    ]
    return entries, [push.payload.encode() for item in history.decisions for push in item.pushes]


def in_order(entries: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(entry, sort_keys=True) for entry in entries)


@pytest.mark.slow
def test_a_rehearsal_is_firing_for_firing_what_a_real_clock_does(timetable: Timetable, redis: Redis) -> None:
    days = 365 if ARE_MANY else 130  # summer time begins and ends, and each event does all it can
    end = START + timedelta(days=days)

    real_entries: list[dict[str, Any]] = []
    real_jobs: list[bytes] = []
    for entries, jobs in run_for_real(timetable, redis, end):
        real_entries += entries
        real_jobs += jobs
    history = testing.run(timetable, start_time=START, end_time=end, execute=True)
    entries, jobs = rehearsed(history)

    assert len(entries) > 16 * days
    assert {entry["decision"] for entry in entries} == {"fired", "refused", "error", "paused"}
    assert in_order(entries) == in_order(real_entries)
    assert sorted(jobs) == sorted(real_jobs)


def test_a_weeks_rehearsal_is_what_a_real_clock_does_in_the_same_order(timetable: Timetable, redis: Redis) -> None:
    end = START + timedelta(days=7)
    names = [event.name for event in timetable.events]

    real = [entry for entries, _ in run_for_real(timetable, redis, end) for entry in entries]
    entries, _ = rehearsed(testing.run(timetable, start_time=START, end_time=end, execute=True))

    assert entries == sorted(real, key=lambda entry: (entry["due"], names.index(entry["event"])))


@given(event=st.integers(0, 10), hours=st.integers(1, 2_000), late=st.integers(0, 3_000_000))
@settings(max_examples=examples(60))
def test_the_answer_for_many_due_instants_is_the_answer_for_each(event: int, hours: int, late: int) -> None:
    found = _events()[event]
    decided, until = START + timedelta(seconds=late), START + timedelta(seconds=late, hours=hours)

    at_once = fires_on_time(found, anchor=START, decided=decided, previous=None, until=until)

    one_by_one: list[int] = []
    last, previous = decided, None
    while len(one_by_one) < 50:
        due = found.next_after(last, anchor=START, previous=previous)
        if due is None or due > until:
            break
        [fires] = backlog_of(found, anchor=START, decided=last, previous=previous, now=due).fires
        one_by_one.append(to_ms(fires.at) // 1000)
        last = previous = due
    assert at_once[:50] == one_by_one


def _events(cache: list[Event] = []) -> list[Event]:  # noqa: B006  # loaded once for all examples
    if not cache:
        cache += testing.loads(CLOCK_FILE).events
    return cache


def test_a_downtime_is_caught_up_as_a_restarted_clock_does(timetable: Timetable, redis: Redis) -> None:
    away = (START + timedelta(days=1, hours=5), START + timedelta(days=2, hours=1))

    history = testing.run(timetable, start_time=START, end_time=START + timedelta(days=3), downtime=[away])

    clock = FakeClock(START)
    decided = []
    for begin, end in ((START, away[0]), (away[1], START + timedelta(days=3))):
        clock.travel_to(begin)
        ledger = RedisLedger(redis)
        ticker = Ticker(timetable, ledger=ledger, clock=clock, signature=SIGNATURE, mode=ActionMode(enqueue_only))
        while clock.now() < end:
            ticker.tick()
            assert ticker.next_due is not None
            clock.travel_to(ticker.next_due)
    for event in timetable.events:
        decided += [
            (event.name, entry["decision"], entry["due"]) for entry in RedisLedger(redis).history(event.name)
        ]
    assert sorted(decided) == sorted((item.event, item.kind, item.due_ms) for item in history.decisions)
    assert {"missed", "caught_up"} <= {kind for _, kind, _ in decided}


def test_two_rehearsals_in_a_row_are_one(timetable: Timetable) -> None:
    middle, end = START + timedelta(days=10, hours=3), START + timedelta(days=30)

    whole = testing.run(timetable, start_time=START, end_time=end)
    first = testing.run(timetable, start_time=START, end_time=middle)
    second = testing.run(timetable, start_time=middle, end_time=end, ledger=first.ledger)

    for event in timetable.events:
        assert first.fires(event.name) + second.fires(event.name) == whole.fires(event.name)


def test_productions_ledger_is_where_a_rehearsal_can_begin(timetable: Timetable, redis: Redis) -> None:
    clock = FakeClock(START)
    Ticker(timetable, ledger=RedisLedger(redis), clock=clock, signature=SIGNATURE).tick()
    later = START + timedelta(hours=1, minutes=30)

    ledger = MemoryLedger(listing.ledger(redis))
    history = testing.run(timetable, start_time=later, end_time=later + timedelta(days=1), ledger=ledger)

    assert history.fires("visits")[0] == START + timedelta(hours=4)
    assert from_ms(ledger.entry("visits").anchor_ms) == START
