"""The pages of changes, metrics and heat maps, the palette, and what queues show."""

from __future__ import annotations

import json
import re
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from clock.clocks import to_ms
from clock.rehearsal.fake_clock import FakeClock
from clock.store.jobs import job_metrics
from clock.store.jobs.job_metrics import Tally
from clock.store.ledger import timetable_changes
from clock.testing import loads
from clock.timetable import load
from clock.web import Access, Dashboard, Source, data
from clock.web.charts.plot import Stretch, framed
from clock.web.charts.times import dots
from tests.web.conftest import NOW, SAME_SITE, Visitor

FIRST = {"reminders": "every day at 06:00", "ticks": "every 10 minutes", "digest": "every monday"}
SECOND = {
    "reminders": "every day at 07:00",
    "ticks": "every 10 minutes",
    "weekly": "every monday",
    "new": "hourly",
}


def _note(redis: Redis, release: str, declarations: dict[str, str]) -> bool:
    return timetable_changes.note(redis, release, "web-1", declarations, {"weekly": ["digest"]})


def test_each_release_is_listed_with_what_it_changed(ana: Visitor, redis: Redis) -> None:
    _note(redis, "v1", FIRST)
    _note(redis, "v2", SECOND)
    _note(redis, "v3", {name: words for name, words in SECOND.items() if name != "ticks"})

    v3, v2, v1 = ana.json("/changes")

    assert (v1["release"], v1["is_first"], v1["counts"]["added"]) == ("v1", True, 0)
    assert v2["changed"] == [["reminders", "every day at 06:00", "every day at 07:00"]]
    assert (v2["added"], v2["renamed"], v2["removed"]) == ([["new", "hourly"]], [["digest", "weekly"]], [])
    assert v3["removed"] == [["ticks", "every 10 minutes"]]
    assert "Release v2" in ana.text("/changes")


def test_a_restart_of_the_same_release_is_not_a_change(ana: Visitor, redis: Redis) -> None:
    assert [_note(redis, release, FIRST) for release in ("v1", "v1", "v2", "v2", "v1")] == [
        True,
        False,
        True,
        False,
        True,
    ]
    assert "The timetable did not change" in ana.text("/changes")


def test_a_release_that_changes_very_much_is_cut(ana: Visitor, redis: Redis) -> None:
    _note(redis, "v1", FIRST)
    _note(redis, "v2", {**FIRST, **{f"event.{number}": "hourly" for number in range(250)}})

    assert ana.json("/changes")[0]["counts"]["added"] == 250
    assert "150 more events were added" in ana.text("/changes")


def test_entries_of_another_form_are_skipped(ana: Visitor, redis: Redis) -> None:
    for entry in ("{", "[]", '{"added":5,"counts":[],"events":"x","changed":[1,["a"],["a","b","<script>"]]}'):
        redis.xadd("clock:changes", {"entry": entry})

    assert len(ana.json("/changes")) == 1
    assert "<script>alert" not in ana.page("/changes")


def test_metrics_add_up_the_figures_of_each_class(ana: Visitor, redis: Redis) -> None:
    histogram = [0] * 26
    histogram[3] = 4
    for back in (0, 5, 90):
        tallies = {
            "SendMailJob": Tally(processed=10, failed=2, ms=800.0, histogram=histogram),
            "PayJob": Tally(processed=1, ms=5_000.0),
        }
        job_metrics.add(redis, tallies, now=NOW - timedelta(minutes=back))

    hour, day = ana.json("/metrics"), ana.json("/metrics", span="24h")
    one = ana.json("/metrics", **{"class": "SendMailJob"})

    assert hour["classes"][1] == {
        "job_class": "SendMailJob",
        "processed": 20,
        "failed": 4,
        "mean_seconds": 0.1,
        "total_seconds": 1.6,
    }
    assert sum(slot["processed"] for slot in hour["series"]) == 22
    assert sum(slot["processed"] for slot in day["series"]) == 33
    assert sum(slot["processed"] for slot in one["series"]) == 20
    assert [time for time in one["run_times"] if time["count"]] == [{"seconds": 0.065, "count": 8}]
    assert "22 jobs ran, 4 failed" in ana.text("/metrics")


def test_the_page_of_a_job_has_the_zone_of_its_event(ana: Visitor, redis: Redis) -> None:
    record = {"decision": "fired", "due": to_ms(NOW), "jobs": 1, "jids": ["abc"]}
    redis.xadd("clock:history:reminders", {"entry": json.dumps(record)})

    assert "13:00:00 CEST" in ana.text("/job", jid="abc", event="reminders")


