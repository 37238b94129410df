from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from redis import Redis

from clock import api
from clock.api.schedules import ScheduleFields
from clock.clocks import to_ms
from clock.inspection.audit import changes
from clock.rehearsal.fake_clock import FakeClock
from clock.store.ledger.ledger import RedisLedger
from clock.timetable import load
from clock.web import Access, Dashboard, Request, Source
from clock.web.cache import Overview
from clock.web.pages import event, job_sets
from clock.web.pages.run_time import as_texts
from tests.web.conftest import EVERYTHING, NOW, SAME_SITE, Visitor

NOW_SECONDS = NOW.timestamp()


def _job(number: int, job_class: str = "SendMailJob") -> str:
    fields = {"class": job_class, "args": [number], "queue": "default", "jid": f"{number:024x}", "retry": True}
    return json.dumps({**fields, "error_class": "OSError", "error_message": "down", "failed_at": NOW_SECONDS})


@pytest.fixture
def dead(redis: Redis) -> list[str]:
    """Three dead jobs; the second one is of another class."""
    jobs = [_job(1), _job(2, "ChargeBuyerJob"), _job(3)]
    redis.zadd("dead", {job: NOW_SECONDS - place for place, job in enumerate(jobs)})
    return jobs


def _ask_and_answer(visitor: Visitor, link: str, **inputs: str) -> str:
    """Follow a link to a question and send its form, as a browser does without JavaScript; the message."""
    path, query = urlsplit(link).path, dict(parse_qsl(urlsplit(link).query))
    page = visitor.page(path, **query)
    [action] = re.findall(r'<form method="post" action="([^"]+)"', page)
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page)
    done = visitor.post(action, SAME_SITE, **{name: unescape(value) for name, value in hidden}, **inputs)
    assert done.status == 303, done.body.decode()
    cookie = done.cookies[0].split(";")[0]
    after = visitor.dashboard.handle(Request("GET", "/", headers={"cookie": cookie})).body.decode()
    return " ".join(re.findall(r'role="status">([^<]+)<', after))


def _form(visitor: Visitor, path: str, **query: str) -> dict[str, str]:
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', visitor.page(path, **query))
    return {name: unescape(value) for name, value in hidden}


def test_a_form_that_is_sent_twice_is_carried_out_once_by_all_web_processes(
    visit: Callable[..., Visitor], redis: Redis
) -> None:
    here, elsewhere = visit(), visit()
    form = _form(here, "/act/fire", event="reminders")

    first, second = here.post("/act/fire", **form), elsewhere.post("/act/fire", **form)
    jobs = redis.llen("queue:default")
    cookie = second.cookies[0].split(";")[0]
    after = here.dashboard.handle(Request("GET", "/", headers={"cookie": cookie})).body.decode()
    here.post("/act/fire", **_form(here, "/act/fire", event="reminders"))

    assert (first.status, second.status) == (303, 303)
    assert jobs == 1
    assert "This form was sent before. Look at the state below before you send it again." in after
    assert redis.llen("queue:default") == 2
    assert [entry.change.what for entry in changes(redis, 5)] == ["fire", "fire"]


def test_the_form_of_an_action_that_failed_may_be_sent_again(ana: Visitor, redis: Redis) -> None:
    form = _form(ana, "/act/pause", event="reminders")

    refused = ana.post("/act/pause", **form, until="yesterday")
    done = ana.post("/act/pause", **form)
    unknown = ana.post("/act/pause", **{**form, "form": "x"})

    assert (refused.status, done.status, unknown.status) == (400, 303, 400)
    assert redis.keys("clock:sent_form:*") == [b"clock:sent_form:" + form["form"].encode()]
    assert 0 < redis.ttl("clock:sent_form:" + form["form"]) <= 86_400


def test_the_form_of_an_action_that_may_have_been_carried_out_is_not_sent_again(
    ana: Visitor, redis: Redis
) -> None:
    form = _form(ana, "/act/pause", event="reminders")
    redis.set("clock:paused", "of another type")

    failed = ana.post("/act/pause", **form)
    redis.delete("clock:paused")
    again = ana.post("/act/pause", **form)

    assert (failed.status, again.status) == (503, 303)
    assert not redis.exists("clock:paused")


