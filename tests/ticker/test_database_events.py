"""Events that live in a database, as the ticker follows them."""

import json
import logging
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from redis import Redis

from clock.errors import StoreUnavailable
from clock.job.push.client import using_clock
from clock.problems import Problems
from clock.rehearsal.ledger import MemoryLedger
from clock.store import listing
from clock.store.ledger.entry import Entry
from clock.store.ledger.ledger import RedisLedger
from clock.testing import FakeClock
from clock.ticker import ON_THE_LOOP, Signature, Ticker
from clock.ticker.database_events import PLANNED_AT_ONCE, DatabaseEvents
from clock.ticker.lost_writes import OwnCommits
from clock.ticker.planning.plan import Plan
from clock.timetable import SyncedEvents, Timetable
from tests.examples import examples
from tests.patience import eventually
from tests.ticker import jobs

SIX = datetime(2026, 11, 24, 6, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SOURCE = """
from clock import sync_events
from tests.ticker.jobs import load_rows
sync_events(load_rows, every=timedelta(minutes=1), do=FetchNewsJob)
every().minute.at(":30").do(FetchNewsJob, "file").named("file")
@error_handler
def report(error): ran.append(str(error))
"""


Begin = Callable[..., Ticker]
Rows = list[dict[str, Any]]


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    """The table, which the tests edit."""
    jobs.ran.clear()
    jobs.rows = [{"id": 1, "name": "hourly", "every": "1 hour", "at": "**:00"}]
    return jobs.rows


@pytest.fixture
def begin(declare: Callable[..., Timetable], redis: Redis, fake_clock: FakeClock) -> Begin:
    def start(leads: Callable[[], bool] = lambda: True) -> Ticker:
        ticker = Ticker(
            declare(SOURCE),
            ledger=RedisLedger(redis),
            clock=fake_clock,
            signature=Signature("web1", "v1"),
            leads=leads,
            mode=ON_THE_LOOP,
        )
        ticker.tick()
        return ticker

    return start


def run_until(clock: FakeClock, ticker: Ticker, end: datetime) -> None:
    """Tick every half minute, up to and with `end`."""
    while clock.now() < end:
        clock.advance(min(timedelta(seconds=30), end - clock.now()))
        ticker.tick()


def fired(redis: Redis) -> list[tuple[str, str]]:
    found: Any = redis.lrange("queue:default", 0, -1)
    firings = [json.loads(row)["clock"] for row in reversed(found)]
    return [
        (firing["event"], f"{datetime.fromtimestamp(firing['due'] / 1000, UTC):%H:%M}")
        for firing in firings
        if firing["event"] != "file"
    ]


def test_a_row_fires_as_an_event_of_the_file_does(
    begin: Begin, rows: Rows, redis: Redis, fake_clock: FakeClock
) -> None:
    run_until(fake_clock, begin(), SIX + 61 * MINUTE)

    assert fired(redis) == [("hourly", "06:00"), ("hourly", "07:00")]


def test_a_new_row_is_taken_in_and_a_deleted_one_is_gone(
    begin: Begin, rows: Rows, redis: Redis, fake_clock: FakeClock
) -> None:
    ticker = begin()
    run_until(fake_clock, ticker, SIX + MINUTE)

    rows[:] = [{"id": 2, "name": "often", "cron": "*/5 * * * *"}]
    run_until(fake_clock, ticker, SIX + 62 * MINUTE)

    assert fired(redis)[0] == ("hourly", "06:00")
    assert {name for name, _ in fired(redis)[1:]} == {"often"}
    assert len(fired(redis)) == 13


def test_a_source_without_rows_is_said_to_be_waited_for(
    begin: Begin, rows: Rows, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    rows[:] = []

    with caplog.at_level("INFO"):
        run_until(fake_clock, begin(), SIX + 3 * MINUTE)

    told = [message for message in caplog.messages if "returned no rows" in message]
    assert len(told) == 1
    assert "checking again every 60 s" in told[0]


def test_an_edited_row_begins_anew_and_the_edit_fires_nothing(
    begin: Begin, rows: Rows, redis: Redis, fake_clock: FakeClock
) -> None:
    ticker = begin()
    run_until(fake_clock, ticker, SIX + MINUTE)

    rows[0]["at"] = "**:01"
    run_until(fake_clock, ticker, SIX + 62 * MINUTE)

    assert fired(redis) == [("hourly", "06:00"), ("hourly", "07:01")]


def test_a_row_edited_in_what_it_does_keeps_its_anchor(
    begin: Begin, rows: Rows, redis: Redis, fake_clock: FakeClock
) -> None:
    rows[0] = {"id": 1, "name": "every7", "every": "7 minutes", "args": ["old"]}
    ticker = begin()
    run_until(fake_clock, ticker, SIX + 8 * MINUTE)

    rows[0]["args"] = ["new"]
    run_until(fake_clock, ticker, SIX + 15 * MINUTE)

    found: Any = redis.lrange("queue:default", 0, -1)
    payloads = [json.loads(row) for row in reversed(found)]
    of_rows = [payload for payload in payloads if payload["clock"]["event"] == "every7"]
    assert [payload["args"] for payload in of_rows] == [["old"], ["old"], ["new"]]
    assert {payload["clock"]["due"] % 420_000 for payload in of_rows} == {of_rows[0]["clock"]["due"] % 420_000}


def test_a_deleted_row_that_comes_back_owes_nothing_of_the_time_between(
    begin: Begin, rows: Rows, redis: Redis, fake_clock: FakeClock
) -> None:
    row = rows[0]
    ticker = begin()
    run_until(fake_clock, ticker, SIX + MINUTE)
    rows.clear()
    run_until(fake_clock, ticker, SIX + 65 * MINUTE)

    rows.append(row)
    run_until(fake_clock, ticker, SIX + 121 * MINUTE)

    assert fired(redis) == [("hourly", "06:00"), ("hourly", "08:00")]


def test_a_restart_catches_up_what_rows_were_due(
    begin: Begin, rows: Rows, redis: Redis, fake_clock: FakeClock
) -> None:
    begin()
    fake_clock.advance(5 * MINUTE)

    run_until(fake_clock, begin(), SIX + 10 * MINUTE)

    assert fired(redis) == [("hourly", "06:00")]


def test_a_source_that_fails_leaves_its_events_as_they_were(
    begin: Begin, rows: Rows, redis: Redis, fake_clock: FakeClock
) -> None:
    ticker = begin()

    rows[:] = [{"no database": True}]
    run_until(fake_clock, ticker, SIX + MINUTE)

    assert fired(redis) == [("hourly", "06:00")]
    assert jobs.ran == ["no database"]


def test_a_redis_fault_of_a_source_is_logged_once_and_names_redis(
    begin: Begin,
    rows: Rows,
    fake_clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> Rows:
        raise StoreUnavailable("Redis does not answer")

    ticker = begin()
    monkeypatch.setattr(jobs, "find_rows", fail)
    caplog.clear()

    run_until(fake_clock, ticker, SIX + MINUTE)

    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert {error.name for error in errors} == {"clock.problems"}
    assert "could not reload events from Redis" in errors[0].getMessage()
    assert "Redis does not answer" in str(jobs.ran[0])


def stand_by(ticker: Ticker, leading: list[bool]) -> None:
    """Go round the loop once while another clock leads."""
    leading[:] = [False]
    ticker._round()
    leading[:] = [True]


def test_a_clock_that_leads_again_asks_anew_before_it_declares_a_row(
    begin: Begin, rows: Rows, redis: Redis, fake_clock: FakeClock
) -> None:
    leading = [True]
    ticker = begin(leads=lambda: leading[0])
    stand_by(ticker, leading)
    rows[0]["at"] = "**:01"
    fake_clock.advance(timedelta(seconds=5))
    begin()
    ledger = listing.ledger(redis)

    fake_clock.advance(timedelta(seconds=2))
    ticker.tick()

    assert listing.ledger(redis) == ledger


def test_a_clock_that_leads_again_keeps_its_rows_where_the_source_is_away(
    begin: Begin, rows: Rows, redis: Redis, fake_clock: FakeClock
) -> None:
    leading = [True]
    ticker = begin(leads=lambda: leading[0])
    stand_by(ticker, leading)

    rows.insert(0, {"no database": True})
    run_until(fake_clock, ticker, SIX + MINUTE)

    assert fired(redis) == [("hourly", "06:00")]


def test_a_row_deleted_while_no_clock_led_owes_nothing_should_it_come_back(
    begin: Begin, rows: Rows, redis: Redis, fake_clock: FakeClock
) -> None:
    leading = [True]
    ticker = begin(leads=lambda: leading[0])
    stand_by(ticker, leading)
    row = rows.pop()
    ticker.tick()

    fake_clock.travel_to(SIX + 30 * MINUTE)
    rows.append(row)
    run_until(fake_clock, ticker, SIX + 61 * MINUTE)

    assert fired(redis) == [("hourly", "07:00")]


def test_a_bad_row_is_told_once_and_blocks_no_other(
    begin: Begin, rows: Rows, redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    rows.insert(0, {"id": 9, "name": "bad", "every": "1 fortnight"})

    with caplog.at_level(logging.ERROR):
        run_until(fake_clock, begin(), SIX + 3 * MINUTE)

    assert fired(redis) == [("hourly", "06:00")]
    assert len(jobs.ran) == 1
    assert "'bad'" in str(jobs.ran[0])


def test_a_row_may_not_take_the_name_of_an_event_of_the_file(
    begin: Begin, rows: Rows, redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    rows[0]["name"] = "file"

    run_until(fake_clock, begin(), SIX + MINUTE)

    assert fired(redis) == []
    assert "another event already has the name 'file'" in str(jobs.ran[0])
    assert not any(record.exc_info for record in caplog.records), "a mistake in a row needs no traceback"


class RowThatCannotBeCompared(dict[str, Any]):
    """A row as numpy and pandas make them: a comparison of two has no single answer."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("the truth value of a row is ambiguous")


def test_rows_that_cannot_be_compared_are_followed(
    begin: Begin, rows: Rows, redis: Redis, fake_clock: FakeClock
) -> None:
    rows[:] = [RowThatCannotBeCompared(id=1, name="hourly", every="1 hour", at="**:00")]
    ticker = begin()
    run_until(fake_clock, ticker, SIX + MINUTE)

    rows[:] = [RowThatCannotBeCompared(id=2, name="often", cron="*/5 * * * *")]
    run_until(fake_clock, ticker, SIX + 11 * MINUTE)

    assert fired(redis) == [("hourly", "06:00"), ("often", "06:05"), ("often", "06:10")]


def test_rows_of_a_real_database_are_followed(
    begin: Begin, rows: Rows, redis: Redis, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = sqlite3.connect(":memory:")
    database.row_factory = sqlite3.Row
    database.execute("CREATE TABLE reports (id INTEGER PRIMARY KEY, name TEXT, frequency INTEGER, at TEXT)")
    database.execute("INSERT INTO reports VALUES (1, 'first', 3600, '**:00')")
    monkeypatch.setattr(jobs, "find_rows", lambda: list(map(dict, database.execute("SELECT * FROM reports"))))
    ticker = begin()

    run_until(fake_clock, ticker, SIX + MINUTE)
    database.execute("INSERT INTO reports VALUES (2, 'second', 600, NULL)")
    database.execute("DELETE FROM reports WHERE id = 1")
    run_until(fake_clock, ticker, SIX + 15 * MINUTE)
    database.close()

    assert [name for name, _ in fired(redis)] == ["first", "second", "second"]


class Table(RuleBasedStateMachine):
    """A table that is edited while a clock runs, stops and starts again: each row fires when it is due, once."""

    redis: Redis
    timetable: Timetable

    def __init__(self) -> None:
        super().__init__()
        self.redis.flushall()
        self.clock = FakeClock(SIX)
        jobs.rows = []
        jobs.ran.clear()

        self.ticker = self.start()

    def start(self) -> Ticker:
        ledger = RedisLedger(self.redis)
        with using_clock(self.clock):
            ticker = Ticker(
                self.timetable,
                ledger=ledger,
                clock=self.clock,
                signature=Signature("a", "v1"),
                mode=ON_THE_LOOP,
            )
            ticker.tick()
        return ticker

    def look(self) -> None:
        """The source is asked again, so that what was edited counts from now."""
        self.clock.advance(MINUTE)
        with using_clock(self.clock):
            self.ticker.tick()

    def row(self, number: int) -> dict[str, Any] | None:
        return next((row for row in jobs.rows if row["id"] == number), None)

    @rule(number=st.integers(1, 3), minutes=st.sampled_from([2, 3, 5]))
    def create(self, number: int, minutes: int) -> None:
        if self.row(number) is None:
            jobs.rows.append(
                {"id": number, "name": f"row{number}", "cron": f"*/{minutes} * * * *", "enabled": True}
            )
            self.look()

    @rule(number=st.integers(1, 3), minutes=st.sampled_from([2, 3, 5]))
    def edit(self, number: int, minutes: int) -> None:
        if row := self.row(number):
            row["cron"] = f"*/{minutes} * * * *"
            self.look()

    @rule(number=st.integers(1, 3))
    def pause(self, number: int) -> None:
        if row := self.row(number):
            row["enabled"] = not row["enabled"]
            self.look()

    @rule(number=st.integers(1, 3))
    def delete(self, number: int) -> None:
        if row := self.row(number):
            jobs.rows.remove(row)
            self.look()

    @rule()
    def restart(self) -> None:
        self.ticker = self.start()

    @rule(minutes=st.integers(1, 12))
    def pass_time(self, minutes: int) -> None:
        start = self.clock.now()
        before = Counter(fired(self.redis))
        for _ in range(minutes * 2):
            self.clock.advance(timedelta(seconds=30))
            with using_clock(self.clock):
                self.ticker.tick()

        expected = Counter[tuple[str, str]]()
        for row in jobs.rows:
            period = int(str(row["cron"])[2])
            instants = [start + n * timedelta(seconds=30) for n in range(1, minutes * 2 + 1)]
            if row["enabled"]:
                expected.update(
                    (str(row["name"]), f"{at:%H:%M}")
                    for at in instants
                    if at.second == 0 and at.minute % period == 0
                )
        assert Counter(fired(self.redis)) - before == expected

    @invariant()
    def nothing_fires_twice(self) -> None:
        found: Any = self.redis.lrange("queue:default", 0, -1)
        firings = [json.loads(row)["clock"] for row in found]
        counted = Counter((firing["event"], firing["due"]) for firing in firings)
        assert [firing for firing, times in counted.items() if times > 1] == []


@pytest.mark.slow
def test_a_table_edited_in_any_order_fires_each_row_when_it_is_due(
    redis: Redis, declare: Callable[..., Timetable]
) -> None:
    machine = type("Machine", (Table,), {"redis": redis, "timetable": declare(SOURCE)})

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples(30),
            stateful_step_count=20,
        ),
    )


class Source:
    """A source of rows that counts how often they are read."""

    def __init__(self, **options: Any) -> None:
        self.rows: Rows = [{"id": 1, "name": "a", "every": "1 hour"}]
        self.reads = 0
        self.options = options

    def load(self) -> Rows:
        self.reads += 1
        return [dict(row) for row in self.rows]

    @property
    def synced(self) -> SyncedEvents:
        given = {"every": timedelta(seconds=10), "do": jobs.FetchNewsJob, "source": "rows"}
        return SyncedEvents(self.load, **{**given, **self.options})


class NotingLedger(MemoryLedger):
    """A ledger that notes which events were last said to be declared, and that may be away."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = False
        self.declared: list[list[str]] = []

    def declare(self, *given: Any, **more: Any) -> list[Entry]:
        if self.is_away:
            raise StoreUnavailable("Redis is away")
        return super().declare(*given, **more)

    def orphan(self, declared: Any, now_ms: int) -> None:
        self.declared.append(sorted(declared))


class Reading:
    """Database events without a ticker."""

    def __init__(self, timetable: Timetable, clock: FakeClock, *sources: Source) -> None:
        self.leads = True
        self.errors: list[Exception] = []  # the next looks raise them
        self.clock = clock
        self.ledger = NotingLedger()
        self.problems = Problems(clock=clock)
        self.changes: list[None] = []
        plan = Plan(self.ledger, lambda _: None, OwnCommits())
        plan.read([], clock.now())
        self.events = DatabaseEvents(
            replace(timetable, synced=[source.synced for source in sources]),
            plan,
            clock=clock,
            leads=self.does_lead,
            on_change=lambda: self.changes.append(None),
            problems=self.problems,
        )

    def does_lead(self) -> bool:
        if self.errors:
            raise self.errors.pop()
        return self.leads

    def look_for(self, seconds: int) -> list[float]:
        """Look each second; the seconds until the next look that each look returns."""
        waits = []
        for _ in range(seconds):
            waits.append(round(self.events.look(), 3))
            self.clock.advance(timedelta(seconds=1))
        return waits


Reads = Callable[..., Reading]


@pytest.fixture
def reading(declare: Callable[..., Timetable], fake_clock: FakeClock) -> Reads:
    return lambda *sources: Reading(declare(""), fake_clock, *sources)


def test_a_source_is_read_as_often_as_it_is_declared_and_by_the_leader_only(reading: Reads) -> None:
    source = Source()
    found = reading(source)

    waits = found.look_for(21)
    found.leads = False
    standby = found.look_for(20)

    assert source.reads == 3
    assert waits[:3] == [10.0, 9.0, 8.0]
    assert set(standby) == {1.0}


def test_the_next_look_is_at_the_source_that_is_due_first(reading: Reads, fake_clock: FakeClock) -> None:
    found = reading(Source(every=timedelta(seconds=0.4)), Source(every=timedelta(seconds=0.7), source="others"))

    first = found.events.look()
    fake_clock.advance(timedelta(seconds=0.4))
    second = found.events.look()

    assert (round(first, 3), round(second, 3)) == (0.4, 0.3)


def test_rows_of_a_version_that_was_read_are_read_again_after_a_minute(reading: Reads) -> None:
    source = Source(version=lambda: "v1", every=timedelta(seconds=1))
    found, reads = reading(source), []

    for seconds in (60, 1, 59, 1):
        found.look_for(seconds)
        reads.append(source.reads)

    assert reads == [1, 2, 2, 3]


def test_rows_are_read_again_when_their_version_changes_or_the_clock_leads_again(reading: Reads) -> None:
    version = ["v1"]
    source = Source(version=lambda: version[0])
    found, reads = reading(source), []

    found.look_for(20)
    reads.append(source.reads)
    version[0] = "v2"
    found.look_for(10)
    reads.append(source.reads)
    found.events.forget()
    found.look_for(10)
    reads.append(source.reads)

    assert reads == [1, 2, 3]


@pytest.mark.parametrize("version", [lambda: None, lambda: "v1"])
def test_rows_without_a_version_or_with_errors_are_read_each_time(
    reading: Reads, version: Callable[[], object]
) -> None:
    source = Source(version=version)
    source.rows.append({"id": 2, "name": "bad", "every": "1 fortnight"})

    reading(source).look_for(30)

    assert source.reads == 3


def test_rows_that_could_not_be_written_to_redis_are_read_again_a_second_later(reading: Reads) -> None:
    source = Source(version=lambda: "v1")
    found = reading(source)
    found.ledger.is_away = True

    waits = found.look_for(3)
    problems = [problem.text for problem, _ in found.problems.lasting]
    found.ledger.is_away = False
    found.look_for(5)

    assert waits == [1.0, 1.0, 1.0]
    assert problems == ["Redis is away"]
    assert source.reads == 4
    assert [event.name for event in found.events.events] == ["a"]


def test_changes_that_could_not_be_written_to_redis_are_made_when_it_is_back(reading: Reads) -> None:
    version = ["v1"]
    source = Source(version=lambda: version[0])
    found = reading(source)
    found.look_for(1)

    source.rows.append({"id": 2, "name": "b", "every": "1 hour"})
    version[0], found.ledger.is_away = "v2", True
    found.look_for(10)
    found.ledger.is_away = False
    found.look_for(1)

    assert [event.name for event in found.events.events] == ["a", "b"]


def test_each_change_of_the_rows_is_one_line_of_the_log(reading: Reads, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "clock.clock")
    source = Source()
    found = reading(source)
    found.look_for(20)

    source.rows[0]["args"] = ["other contents"]
    found.look_for(10)
    source.rows.append({"id": 2, "name": "b", "every": "1 hour"})
    found.look_for(10)
    source.rows = [{"id": 2, "name": "b", "every": "2 hours"}]
    found.look_for(10)
    source.rows.clear()
    found.look_for(10)

    assert caplog.messages == [
        "Synced rows: 1 events, 1 new or changed, 0 gone",
        "Synced rows: 2 events, 1 new or changed, 0 gone",
        "Synced rows: 1 events, 1 new or changed, 1 gone",
        "Synced rows: 0 events, 0 new or changed, 1 gone",
    ]


def test_other_contents_of_a_row_are_a_change_at_once_and_rows_as_before_are_none(reading: Reads) -> None:
    source = Source()
    found = reading(source)

    found.look_for(20)
    first = list(found.events.take())
    source.rows[0]["args"] = ["other contents"]
    found.look_for(10)
    second = list(found.events.take())

    assert [[item.event.name for item in change.planned] for change in first] == [["a"]]
    assert [[event.name for event in change.same] for change in second] == [["a"]]


@pytest.mark.parametrize("is_optional", [False, True])
def test_a_source_that_may_be_empty_is_not_logged_as_empty(
    reading: Reads, caplog: pytest.LogCaptureFixture, is_optional: bool
) -> None:
    caplog.set_level("INFO", "clock.clock")
    source = Source(is_optional=is_optional)
    source.rows.clear()

    reading(source).look_for(20)

    assert caplog.messages == ([] if is_optional else ["rows returned no rows; checking again every 10 s"])


def test_the_declared_events_are_noted_once_all_sources_are_read(reading: Reads) -> None:
    broken, other = Source(source="broken", version=lambda: 1 // 0), Source()
    other.rows[0]["name"] = "b"

    found, whole = reading(broken, other), reading(Source(source="mended"), other)
    found.look_for(1)
    found.events.note_orphans()
    whole.look_for(1)

    assert found.ledger.declared == []
    assert whole.ledger.declared == [["a", "b"]]


def test_many_rows_are_planned_in_several_steps(reading: Reads) -> None:
    source = Source()
    source.rows = [{"id": n, "name": f"row {n}", "every": "1 hour"} for n in range(2 * PLANNED_AT_ONCE + 1)]
    found = reading(source)

    found.look_for(1)

    assert [len(change.planned) for change in found.events.take()] == [PLANNED_AT_ONCE, PLANNED_AT_ONCE, 1]
    assert len(found.changes) == 3
    assert list(found.events.take()) == []


def test_rows_are_read_on_a_thread_until_the_clock_stops(reading: Reads, fake_clock: FakeClock) -> None:
    source = Source(every=timedelta(seconds=1))
    found = reading(source)

    found.events.start()
    fake_clock.block_until(1)
    fake_clock.advance(timedelta(seconds=1))
    eventually(lambda: source.reads == 2, "the second read")
    found.events.stop()

    eventually(lambda: not is_reading(), "the end of the thread")


def test_a_clock_that_leads_again_reads_its_rows_at_once(reading: Reads, fake_clock: FakeClock) -> None:
    source = Source(every=timedelta(days=1))
    found = reading(source)
    found.events.start()
    fake_clock.block_until(1)

    found.events.forget()

    eventually(lambda: source.reads == 2, "the second read")
    found.events.stop()
    eventually(lambda: not is_reading(), "the end of the thread")


def test_without_a_source_no_thread_reads(reading: Reads) -> None:
    reading().events.start()

    assert not is_reading()


def is_reading() -> bool:
    return any(thread.name == "database events" for thread in threading.enumerate())


def test_an_error_of_clock_s_own_is_a_problem_and_does_not_end_the_reading(
    reading: Reads, fake_clock: FakeClock
) -> None:
    source = Source()
    found = reading(source)
    found.errors.append(ZeroDivisionError("planted"))

    found.events.start()
    eventually(lambda: found.problems.lasting, "the problem")
    [(problem, _)] = found.problems.lasting
    fake_clock.block_until(1)
    fake_clock.advance(timedelta(seconds=1))
    eventually(lambda: source.reads, "the next read")
    found.events.stop()

    assert problem.text == "An error in clock (rows): ZeroDivisionError: planted"
