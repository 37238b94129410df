import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from clock import api
from clock.clocks import to_ms
from clock.errors import ConfigurationError, JobError, UnknownEvent, UnreadableTime
from clock.job import Job
from clock.job.push.client import using_clock
from clock.job.registry import forget
from clock.rehearsal.fake_clock import FakeClock
from clock.store.ledger.ledger import RedisLedger

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)

FILE = """
from clock import configure, every

configure(tz="UTC")


def refresh(): ...


every().day.at("07:00").named("daily").do(refresh)
every().hour.named("hourly").do(refresh)
"""


@pytest.fixture
def now() -> Iterator[None]:
    with using_clock(FakeClock(NOW)):
        yield


@pytest.fixture
def clock_file(tmp_path: Path) -> Path:
    path = tmp_path / "clock.py"
    path.write_text(FILE)
    return path


def run_once(redis: Redis, events: api.Events) -> None:
    """Declare the events in the ledger, as a clock does when it starts."""
    assert events.timetable
    pairs = [(event.name, event.declaration) for event in events.timetable.events]
    RedisLedger(redis).declare(pairs, to_ms(NOW - timedelta(hours=1)))


def test_events_are_told_with_what_is_due_next(redis: Redis, clock_file: Path, now: None) -> None:
    events = api.Events.of_file(clock_file)
    before = events.get("daily").is_known
    run_once(redis, events)

    states = {state.name: state for state in events.states()}

    assert before is False
    assert states["daily"].is_known
    assert states["daily"].next_due == NOW.replace(hour=7)
    assert states["daily"].last is None
    with pytest.raises(UnknownEvent, match="dayly"):
        events.get("dayly")


def test_without_a_timetable_events_are_those_that_clocks_have_noted(
    redis: Redis, clock_file: Path, now: None
) -> None:
    run_once(redis, api.Events.of_file(clock_file))

    noted = api.Events()

    assert {state.name for state in noted.states()} == {"daily", "hourly"}
    assert noted.get("daily").event is None
    assert "07:00" in noted.get("daily").declaration


def test_an_event_is_paused_and_resumed(redis: Redis, clock_file: Path, now: None) -> None:
    events = api.Events.of_file(clock_file)

    events.pause("daily", until=timedelta(hours=2), note="mail server moves", by="ada")
    paused = events.get("daily").pause
    ended = events.resume("daily")

    assert str(paused) == "paused by ada: mail server moves"
    assert ended is not None
    assert events.get("daily").pause is None
    assert events.resume("daily") is None
    with pytest.raises(UnknownEvent):
        events.pause("dayly")
    with pytest.raises(ConfigurationError, match="is in the past"):
        events.pause("daily", until=NOW)


@pytest.mark.parametrize("until", [timedelta.max, NOW.replace(tzinfo=None), float("nan"), "2h"])
def test_an_invalid_end_of_a_pause_is_refused(redis: Redis, clock_file: Path, now: None, until: Any) -> None:
    with pytest.raises(ConfigurationError, match="it must be an aware datetime up to the year 9999, or a timedel"):
        api.Events.of_file(clock_file).pause("daily", until=until)


@pytest.mark.parametrize("count", [0, -1, True, 10**30])
def test_a_count_of_records_is_a_whole_number_from_1_on(redis: Redis, count: int) -> None:
    with pytest.raises(JobError, match=r"count is .*; it must be a whole number, 1 to 1,000,000,000"):
        api.Events().history("daily", count)
    with pytest.raises(JobError, match="count is"):
        api.Events().latest(count)


def test_the_whole_clock_is_paused_with_none(redis: Redis, clock_file: Path, now: None) -> None:
    events = api.Events.of_file(clock_file)

    events.pause(None, by="ada")

    assert all(state.pause for state in events.states())
    assert events.resume(None) is not None


def test_an_event_is_fired_by_hand_and_its_history_says_so(redis: Redis, tmp_path: Path, now: None) -> None:
    class CountLambsJob(Job):
        def perform(self) -> None: ...

    path = tmp_path / "clock.py"
    path.write_text(
        "from clock import every\nfrom clock.job.registry import lookup\n"
        "every().hour.named('sheep').do(lookup('CountLambsJob'))\n"
    )
    try:
        events = api.Events.of_file(path)
        [jid] = events.fire("sheep")
        [record] = events.history("sheep")
    finally:
        forget(CountLambsJob)

    assert (record["decision"], record["jids"]) == ("manual", [jid])
    assert redis.llen("queue:default") == 1
    assert api.JobRef(jid).locate() is not None
    with pytest.raises(UnknownEvent):
        api.Events().fire("sheep")


def test_why_explains_an_instant_by_datetime_and_by_text(redis: Redis, clock_file: Path, now: None) -> None:
    events = api.Events.of_file(clock_file)
    run_once(redis, events)

    by_instant = events.why("daily", NOW.replace(hour=7))
    by_text = asyncio.run(events.awhy("daily", "2026-11-24 07:00"))

    assert by_instant == by_text == ["2026-11-24 07:00:00 UTC: will be due"]
    with pytest.raises(UnknownEvent):
        events.why("dayly", NOW)


@pytest.mark.parametrize("at", [NOW.replace(tzinfo=None), 5, None, datetime.max.replace(tzinfo=UTC)])
def test_a_time_without_a_zone_or_outside_the_calendar_is_refused(
    redis: Redis, clock_file: Path, now: None, at: Any
) -> None:
    events = api.Events.of_file(clock_file)

    with pytest.raises(UnreadableTime, match="must be an aware datetime in the years 1900 to 9000, or a text"):
        events.why("daily", at)
    with pytest.raises(ConfigurationError, match="pass an aware datetime in the years 1900 to 9000"):
        events.plan_backfill("daily", at, NOW)


def test_an_event_that_the_file_has_lost_is_told_by_what_is_recorded(
    redis: Redis, clock_file: Path, now: None
) -> None:
    run_once(redis, api.Events.of_file(clock_file))
    clock_file.write_text("from clock import every\nevery().day.named('other').do(print)\n")
    events = api.Events.of_file(clock_file)

    lost = events.get("daily")

    assert (lost.name, lost.next_due, lost.event) == ("daily", None, None)
    assert events.why("daily", NOW) == ["2026-11-24 06:00:00 UTC: no records of 'daily'"]
    with pytest.raises(UnknownEvent):
        events.why("dialy", NOW)


def test_a_clock_file_that_was_removed_after_its_load_is_named_when_its_event_is_fired(
    redis: Redis, clock_file: Path, now: None
) -> None:
    events = api.Events.of_file(clock_file)
    clock_file.unlink()

    with pytest.raises(ConfigurationError, match=r"the clock file .*clock\.py cannot be read: No such file"):
        events.fire("daily")