def test_a_visitor_without_permissions_writes_nothing_and_starts_no_new_reading(
    visit: Callable[..., Visitor], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, read = visit(Access("bea")), list[object]()
    reader.page("/")
    monkeypatch.setattr(Overview, "_run", lambda *wanted: read.append(wanted))
    before = redis.keys()

    chosen = reader.post("/act/display", theme="dark", form="A" * 16)
    reader.page("/")

    assert chosen.status == 303
    assert redis.keys() == before
    assert not read


def test_an_event_is_paused_for_an_hour_with_a_reason(ana: Visitor) -> None:
    message = _ask_and_answer(ana, "/act/pause?event=reminders", **{"for": "1h", "note": "mail server moves"})

    [reminders, _] = ana.json("/")
    assert message == "Paused 1 event."
    assert reminders["pause"] == "paused by ana: mail server moves"
    assert "It lasts until 14:00 CEST." in ana.text("/event", name="reminders")


def test_a_backfill_shows_its_runs_before_it_makes_them(ana: Visitor, redis: Redis) -> None:
    link = "/act/backfill?event=reminders&from=2026-03-26&to=2026-03-29"

    period = {"from": "2026-03-26", "to": "2026-03-29"}
    asked = ana.text("/act/backfill", event="reminders", **period)
    message = _ask_and_answer(ana, link)
    again = ana.text("/act/backfill", event="reminders", **period)

    assert "Backfill 3 runs of reminders?" in asked
    assert "2026-03-28 06:00:00 CET: would run" in asked
    assert message == "Backfilled 3 runs."
    assert redis.llen("queue:default") == 3
    assert "Nothing to backfill for reminders" in again
    assert "Skipped: 3 backfilled already" in again
    assert ">Backfill</button>" in ana.page("/act/backfill", event="reminders", **{"from": "2026-03-20"})
    assert "<form method=" not in ana.page("/act/backfill", event="reminders", **period).partition("<main")[2]
    assert ana.get("/act/backfill", event="reminders", **{"from": "2026-03-30"}, to="2026-03-29").status == 400
    assert [entry.change.what for entry in changes(redis, 5)] == ["backfill"]


def test_a_backfill_of_too_many_runs_for_one_request_is_refused(
    ana: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event, "MOST_RUNS", 2)

    found = ana.get("/act/backfill", event="reminders", **{"from": "2026-03-26", "to": "2026-03-29"})

    assert found.status == 400
    assert "3" in found.body.decode()


def test_a_schedule_is_previewed_stored_changed_and_deleted(ana: Visitor, redis: Redis) -> None:
    fields = {"name": "feed", "job": "RemindPupilsJob", "tz": "Europe/Berlin", "args": '["due"]'}
    new = f"/act/put_schedule?{urlencode({**fields, 'cron': '0 6 * * *', 'version': 0})}"

    message = _ask_and_answer(ana, new)
    [stored] = ana.json("/run-time")
    changed = {**fields, "cron": "0 8 * * *", "version": stored["version"]}
    preview = ana.text("/act/put_schedule", **changed)
    _ask_and_answer(ana, f"/act/put_schedule?{urlencode(changed)}")
    stale = ana.post("/act/put_schedule", SAME_SITE, **changed)
    events = [row["name"] for row in ana.json("/")]
    [latest] = ana.json("/run-time")
    deleted = _ask_and_answer(ana, f"/act/delete_schedule?name=feed&version={latest['version']}")

    assert (message, deleted) == ("Stored the schedule.", "Deleted the schedule.")
    assert "cron: 0 6 * * * → 0 8 * * *" in preview
    assert "next run Mon 2026-03-30 08:00:00 CEST" in preview
    assert stale.status >= 400
    assert "was expected: read it again" in stale.body.decode()
    assert "feed" in events
    assert ana.json("/run-time") == []
    assert [(entry.change.who, entry.change.what) for entry in changes(redis, 1)] == [("ana", "delete_schedule")]


def _inputs(visitor: Visitor, name: str) -> dict[str, str]:
    """The inputs of the form of a stored schedule, as a browser sends them."""
    page = visitor.page("/run-time", edit=name)
    [form] = re.findall(r'<form class="wide-form".*?</form>', page, re.DOTALL)
    return {key: unescape(value) for key, value in re.findall(r'name="([^"]+)" value="([^"]*)"', form)}


def test_an_edit_in_the_form_keeps_fields_that_the_form_does_not_show(ana: Visitor, redis: Redis) -> None:
    schedules = api.Schedules(redis=redis)
    hidden: ScheduleFields = {"monitor": "feed", "catch_up": "all", "overlap": "skip", "jitter": 60}
    fields: ScheduleFields = {"every": timedelta(days=1), "at": ["06:00", "18:00"], "args": ["due"], **hidden}
    schedules.put("feed", job="RemindPupilsJob", **fields)

    preview = ana.text("/act/put_schedule", **_inputs(ana, "feed") | {"queue": "slow"})
    _ask_and_answer(ana, f"/act/put_schedule?{urlencode(_inputs(ana, 'feed') | {'queue': 'slow'})}")

    stored = schedules.get("feed")
    assert stored
    assert stored.fields == {
        "job": "RemindPupilsJob",
        "args": ["due"],
        "every": 86400.0,
        "at": ["06:00", "18:00"],
        "tz": "UTC",
        "queue": "slow",
        **hidden,
    }
    assert "starts again" not in preview


def test_the_form_sets_and_removes_the_end_of_a_schedule(ana: Visitor, redis: Redis) -> None:
    schedules = api.Schedules(redis=redis)
    schedules.put("feed", job="RemindPupilsJob", args=["due"], cron="0 6 * * *")

    ends = []
    for until in ("2026-04-01", ""):
        _ask_and_answer(ana, f"/act/put_schedule?{urlencode(_inputs(ana, 'feed') | {'until': until})}")
        ends.append((_inputs(ana, "feed")["until"], "until 2026-04-01 (UTC)" in ana.text("/run-time")))

    assert ends == [("2026-04-01", True), ("", False)]


def test_an_edit_in_the_form_keeps_an_rrule_until_a_cron_replaces_it(ana: Visitor, redis: Redis) -> None:
    schedules = api.Schedules(redis=redis)
    schedules.put("feed", job="RemindPupilsJob", args=["due"], rrule="FREQ=DAILY;BYHOUR=6", monitor=True)

    kinds = []
    for change in ({"queue": "slow"}, {"cron": "0 6 * * *"}):
        _ask_and_answer(ana, f"/act/put_schedule?{urlencode(_inputs(ana, 'feed') | change)}")
        stored = schedules.get("feed")
        assert stored
        kinds.append([name for name in ("rrule", "cron", "monitor") if name in stored.fields])

    assert kinds == [["rrule", "monitor"], ["cron", "monitor"]]


@pytest.mark.parametrize(("every", "at"), [([5], 5), (True, [6, "7"]), ({}, None)])
def test_times_that_another_program_has_written_are_shown_as_they_are(
    ana: Visitor, redis: Redis, every: object, at: object
) -> None:
    timing = json.dumps({"every": every, "at": at})
    redis.hset("clock:schedules", "feed", f'1 1\n{timing}\n{{"job": "RemindPupilsJob", "args": []}}')

    assert "feed" in ana.text("/run-time")
    assert as_texts({"every": every})["every"] == str(every)


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        (None, ""),
        ("06:00", "06:00"),
        (["06:00", "07:00"], "06:00, 07:00"),
        (("06:00", "07:00"), "06:00, 07:00"),
        (5, "5"),
    ],
)
def test_the_form_shows_times_as_they_are_entered(at: object, shown: str) -> None:
    assert as_texts({"at": at})["at"] == shown