def test_a_class_without_a_successful_run_has_no_mean_time(ana: Visitor, redis: Redis) -> None:
    tallies = {"ChargeNothingJob": Tally(processed=21, failed=21, ms=0, histogram=[0] * 26)}
    job_metrics.add(redis, tallies, now=NOW)

    assert "ChargeNothingJob 21 21 \N{EN DASH} \N{EN DASH}" in ana.text("/metrics")


def test_metrics_mark_the_releases_of_their_period(ana: Visitor, redis: Redis) -> None:
    entry = json.dumps({"release": "v7"})
    redis.xadd("clock:changes", {"entry": entry}, id=f"{to_ms(NOW) - 2 * 3_600_000}-0")
    job_metrics.add(redis, {"PayJob": Tally(processed=1, ms=5.0)}, now=NOW)

    assert ana.json("/metrics")["releases"] == []
    assert [one["release"] for one in ana.json("/metrics", span="8h")["releases"]] == ["v7"]
    assert "<title>Release v7</title>" in ana.page("/metrics", span="8h")


def test_metrics_mark_deploys_in_the_charts_and_in_a_table(ana: Visitor, redis: Redis) -> None:
    minute: dict[Any, Any] = {
        "2026-03-29T10:40:00Z": "a1b2c3 New <mailer> of the house\u202e",
        "2026-03-29T08:00:00Z": "early",
    }
    redis.hset("20260329-marks", mapping={**minute, "tomorrow": "x", "2026-03-29T10:41:00": "no zone"})
    job_metrics.add(redis, {"PayJob": Tally(processed=1, ms=5.0)}, now=NOW)

    page, found = ana.page("/metrics"), ana.json("/metrics")

    assert found["deploys"] == [{"at": "2026-03-29T10:40:00+00:00", "label": minute["2026-03-29T10:40:00Z"]}]
    assert re.search(r">a1b2c3 New &lt;m…</text>", page)
    assert "<title>a1b2c3 New &lt;mailer&gt; of the house\\u202e</title>" in page
    assert "10:40 UTC a1b2c3" in ana.text("/metrics").partition("Releases and deploy marks")[2]


def test_a_deploy_mark_in_the_newest_slot_is_at_the_start_of_its_bar(ana: Visitor, redis: Redis) -> None:
    redis.hset("20260329-marks", "2026-03-29T11:00:00Z", "new")
    job_metrics.add(redis, {"PayJob": Tally(processed=1, ms=5.0)}, now=NOW)

    page = ana.page("/metrics", span="8h")

    assert re.findall(r'class="mark fired" d="M([\d.]+) ', page) == ["940.0"]
    assert re.findall(r'class="release-line" d="M([\d.]+) ', page) == ["940.0"]


def test_the_texts_above_the_lines_of_a_chart_leave_each_other_room() -> None:
    marks = [(NOW - timedelta(minutes=minute), f"v{minute}") for minute in (1, 2, 10, 20)]

    chart = framed("", (), Stretch(NOW - timedelta(hours=1), NOW, UTC, marks), "")

    assert re.findall(r">(v\d+)</text>", chart) == ["v1", "v10", "v20"]
    assert re.findall(r'class="hide-small">(v\d+)<', chart) == ["v10", "v20"]
    assert len(re.findall("<title>", chart)) == len(marks)


def test_the_text_of_a_line_near_an_edge_stays_in_the_chart() -> None:
    marks = [(NOW - timedelta(minutes=minute), "v" * 14) for minute in (4, 50)]

    chart = framed("", (), Stretch(NOW - timedelta(hours=1), NOW, UTC, marks), "")

    assert re.findall(r'text-anchor="(\w+)"[^>]*>v', chart) == ["end", "start"]


def test_run_times_of_0_ms_have_an_axis_without_a_second_zero() -> None:
    chart = dots([(0.0, False), (0.0004, False)], "Run time")

    assert re.findall(r'text-anchor="end">([^<]*)<', chart) == ["1 ms", "0 s"]


