from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from html import unescape
from pathlib import Path

import pytest
from redis import Redis

from clock import api
from clock.rehearsal.fake_clock import FakeClock
from clock.store.ledger import schedules
from clock.timetable import load
from clock.web import LOCAL_HOSTS, Access, Dashboard, Request, Source, basic, local
from clock.web.pages import ACTIONS, PAGES
from tests.web.conftest import NOW, SAME_SITE, Visitor

FORM = {"content-type": "application/x-www-form-urlencoded"}
GUARDED = sorted(name for name, action in ACTIONS.items() if action.permission)


@pytest.mark.parametrize("path", sorted(PAGES))
def test_every_page_is_closed_to_somebody_without_access(visit: Callable[..., Visitor], path: str) -> None:
    assert visit(None).get(path).status == 403


@pytest.mark.parametrize("name", GUARDED)
def test_every_action_is_refused_to_somebody_who_may_only_read(
    visit: Callable[..., Visitor], redis: Redis, name: str
) -> None:
    redis.lpush("queue:default", "{}")
    before = redis.dbsize()

    found = visit(Access("reader")).post(f"/act/{name}", event="reminders", name="default")

    assert found.status == 403
    assert str(ACTIONS[name].permission) in found.body.decode()
    assert redis.dbsize() == before


@pytest.mark.parametrize("name", sorted(ACTIONS))
@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "https://evil.example", "host": "clock.example"},
        {"origin": "null", "host": "clock.example"},
        {"host": "clock.example"},
        {"cookie": "clock_token=" + "a" * 32},
    ],
    ids=["cross-site", "sub-domain", "no site", "origin", "null origin", "no header", "cookie without token"],
)
def test_every_action_is_refused_from_a_foreign_origin(
    ana: Visitor, redis: Redis, name: str, headers: dict[str, str]
) -> None:
    found = ana.post(f"/act/{name}", {**FORM, **headers}, event="reminders", name="default")

    assert found.status == 403
    assert redis.dbsize() == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "same-origin"},
        {"origin": "http://clock.example", "host": "clock.example"},
        {"cookie": "clock_token=" + "a" * 32},
    ],
    ids=["site", "origin", "token"],
)
def test_an_action_from_a_page_of_the_dashboard_is_done(ana: Visitor, headers: dict[str, str]) -> None:
    found = ana.post("/act/pause", {**FORM, **headers}, event="reminders", token="a" * 32)

    assert found.status == 303


def test_the_token_of_a_form_is_that_of_the_cookie(ana: Visitor) -> None:
    found = ana.get("/act/pause", event="reminders")

    [cookie] = found.cookies
    [token] = re.findall(r'name="token" value="([^"]+)"', found.body.decode())
    assert cookie.startswith(f"clock_token={token};")
    assert "SameSite=Strict" in cookie
    assert "HttpOnly" in cookie


def test_an_action_is_not_done_by_a_link(ana: Visitor, redis: Redis) -> None:
    ana.page("/act/pause", event="reminders")

    assert not redis.exists("clock:paused")


def test_a_reader_sees_no_buttons_for_what_is_not_allowed(visit: Callable[..., Visitor]) -> None:
    page = visit(Access("reader")).page("/")

    assert "/act/" not in page


HIDDEN = "hunter2"  # an argument that the job class hides
OPEN = "swordfish"  # an argument that only the permission hides
NAMES = ("charge", "monitored", "remind", "call", "partial", "lambda")
SECRETS = f"""
from functools import partial
from clock import every
from tests.web.month_jobs import ChargeBuyerJob, RemindPupilsJob
every().day.at("06:00").do(ChargeBuyerJob, "o7", {HIDDEN!r}, 9).named("charge")
every().day.at("07:00").do(ChargeBuyerJob.set(queue="b"), "o7", {HIDDEN!r}, 9).monitor("m").named("monitored")
every().day.at("08:00").do(RemindPupilsJob, {OPEN!r}).named("remind")
every().day.at("09:00").do(print, {OPEN!r}).named("call")
every().day.at("10:00").do(partial(print, {OPEN!r})).named("partial")
every().day.at("11:00").do(lambda: print({OPEN!r})).named("lambda")
"""
QUERIES: Mapping[str, Sequence[Mapping[str, str]]] = {
    "/event": [{"name": name} for name in (*NAMES, "feed")],
    "/why": [{"name": name, "at": "2026-03-30"} for name in (*NAMES, "feed")],
    "/run-time": [{}, {"edit": "feed"}, {"edit": "foreign"}],
    "/go": [{"q": "e"}],
    "/queue": [{"name": "default"}],
    "/job": [{"jid": "abc", "in": "queue:default", "at": ":0:4"}],
    "/act/fire": [{"event": name} for name in (*NAMES, "feed")],
    "/act/put_schedule": [{"name": "feed", "job": "ChargeBuyerJob", "cron": "0 7 * * *"}],
}


@pytest.fixture
def secrets(redis: Redis, tmp_path: Path) -> Source:
    """Jobs, events and schedules at run time with secret arguments."""
    redis.sadd("queues", "default")
    job = {"class": "ChargeBuyerJob", "jid": "abc", "args": ["o7", HIDDEN, 9], "redact": [1, "card"]}
    redis.lpush("queue:default", json.dumps(job))
    for place in ("retry", "schedule", "dead"):
        redis.zadd(place, {json.dumps({**job, "queue": "default", "retry": True}): 9})
    for name, job_class in (("feed", "ChargeBuyerJob"), ("foreign", "JobOfAnotherProgram")):
        stored = {"job": job_class, "args": ["o7", HIDDEN, 9]}
        schedules.put(redis, name, {"cron": "0 6 * * *", "tz": "UTC"}, stored, None)
    file = tmp_path / "secrets.py"
    file.write_text(SECRETS)
    return Source(redis, load(file, root=Path.cwd()), FakeClock(NOW))