@pytest.mark.parametrize(
    "wrong",
    [{"job": "RemindPupilJob"}, {"cron": "0 25 * * *"}, {"args": "due"}, {"name": ""}, {"name": "reminders"}],
)
def test_an_invalid_schedule_is_refused_with_what_is_wrong(ana: Visitor, wrong: dict[str, str]) -> None:
    fields = {"name": "feed", "job": "RemindPupilsJob", "cron": "0 6 * * *", "args": '["due"]', **wrong}

    assert ana.get("/act/put_schedule", **fields).status in (400, 409)
    assert ana.post("/act/put_schedule", **fields, version=0).status in (400, 409)


@pytest.mark.parametrize("until", ["2026-03-30 08:00", "tomorrow 08:00", "2026-03-30 06:00+00:00", "19h"])
def test_an_event_is_paused_until_a_time_of_its_zone(ana: Visitor, until: str) -> None:
    asked = ana.text("/act/pause", event="reminders")
    found = ana.post("/act/pause", SAME_SITE, event="reminders", until=until)

    assert "Or until (Europe/Berlin)" in asked
    assert found.status == 303
    assert "It lasts until Mon 30 Mar, 08:00 CEST." in ana.text("/event", name="reminders")


@pytest.mark.parametrize("until", ["soon", "2026-03-01 08:00"])
def test_a_pause_until_a_time_that_cannot_be_is_refused_and_says_so(ana: Visitor, until: str) -> None:
    found = ana.post("/act/pause", SAME_SITE, event="reminders", until=until)

    assert found.status == 400
    assert until in found.body.decode()
    assert ana.json("/")[0]["pause"] is None


