from __future__ import annotations

import json
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from redis import Redis

from clock.clocks import to_ms
from clock.rehearsal.fake_clock import FakeClock
from clock.store.ledger.ledger import RedisLedger
from clock.testing import loads
from clock.web import Dashboard, Source
from clock.web.charts.tracks import load_track
from clock.web.pages.timeline import Lane, Mark, day_of, load_of, too_much
from tests.web.conftest import EVERYTHING, NOW, Visitor

BERLIN = ZoneInfo("Europe/Berlin")


def test_past_decisions_and_future_due_instants_are_in_one_picture(ana: Visitor, redis: Redis) -> None:
    due = datetime(2026, 3, 29, 6, tzinfo=BERLIN)
    record = {"decision": "fired", "due": to_ms(due), "jobs": 1, "jids": ["abc"]}
    redis.xadd("clock:history:reminders", {"entry": json.dumps(record)})
    outcome = {"jid": "abc", "outcome": "done", "at": to_ms(due), "took_ms": 90_000}
    redis.xadd("clock:outcomes:reminders", {"entry": json.dumps(outcome)})

    events = ana.json("/timeline")["events"]

    assert events["reminders"] == [
        {"at": "2026-03-29T04:00:00+00:00", "seconds": 90.0, "decision": "fired", "jobs": 1}
    ]
    assert {mark["decision"] for mark in events["ticks"]} == {"planned"}
    assert min(mark["at"] for mark in events["ticks"]) > NOW.isoformat()


def test_the_day_of_a_clock_change_has_23_or_25_hours_and_says_so(ana: Visitor) -> None:
    assert "This day has 23 hours" in ana.text("/timeline", day="2026-03-29")
    assert "This day has 25 hours" in ana.text("/timeline", day="2026-10-25")
    assert "DST transition" not in ana.text("/timeline", day="2026-03-30")
    assert day_of(date(2026, 3, 29), BERLIN).change == 2 * 3600


def test_hours_stand_where_they_are_on_the_day_of_a_clock_change() -> None:
    hours = dict(day_of(date(2026, 3, 29), BERLIN).hours())

    assert (hours["00"], hours["03"], hours["06"]) == (0, 2 * 3600, 5 * 3600)


def test_the_load_is_the_sum_of_the_bars() -> None:
    day = day_of(date(2026, 3, 30), BERLIN)
    lane = Lane(
        "a", [Mark(0, 900, "planned", 2), Mark(900, 450, "planned", 1), Mark(1800, 900, "refused", 0)], False
    )

    load = load_of([lane], day)

    assert load[:3] == [2.0, 0.5, 0.0]
    assert [need for _, need in too_much(load, 1, day)] == [2.0]


def test_load_after_the_end_of_the_day_is_not_counted() -> None:
    day = day_of(date(2026, 3, 30), BERLIN)

    load = load_of([Lane("a", [], True, [Mark(0, 900, "planned", 1.5), Mark(96 * 900, 900, "planned", 2.0)])], day)

    assert (len(load), load[0], sum(load)) == (96, 1.5, 1.5)


def test_what_is_above_the_number_of_threads_is_drawn_apart() -> None:
    day = day_of(date(2026, 3, 30), BERLIN)

    drawn = load_track([1.0, 3.0], 2, day, 0.0, "load")

    assert drawn.partition('class="over-mark" d="')[2].startswith("M480.0 2.0h479.0")


def test_the_timeline_of_a_dashboard_without_a_clock_file_has_no_planned_runs(redis: Redis) -> None:
    RedisLedger(redis, clock=FakeClock(NOW)).declare([("elsewhere", "every day")], to_ms(NOW))
    source = Source(redis, None, FakeClock(NOW))
    visitor = Visitor(Dashboard(source, access=lambda request: EVERYTHING), EVERYTHING)

    assert visitor.json("/timeline")["events"] == {"elsewhere": []}


def test_an_event_that_fires_each_second_is_drawn_in_bounded_size(ana: Visitor) -> None:
    assert len(ana.page("/timeline")) < 60_000


def test_the_load_includes_runs_that_are_not_drawn(redis: Redis) -> None:
    """Past decisions and future due instants are drawn up to a number; the load of a frequent event is even."""
    timetable = loads(
        "from clock import configure, every\n"
        "from tests.web.month_jobs import RemindPupilsJob\n"
        "configure(tz='UTC')\n"
        "every(10).seconds.do(RemindPupilsJob, 'due').named('feed')\n"
    )
    begin = NOW.replace(hour=0)
    pipeline = redis.pipeline()
    for second in range(0, int((NOW - begin).total_seconds()), 10):
        ms = to_ms(begin) + second * 1000
        record = {"decision": "fired", "due": ms, "jobs": 1, "jids": []}
        pipeline.xadd("clock:history:feed", {"entry": json.dumps(record)}, id=f"{ms}-0")
    pipeline.execute()
    outcome = {"jid": "abc", "outcome": "done", "at": 1, "took_ms": 5_000}
    redis.xadd("clock:outcomes:feed", {"entry": json.dumps(outcome)})
    source = Source(redis, timetable, FakeClock(NOW), place="redis://localhost:6379/0")
    visitor = Visitor(Dashboard(source, access=lambda request: EVERYTHING), EVERYTHING)

    found = visitor.json("/timeline")

    assert len(found["events"]["feed"]) == 800
    assert min(found["load"]) == pytest.approx(0.5, abs=0.02)
    assert max(found["load"]) == pytest.approx(0.5, abs=0.02)


def test_changes_are_listed_page_by_page(ana: Visitor) -> None:
    for _ in range(60):
        ana.post("/act/pause", event="reminders")

    first = ana.json("/audit")
    second = ana.json("/audit", before=first[-1]["id"])

    assert (len(first), len(second)) == (50, 10)
    assert "Next page" in ana.text("/audit")