def test_the_week_counts_past_and_future_runs_by_hour(ana: Visitor, redis: Redis) -> None:
    for hour in (1, 1, 2):
        due = NOW.replace(hour=hour) - timedelta(days=2)
        record = json.dumps({"decision": "fired", "due": to_ms(due)})
        redis.xadd("clock:history:reminders", {"entry": record}, id=f"{to_ms(due)}-*")

    week = ana.json("/heat")["week"]

    assert list(week) == [f"2026-03-{day}" for day in range(23, 30)]
    assert week["2026-03-27"][2:4] == [2, 1]
    assert week["2026-03-29"][14:16] == [6, 6]
    assert sum(ana.json("/heat", day="2026-03-30")["week"]["2026-03-30"]) == 145


def test_the_year_has_a_square_for_each_day(ana: Visitor, redis: Redis) -> None:
    redis.set("stat:processed:2026-03-28", 90)
    redis.set("stat:failed:2026-03-28", 4)

    year = ana.json("/heat")["year"]

    assert len(year) == 371
    assert year["2026-03-28"] == {"processed": 90, "failed": 4}
    assert "Sat 28 Mar 2026: 90 jobs, 4 failed" in ana.page("/heat")


@pytest.mark.parametrize(("path", "title"), [("/", "Schedules"), ("/scheduled", "Scheduled jobs")])
def test_the_titles_tell_schedules_from_scheduled_jobs(ana: Visitor, path: str, title: str) -> None:
    assert f"<h1>{title}</h1>" in ana.page(path)


def test_a_part_of_a_name_leads_to_pages_events_and_queues(ana: Visitor, redis: Redis) -> None:
    redis.sadd("queues", "reminder_mails")

    found = ana.json("/go", q="REMIND")

    assert [(one["kind"], one["link"]) for one in found] == [
        ("event", "/event?name=reminders"),
        ("queue", "/queue?name=reminder_mails"),
    ]
    assert ana.json("/go", q="tri")[0]["link"] == "/retries"
    assert "Nothing has this name" in ana.text("/go", q="zzzz")


def test_a_queue_is_paused_and_resumed(ana: Visitor, redis: Redis) -> None:
    redis.sadd("queues", "default")

    assert ana.post("/act/pause_queue", SAME_SITE, name="default").status == 303
    assert redis.smembers("paused") == {b"default"}
    assert "This queue is paused" in ana.text("/queue", name="default")
    assert "paused" in ana.text("/queues")

    assert ana.post("/act/unpause_queue", SAME_SITE, name="default").status == 303
    assert not redis.exists("paused")


def test_a_queue_is_searched(ana: Visitor, redis: Redis) -> None:
    redis.sadd("queues", "default")
    for name in ("SendMailJob", "PayJob"):
        redis.lpush("queue:default", json.dumps({"class": name, "jid": name, "args": ["ada"]}))

    jobs = ana.json("/queue", name="default", **{"class": "pay*", "args": "ADA"})["jobs"]
    assert jobs == []
    jobs = ana.json("/queue", name="default", **{"class": "Pay", "args": "ADA"})["jobs"]
    assert [job["jid"] for job in jobs] == ["PayJob"]


def test_a_queue_shows_its_trend(ana: Visitor, redis: Redis) -> None:
    redis.sadd("queues", "default")
    for _ in range(3):
        redis.lpush("queue:default", "{}")
        ana.dashboard._data.changed()
        page = ana.page("/queues")

    assert "from 1 to 3 jobs" in page
    assert re.search(r'<polyline points="0\.0,[0-9.]+ 48\.0', page)


def test_events_of_database_rows_have_their_next_run(redis: Redis, tmp_path: Path) -> None:
    file = tmp_path / "clock.py"
    file.write_text(
        "from datetime import timedelta\n"
        "from clock import every, sync_events\n"
        "from tests.web.month_jobs import RemindPupilsJob\n"
        "every().hour.do(print).named('ours')\n"
        "def rows():\n"
        "    return [{'id': 7, 'name': 'from.row', 'every': '1 day', 'at': '06:00', 'args': ['x']}]\n"
        "sync_events(rows, every=timedelta(minutes=1), do=RemindPupilsJob)\n"
    )
    timetable = load(file, root=Path.cwd())
    dashboard = Dashboard(Source(redis, timetable, FakeClock(NOW)), access=lambda request: Access("ana"))

    rows = Visitor(dashboard, None).json("/")

    assert [row["name"] for row in rows] == ["from.row", "ours"]
    assert all(row["next_due"] for row in rows)