def test_the_page_that_shows_what_was_done_expires_its_cookie(ana: Visitor) -> None:
    done = ana.post("/act/pause", SAME_SITE, event="reminders")
    sent = {"cookie": done.cookies[0].partition(";")[0]}

    shown = ana.get("/", sent)

    assert b"Paused 1 event." in shown.body
    assert [one.split("; ")[2] for one in shown.cookies if one.startswith("clock_done=;")] == ["Max-Age=0"]
    assert not any(one.startswith("clock_done") for one in ana.get("/").cookies)


def test_several_events_are_paused_and_resumed_together(ana: Visitor) -> None:
    ana.post("/act/pause", SAME_SITE, event=["reminders", "ticks"])

    assert [event["pause"] for event in ana.json("/")] == ["paused by ana"] * 2

    ana.post("/act/resume", SAME_SITE, event=["reminders", "ticks"])

    assert [event["pause"] for event in ana.json("/")] == [None, None]


def test_the_whole_clock_is_paused_and_resumed(ana: Visitor) -> None:
    ana.post("/act/pause_all", SAME_SITE)

    assert ana.json("/")[0]["pause"] == "paused by ana"

    ana.post("/act/resume_all", SAME_SITE)

    assert ana.json("/")[0]["pause"] is None


def test_an_unknown_event_is_named(ana: Visitor, redis: Redis) -> None:
    found = ana.post("/act/pause", SAME_SITE, event="remindres")

    assert found.status == 404
    assert "remindres" in found.body.decode()
    assert "reminders" in found.body.decode()
    assert not redis.exists("clock:paused")


def test_an_event_of_another_clock_file_cannot_be_run_or_backfilled_here(redis: Redis) -> None:
    RedisLedger(redis, clock=FakeClock(NOW)).declare([("elsewhere", "every day")], to_ms(NOW))
    source = Source(redis, None, FakeClock(NOW))
    ana = Visitor(Dashboard(source, access=lambda request: EVERYTHING), EVERYTHING)

    for action in ("fire", "backfill"):
        found = ana.get(f"/act/{action}", event="elsewhere")
        assert (found.status, b"elsewhere" in found.body) == (409, True)


def test_an_event_is_run_now_once_the_page_has_said_what_it_pushes(ana: Visitor, redis: Redis) -> None:
    asked = ana.text("/act/fire", event="reminders")

    message = _ask_and_answer(ana, "/act/fire?event=reminders")

    assert "It pushes RemindPupilsJob" in asked
    assert message == "Ran the event: 1 job was pushed."
    assert redis.llen("queue:default") == 1
    assert ana.json("/")[0]["last"]["decision"] == "manual"


@pytest.mark.parametrize(("action", "place"), [("retry_job", "queue:default"), ("delete_job", None)])
def test_a_dead_job_is_retried_or_deleted(
    ana: Visitor, redis: Redis, dead: list[str], action: str, place: str | None
) -> None:
    link = f"/act/{action}?jid={1:024x}&in=dead&at={NOW_SECONDS}"

    message = _ask_and_answer(ana, link)

    assert "1 job" in message
    assert redis.zcard("dead") == 2
    assert redis.llen("queue:default") == (1 if place else 0)