def _shown(secrets: Source, access: Access) -> Mapping[str, str]:
    """All pages and the questions that show an action: each with its query, as HTML and as JSON."""
    visitor = Visitor(Dashboard(secrets, access=lambda request: access), access)
    asked = [(path, query) for path in (*PAGES, *QUERIES) for query in QUERIES.get(path, [{}])]
    return {
        f"{path} {query}": f"{visitor.page(path, **query)}{visitor.json(path, **query)}" for path, query in asked
    }


def test_a_viewer_without_that_permission_sees_no_arguments(secrets: Source) -> None:
    shown = _shown(secrets, Access("bea", see_arguments=False, fire=True, schedule=True))

    assert [page for page, text in shown.items() if HIDDEN in text or OPEN in text] == []
    assert "ChargeBuyerJob" in shown["/act/fire {'event': 'charge'}"]
    assert "print" in shown["/act/fire {'event': 'partial'}"]


@pytest.mark.parametrize("path", ["/queue", "/dead", "/act/delete_jobs"])
def test_a_viewer_without_that_permission_cannot_search_in_arguments(secrets: Source, path: str) -> None:
    access = Access("bea", see_arguments=False, delete=True)
    bea = Visitor(Dashboard(secrets, access=lambda request: access), access)

    found = bea.get(path, name="default", args="o7", **{"in": "dead"})

    assert (found.status, "so you cannot search in them" in found.body.decode()) == (403, True)


def test_arguments_that_a_job_class_hides_never_leave_the_server(secrets: Source) -> None:
    shown = _shown(secrets, Access.everything("ana"))

    assert [page for page, text in shown.items() if HIDDEN in text] == []
    assert "ChargeBuyerJob('o7', '[hidden]', 9)" in unescape(shown["/event {'name': 'charge'}"])
    assert OPEN in shown["/act/fire {'event': 'call'}"]


@pytest.mark.parametrize("access", [Access.everything("ana"), Access("bea", see_arguments=False, schedule=True)])
def test_a_form_that_hides_the_arguments_of_a_schedule_keeps_them(secrets: Source, access: Access) -> None:
    visitor = Visitor(Dashboard(secrets, access=lambda request: access), access)
    before = api.Schedules(redis=secrets.redis).get("feed")
    assert before
    form = {"name": "feed", "job": "ChargeBuyerJob", "tz": "UTC", "version": before.version}

    moved = visitor.get("/act/put_schedule", **form | {"job": "RemindPupilsJob", "cron": "0 6 * * *"})
    saved = visitor.post("/act/put_schedule", **form, cron="0 7 * * *")

    after = api.Schedules(redis=secrets.redis).get("feed")
    assert after
    assert (saved.status, after.fields) == (303, {**before.fields, "cron": "0 7 * * *"})
    assert moved.status == 400
    assert "so another job cannot get them" in moved.body.decode()


@pytest.mark.parametrize(
    ("sent", "user"),
    [("ana:secret", "ana"), ("ana:wrong", None), ("bob:secret", None), ("ana:", None), (":", None), ("", None)],
)
def test_basic_authentication_lets_in_only_that_name_and_password(sent: str, user: str | None) -> None:
    check = basic("ana", "secret", False)

    access = check(Request("GET", "/", headers={"authorization": f"Basic {b64encode(sent.encode()).decode()}"}))

    assert (access.user if access else None) == user


def test_a_broken_authorization_header_lets_nobody_in() -> None:
    check = basic("ana", "secret", True)

    assert check(Request("GET", "/", headers={"authorization": "Basic !!"})) is None
    assert check(Request("GET", "/", headers={"authorization": "Bearer YW5hOnNlY3JldA=="})) is None


def test_whoever_is_refused_is_asked_to_sign_in(visit: Callable[..., Visitor]) -> None:
    found = visit(None, sign_in='Basic realm="clock"').get("/")

    assert (found.status, found.headers["www-authenticate"]) == (401, 'Basic realm="clock"')


def test_the_local_dashboard_is_read_only_unless_writes_are_allowed() -> None:
    reader, writer = local(False)(Request("GET", "/")), local(True)(Request("GET", "/"))

    assert reader is not None
    assert not any(reader.allows(action.permission) for action in ACTIONS.values() if action.permission)
    assert writer is not None
    assert all(writer.allows(action.permission) for action in ACTIONS.values() if action.permission)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(
            ("localhost:8025", 200),
            ("127.0.0.1", 200),
            ("[::1]:80", 200),
            ("LocalHost", 200),
            ("evil.example", 403),
        ),
        *(("localhost@evil.example", 403), ("127.0.0.1.evil.example", 403), ("a, localhost", 403)),
    ],
)
def test_a_name_that_points_to_this_machine_from_outside_is_refused(
    visit: Callable[..., Visitor], host: str, status: int
) -> None:
    assert visit(hosts=LOCAL_HOSTS).get("/", {"host": host}).status == status


@pytest.mark.parametrize("path", ["/", "/nothing", "/static/dashboard.css", "/act/pause"])
def test_every_response_has_the_security_headers(ana: Visitor, path: str) -> None:
    headers = ana.get(path).headers

    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:1", "x"]
)
def test_after_an_action_nobody_is_sent_to_another_site(ana: Visitor, back: str) -> None:
    found = ana.post("/act/pause", SAME_SITE, event="reminders", back=back)

    assert found.headers["location"] == "/"