def test_the_events_of_the_clock_file_are_shown_if_the_rows_of_a_database_cannot_be_read(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    timetable = loads(
        "from datetime import timedelta\n"
        "from clock import every, sync_events\n"
        "every().hour.do(print).named('ours')\n"
        "def rows():\n"
        "    raise RuntimeError('no database')\n"
        "sync_events(rows, every=timedelta(minutes=1), do=print)\n"
    )
    dashboard = Dashboard(Source(redis, timetable, FakeClock(NOW)), access=lambda request: Access("ana"))

    rows = Visitor(dashboard, None).json("/")

    assert [row["name"] for row in rows] == ["ours"]
    assert "The dashboard could not read the events of a database: " in caplog.text
    assert "no database" in caplog.text


def test_the_next_runs_of_an_event_end_with_its_last_one_or_with_its_condition(redis: Redis) -> None:
    timetable = loads(
        "from datetime import timedelta\n"
        "from clock import configure, every\n"
        "configure(tz='UTC')\n"
        "every().hour.until('2026-03-29 14:30').do(print).named('ends')\n"
        "@every(timedelta(hours=1), 'asks', if_=lambda due: True)\n"
        "def asks(name, due): ...\n"
    )
    dashboard = Dashboard(Source(redis, timetable, FakeClock(NOW)), access=lambda request: Access("ana"))
    visitor = Visitor(dashboard, None)

    assert len(visitor.json("/event", name="ends")["upcoming"]) == 3
    assert len(visitor.json("/event", name="asks")["upcoming"]) == 1


def test_findings_about_events_are_kept_for_a_bounded_number_of_them(
    ana: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "MOST_HAZARDS", 1)

    for name in ("reminders", "ticks", "reminders"):
        ana.page("/event", name=name)

    assert len(ana.dashboard._data._hazards) == 1


def test_the_page_of_a_job_has_its_way_with_its_outcome(ana: Visitor, redis: Redis) -> None:
    at = NOW.timestamp()
    job = {"class": "PayJob", "jid": "abc", "args": [], "created_at": at, "failed_at": at + 5, "error_class": "E"}
    job |= {"error_message": "no money", "clock": {"event": "reminders", "due": to_ms(NOW)}}
    redis.zadd("retry", {json.dumps(job): at + 60})
    record = {"decision": "fired", "due": to_ms(NOW), "jobs": 1, "jids": ["abc"]}
    redis.xadd("clock:history:reminders", {"entry": json.dumps(record)})
    outcome = {"jid": "abc", "outcome": "retry", "at": to_ms(NOW) + 5000, "took_ms": 5, "error": "E: no money"}
    redis.xadd("clock:outcomes:reminders", {"entry": json.dumps(outcome)})

    words = ana.text("/job", **{"jid": "abc", "in": "retry", "at": at + 60})

    assert "no money" in words
    assert "13:00:00" in words
    assert "13:00:05" in words


def test_a_running_job_shows_its_progress_and_is_cancelled(ana: Visitor, redis: Redis) -> None:
    payload = json.dumps({"class": "ImportJob", "jid": "abc", "args": []})
    report = {"payload": payload, "run_at": 1, "queue": "default", "progress": {"done": 50, "total": 200}}
    redis.sadd("processes", "w1")
    redis.hset("w1", mapping={"info": '{"concurrency":5}', "beat": NOW.timestamp(), "busy": 1})
    redis.hset("w1:work", "t1", json.dumps(report))

    page, asked = ana.page("/busy"), ana.text("/act/cancel_job", jid="abc", worker="w1")
    done = ana.post("/act/cancel_job", SAME_SITE, jid="abc", worker="w1")
    missing = ana.post("/act/cancel_job", SAME_SITE, jid="other", worker="w1")

    assert '<progress value="50" max="200"' in page
    assert "ImportJob ends at its next checkpoint" in asked
    assert (done.status, missing.status) == (303, 404)
    assert redis.zrange("clock:cancelled", 0, -1) == [b"abc"]


@pytest.mark.parametrize(
    ("at", "date"),
    [
        ("yesterday", "2026-03-28"),
        ("today", "2026-03-29"),
        ("monday", "2026-03-23"),
        (" Fri 06:00", "2026-03-27 06:00"),
    ],
)
def test_why_takes_the_name_of_a_day_in_the_events_zone(ana: Visitor, at: str, date: str) -> None:
    named, dated = (ana.json("/why", name="reminders", at=text)["why"] for text in (at, date))

    assert named == dated