def test_a_job_that_has_moved_on_is_not_found(ana: Visitor, dead: list[str], redis: Redis) -> None:
    redis.zrem("dead", dead[0])

    found = ana.post("/act/delete_job", SAME_SITE, **{"jid": f"{1:024x}", "in": "dead", "at": NOW_SECONDS})

    assert found.status == 404


def test_a_waiting_job_is_deleted_from_its_queue(ana: Visitor, redis: Redis) -> None:
    redis.sadd("queues", "default")
    redis.lpush("queue:default", _job(1), _job(2))

    _ask_and_answer(ana, f"/act/delete_job?jid={2:024x}&in=queue:default&at=:0:4")

    assert redis.lrange("queue:default", 0, -1) == [_job(1).encode()]


def test_a_waiting_job_cannot_be_retried(ana: Visitor, redis: Redis) -> None:
    redis.sadd("queues", "default")
    redis.lpush("queue:default", _job(1))

    found = ana.post("/act/retry_job", SAME_SITE, **{"jid": f"{1:024x}", "in": "queue:default", "at": ":0:1"})

    assert found.status == 404
    assert redis.llen("queue:default") == 1


def test_a_queue_is_cleared(ana: Visitor, redis: Redis) -> None:
    redis.sadd("queues", "default")
    redis.lpush("queue:default", _job(1), _job(2))

    message = _ask_and_answer(ana, "/act/clear_queue?name=default")

    assert message == "Deleted 2 jobs and the queue."
    assert not redis.exists("queue:default")


def test_the_maximum_of_a_limit_is_set_and_reset(ana: Visitor, redis: Redis) -> None:
    redis.hset("clock:limits", "crm", 3)

    message = _ask_and_answer(ana, "/act/set_limit?name=crm", maximum="10")

    assert message == "The maximum of the limit was changed."
    assert redis.hgetall("clock:limits") == {b"crm": b"10"}
    assert 'href="/act/set_limit?name=crm' in ana.page("/blocked")
    assert ana.post("/act/set_limit", SAME_SITE, name="crm", maximum="-1").status == 400
    _ask_and_answer(ana, "/act/set_limit?name=crm", maximum="")
    assert redis.hgetall("clock:limits") == {}
    assert [entry.change.target for entry in changes(redis, 5)] == ["crm: as in the code", "crm: 10"]


def test_a_retry_is_moved_to_the_dead_jobs(ana: Visitor, redis: Redis) -> None:
    redis.zadd("retry", {_job(1): NOW_SECONDS + 60})

    _ask_and_answer(ana, f"/act/bury_job?jid={1:024x}&in=retry&at={NOW_SECONDS + 60}")

    assert (redis.zcard("retry"), redis.zcard("dead")) == (0, 1)


@pytest.mark.parametrize(("action", "left"), [("delete_jobs", 1), ("retry_jobs", 1)])
def test_all_jobs_that_match_are_changed_and_no_others(
    ana: Visitor, redis: Redis, dead: list[str], action: str, left: int
) -> None:
    message = _ask_and_answer(ana, f"/act/{action}?in=dead&class=SendMail")

    assert "2 jobs" in message
    assert redis.zrange("dead", 0, -1) == [dead[1].encode()]


def test_all_dead_jobs_are_deleted(ana: Visitor, redis: Redis, dead: list[str]) -> None:
    assert _ask_and_answer(ana, "/act/delete_jobs?in=dead") == "Deleted 3 jobs."
    assert not redis.exists("dead")


def test_many_jobs_are_changed_step_by_step_with_a_page_in_between(
    ana: Visitor, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_sets, "STEP_JOBS", 300)
    redis.zadd("retry", {_job(number): NOW_SECONDS + number for number in range(4_000)})
    form: dict[str, str] = {"in": "retry"}
    steps = 0

    while (found := ana.post("/act/retry_jobs", SAME_SITE, **form)).status == 200:
        steps += 1
        page = found.body.decode()
        assert 'max="4000"' in page
        form = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page))

    assert steps >= 2
    assert found.status == 303
    assert (redis.zcard("retry"), redis.llen("queue:default")) == (0, 4_000)


