from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable

import pytest
from redis import Redis

from clock.web import LOCAL_HOSTS, Access, Request, basic, local
from clock.web.actions import ACTIONS
from clock.web.pages import PAGES
from tests.web.conftest import SAME_SITE, Visitor

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


def test_a_viewer_without_that_permission_sees_no_arguments(visit: Callable[..., Visitor], redis: Redis) -> None:
    redis.sadd("queues", "default")
    redis.lpush("queue:default", '{"class":"PayJob","jid":"abc","args":["4242 4242"]}')
    reader = visit(Access("reader", see_arguments=False))

    shown = [
        reader.page("/queue", name="default"),
        reader.page("/job", jid="abc", **{"in": "queue:default", "at": ":0:4"}),
        str(reader.json("/queue", name="default")),
        str(reader.json("/job", jid="abc", **{"in": "queue:default", "at": ":0:4"})),
    ]

    assert all("PayJob" in page for page in shown)
    assert not any("4242" in page for page in shown)


def test_hidden_arguments_never_leave_the_server(ana: Visitor, redis: Redis) -> None:
    redis.sadd("queues", "default")
    redis.lpush("queue:default", '{"class":"PayJob","jid":"abc","args":["4242 4242"],"redact":[0]}')

    shown = [
        ana.page("/queue", name="default"),
        str(ana.json("/queue", name="default")),
        ana.page("/job", jid="abc", **{"in": "queue:default", "at": ":0:4"}),
        str(ana.json("/job", jid="abc", **{"in": "queue:default", "at": ":0:4"})),
    ]

    assert all("[hidden]" in page for page in shown)
    assert not any("4242" in page for page in shown)


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
