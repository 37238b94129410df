"""The record of the clock file of a clock that leads."""

import threading
from collections.abc import Callable

import pytest
from redis import Redis

from clock.errors import StoreUnavailable
from clock.store.ledger import timetable_changes
from clock.store.ledger.clock_register import AboutClock
from clock.testing import FakeClock
from clock.ticker import ClockIdentity, Release
from clock.ticker.timetable_log import LOOK_SECONDS, TimetableLog
from clock.timetable import Timetable
from tests.ticker.conftest import Rounds

LINES = """
every().day.at("06:00").do(FetchNewsJob, "news").named("daily")
every().day.at("07:00").do(FetchNewsJob, "news").named("new", was="old")
"""


@pytest.fixture
def log_of(declare: Callable[..., Timetable], redis: Redis, fake_clock: FakeClock) -> Callable[..., TimetableLog]:
    def log_of(leads: Callable[[], bool] = lambda: True, clock: FakeClock = fake_clock) -> TimetableLog:
        about = AboutClock("web1", 1, "v1", started_at=0, events=2, skew_ms=0)
        identity = ClockIdentity("web1:1:abc", Release("v1", 1), about)
        return TimetableLog(redis, declare(LINES), identity, leads=leads, clock=clock)

    return log_of


def test_it_records_the_release_its_events_and_renames(log_of: Callable[..., TimetableLog], redis: Redis) -> None:
    timetable_changes.note(redis, "v0", "web0", {"old": "every day at 07:00"}, {})

    is_recorded = log_of().note()

    [(_, entry), _] = timetable_changes.read(redis, 10)
    assert is_recorded
    assert (entry["release"], entry["host"], entry["renamed"]) == ("v1", "web1", [["old", "new"]])
    assert set(timetable_changes.declared(redis)) == {"daily", "new"}


def test_a_refusal_of_redis_is_no_success(
    log_of: Callable[..., TimetableLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bool:
        raise StoreUnavailable("away")

    monkeypatch.setattr(timetable_changes, "note", refuse)

    assert log_of().note() is False


def test_a_clock_records_its_file_once_it_leads_and_redis_accepts_it(
    log_of: Callable[..., TimetableLog], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    leads, is_accepted, clock = iter([False, True, True]), iter([False, True]), Rounds(9)
    log = log_of(lambda: next(leads), clock)
    note = log.note
    monkeypatch.setattr(TimetableLog, "note", lambda _: next(is_accepted) and note())

    log.run(threading.Event())

    assert clock.waits == [LOOK_SECONDS] * 3
    assert len(timetable_changes.read(redis, 10)) == 1


def test_a_clock_that_ends_before_it_leads_records_nothing(
    log_of: Callable[..., TimetableLog], redis: Redis
) -> None:
    log_of(clock=Rounds(0)).run(threading.Event())

    assert timetable_changes.read(redis, 10) == []