def test_a_filtered_action_goes_on_where_its_last_step_ended(
    ana: Visitor, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_sets, "STEP_JOBS", 100)
    classes = ["SendMailJob", "ChargeBuyerJob"]
    redis.zadd("retry", {_job(number, classes[number % 2]): number for number in range(4_000)})
    form: dict[str, str] = {"in": "retry", "class": "ChargeBuyer"}

    while (found := ana.post("/act/delete_jobs", SAME_SITE, **form)).status == 200:
        form = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', found.body.decode()))

    assert redis.zcard("retry") == 2_000
    assert not [job for job in redis.zrange("retry", 0, -1) if b"ChargeBuyer" in job]


@pytest.mark.parametrize(("action", "signal"), [("quiet", b"TSTP"), ("stop", b"TERM"), ("threads", b"TTIN")])
def test_a_worker_gets_its_signal(ana: Visitor, redis: Redis, action: str, signal: bytes) -> None:
    redis.sadd("processes", "web-1:1:abc")
    redis.hset("web-1:1:abc", mapping={"info": json.dumps({"concurrency": 5}), "beat": NOW_SECONDS})

    _ask_and_answer(ana, f"/act/{action}_worker?worker=web-1:1:abc")

    assert redis.lrange("web-1:1:abc-signals", 0, -1) == [signal]


def test_a_worker_that_does_not_live_gets_no_signal(ana: Visitor, redis: Redis) -> None:
    assert ana.post("/act/stop_worker", SAME_SITE, worker="nobody").status == 404
    assert redis.dbsize() == 0


def test_each_change_is_in_the_audit_log_with_who_and_from_where(ana: Visitor, redis: Redis) -> None:
    request = Request("POST", "/act/pause", headers=SAME_SITE, body=b"event=reminders", remote="10.0.0.7")
    ana.dashboard.handle(request)

    [entry] = changes(redis, 10)
    change = entry.change
    assert (change.who, change.what, change.target, change.source) == ("ana", "pause", "reminders", "10.0.0.7")


def test_a_change_is_reported_as_done_although_the_audit_log_cannot_take_it(
    ana: Visitor, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    redis.set("clock:audit", "junk")

    message = _ask_and_answer(ana, "/act/fire?event=reminders")

    assert message == "Ran the event: 1 job was pushed."
    assert redis.llen("queue:default") == 1
    assert "The audit log has no entry of the change 'fire' of 'reminders" in caplog.text


def test_somebody_without_the_permission_is_told_which_one_is_missing(visit: Callable[..., Visitor]) -> None:
    reader = visit(Access("reader"))

    assert "'pause'" in reader.text("/act/pause", event="reminders")
    assert "<button" not in reader.page("/act/pause", event="reminders").split("<main")[1]


def test_theme_and_zone_are_kept_in_cookies(ana: Visitor) -> None:
    found = ana.post("/act/display", SAME_SITE, theme="dark", zone="Asia/Tokyo")

    cookies = "; ".join(cookie.split(";")[0] for cookie in found.cookies)
    page = ana.get("/", {"cookie": cookies}).body.decode()
    assert 'data-theme="dark"' in page
    assert "JST" in page


def test_an_unknown_zone_is_refused(ana: Visitor) -> None:
    found = ana.post("/act/display", SAME_SITE, zone="Mars/Olympus")

    assert found.status == 400
    assert "Mars/Olympus" in found.body.decode()
    assert not found.cookies


def test_an_event_whose_own_code_fails_gets_a_page_that_names_it_and_pushes_nothing(
    redis: Redis, tmp_path: Path
) -> None:
    for act in ("raise OSError(28, '<disk> is full')", "raise SystemExit(3)"):
        file = tmp_path / "clock.py"
        file.write_text(f"from clock import every\n@every(60, '<usage>')\ndef export(name, due):\n    {act}\n")
        source = Source(redis, load(file, root=tmp_path), FakeClock(NOW))
        ana = Visitor(Dashboard(source, access=lambda request: EVERYTHING), None)

        answer = ana.post("/act/fire", event="<usage>")

        assert answer.status == 422
        assert "The event failed" in answer.body.decode()
        assert "&lt;usage&gt;: " in answer.body.decode()
        assert redis.exists("queue:default", "clock:history:<usage>") == 0
