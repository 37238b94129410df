"""The forecast and the lateness of runs on the pages of the dashboard."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from redis import Redis

from clock.clocks import SystemClock, to_ms
from clock.errors import ConfigurationError
from clock.rehearsal import forecast
from clock.rehearsal.fake_clock import FakeClock
from clock.rehearsal.sources import loads
from clock.store.ledger import lateness
from clock.store.ledger.decision import Decision, DecisionKind
from clock.store.ledger.lateness import Lateness
from clock.ticker.side_tasks import LatenessLog
from clock.web import Access, Dashboard, Source
from clock.web.cache import Background
from tests.web.conftest import NOW, Visitor

CROWDED = """
from clock import configure, every
from tests.web.month_jobs import BackUpJob, RemindPupilsJob
configure(tz="Europe/Berlin")
for n in range(3):
    every().day.at("06:00").do(RemindPupilsJob, "due").named(f"reminders.{n}")
every().day.at("06:00").if_(lambda due: True).do(BackUpJob).named("<backups>")
"""


@pytest.fixture
def crowded(redis: Redis) -> Visitor:
    """Four events at one instant, and no worker."""
    source = Source(redis, loads(CROWDED), FakeClock(NOW))
    return Visitor(Dashboard(source, access=lambda request: Access.everything("ana")), None)


def test_late_starts_busiest_minutes_and_spreads_are_shown(crowded: Visitor) -> None:
    found = crowded.json("/forecast", slots=1)
    shown = crowded.text("/forecast", slots=1)

    assert (found["jobs"], found["slots"]) == (4, 1)
    assert {one["event"] for one in found["late"]} <= {"<backups>", *(f"reminders.{n}" for n in range(3))}
    assert len(found["late"]) == 2
    assert "2 jobs will start late" in shown
    assert ".spread(timedelta(minutes=" in shown
    assert "Busiest minutes" in shown
    assert "(has a condition)" in shown
    assert "Assumes one queue, no limits on jobs" in shown


def test_without_a_worker_the_forecast_asks_for_the_number_of_threads(crowded: Visitor) -> None:
    assert "Enter above how many threads" in crowded.text("/forecast")
    assert crowded.json("/forecast")["state"] == "no worker"


def test_enough_threads_start_all_jobs_on_time(crowded: Visitor) -> None:
    assert crowded.json("/forecast", slots=10, days=7)["late"] == []
    assert "All jobs start on time" in crowded.text("/forecast", slots=10, days=7)


def test_too_many_runs_are_refused_with_the_reason(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "MOST_RUNS", 100)
    timetable = loads("from clock import every\nevery().minute.do(print)")
    visitor = Visitor(
        Dashboard(Source(redis, timetable, FakeClock(NOW)), access=lambda request: Access("a")), None
    )

    answer = visitor.get("/forecast", {"accept": "application/json"}, slots=1)

    assert answer.status == 400
    assert "choose a shorter period" in answer.body.decode()


def test_a_page_does_not_wait_for_a_long_forecast() -> None:
    begun, release, asked = threading.Event(), threading.Event(), list[int]()

    def compute(key: int) -> int:
        asked.append(key)
        begun.set()
        release.wait(30)
        if key == 2:
            raise ConfigurationError("too many runs")
        return key * 10

    background = Background(compute, 60.0, clock=SystemClock())

    assert background.get(1, 0.0) is None
    assert begun.wait(30)
    assert background.get(1, 0.0) is None
    release.set()
    assert background.get(1, 30.0) is not None
    assert asked == [1]
    with pytest.raises(ConfigurationError, match="too many runs"):
        background.get(2, 30.0)


def test_a_result_stays_with_its_age_until_a_costly_computation_has_ended_again() -> None:
    clock, waits = FakeClock(NOW), list[threading.Event]()
    ended = threading.Event()

    def compute(key: str) -> int:
        clock.advance(timedelta(seconds=12))
        if waits:
            ended.set()
            waits[-1].wait(30)
        return len(waits)

    background = Background(compute, 60.0, clock=clock)
    assert background.get("day", 30.0) == (0, 12.0)
    waits.append(threading.Event())
    clock.advance(timedelta(seconds=200))
    assert background.get("day", 0.0) == (0, 212.0)
    assert not ended.is_set()  # 12 s of computing are repeated after 240 s
    clock.advance(timedelta(seconds=50))

    assert background.get("day", 0.0) is not None
    assert ended.wait(30)
    assert background.get("day", 0.0) == (0, 274.0)
    waits[-1].set()
    assert background.get("day", 30.0) == (1, 12.0)


def test_a_forecast_from_now_on_is_not_another_one_each_minute(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clock.web.pages.forecast.PATIENCE_SECONDS", 0.0)
    clock = FakeClock(NOW)
    source = Source(redis, loads(CROWDED), clock)
    visitor = Visitor(Dashboard(source, access=lambda request: Access.everything("ana")), None)
    visitor.json("/forecast", slots=1)
    clock.advance(timedelta(seconds=90))

    shown = visitor.text("/forecast", slots=1)

    assert "being computed" not in shown
    assert "This forecast is 1 min 30 s old" in shown


def test_the_lateness_of_committed_firings_is_on_the_page_of_metrics(
    redis: Redis, visit: Callable[..., Visitor]
) -> None:
    log = LatenessLog(redis, clock=FakeClock(NOW))
    for late_ms in [8] * 18 + [400, 61_000]:
        log.note(Decision("ticks", "", 0, 0, DecisionKind.FIRED, {"late_ms": late_ms}))
    log.note(Decision("ticks", "", 0, 0, DecisionKind.MISSED, {"late_ms": 9_000_000}))
    log.write()
    log.write()  # what was written is not written again

    [slot] = visit().json("/metrics")["lateness"]
    shown = visit().text("/metrics")

    assert slot == {"at": "2026-03-29T11:00:00+00:00", "runs": 20, "p50_ms": 10, "p95_ms": 500, "max_ms": 61_000}
    assert "half within 10 ms" in shown
    assert "95% within 500 ms" in shown
    assert "at most 1 min 1 s" in shown
    assert visit().json("/metrics", span="24h")["lateness"][0]["runs"] == 20


def test_two_clocks_add_up_and_the_greater_maximum_stays(redis: Redis) -> None:
    for late_ms in (700, 90):
        made = Lateness()
        made.add(late_ms)
        lateness.add(redis, made, now=NOW)

    [found] = lateness.read(redis, [f"{NOW:%y%m%d}|11:00"])

    assert (found.runs, found.max_ms) == (2, 700)


@pytest.mark.parametrize("member", ["999", "-1", "é", "max"])
def test_figures_of_another_program_are_skipped(redis: Redis, member: str) -> None:
    slot = f"{NOW:%y%m%d}|11:00"
    redis.zadd(f"clock:lateness:{slot}", {member: -5, "3": 2})

    [found] = lateness.read(redis, [slot])

    assert (found.runs, found.max_ms) == (2, 0)


def test_the_lateness_of_an_event_is_drawn_run_by_run(ana: Visitor, redis: Redis) -> None:
    for hour, late_ms in enumerate((5, 90_000)):
        due = to_ms(NOW - timedelta(hours=9 - hour))
        record = {"decision": "fired", "due": due, "late_ms": late_ms}
        redis.xadd("clock:history:ticks", {"entry": json.dumps(record)})

    page = ana.page("/event", name="ticks")

    assert "How late runs started" in page
    assert "fired, 1 min 30 s late" in page
