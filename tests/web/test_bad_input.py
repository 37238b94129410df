"""Bad input is refused with a plain page that names it; no input is a failure of the dashboard."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from redis import Redis

from clock.web import Request
from clock.web.http import MOST_BODY_BYTES, MOST_FIELDS
from clock.web.inputs import LONGEST_FIELD
from clock.web.pages import ACTIONS, PAGES
from tests.web.conftest import SAME_SITE, Visitor

#: page -> queries that it must refuse; the text of each is in the answer
BAD_QUERIES: list[tuple[str, dict[str, str]]] = [
    *((path, {"first": text}) for path in ("/", "/timeline") for text in ("-1", "x", "1.5", "1e3", "٣", "9" * 40)),
    *(
        (path, {"cursor": text})
        for path in ("/dead", "/retries", "/scheduled", "/queue?name=default")
        for text in ("1" * 30, "nan:0:4", ":-1:4", f":{'9' * 30}:4", "1_0:0:4", "\uff11:0:4", "a:b:c")
    ),
    *(
        (path, {"before": text})
        for path in ("/dead", "/retries", "/scheduled")
        for text in ("soon", "2026-13-01", "2h")
    ),
    ("/forecast", {"from": "2h"}),
    ("/dead", {"searched": "-1"}),
    ("/", {"order": "<script>"}),
    ("/", {"state": "../../etc/passwd"}),
    ("/audit", {"before": "yesterday"}),
    *(("/timeline", {"day": text}) for text in ("tomorrow", "2026-13-01", "0001-01-01", "9999-12-31")),
    *(("/why?name=reminders", {"at": text}) for text in ("soon", "0001-01-01", "\x00")),
]
BAD_FORMS: list[tuple[str, dict[str, Any], int]] = [
    ("pause", {}, 400),
    ("pause", {"event": "remindres"}, 404),
    ("pause", {"event": ["reminders", "remindres"]}, 404),
    ("pause", {"event": "reminders", "for": "2h"}, 400),
    ("pause", {"event": "reminders", "note": "x" * 301}, 400),
    *(("pause", {"event": "reminders", "until": text}, 400) for text in ("9999-12-31 23:59", "x", "2001-01-01")),
    ("fire", {"event": "remindres"}, 404),
    ("fire", {}, 400),
    ("display", {"theme": "pink"}, 400),
    *(("display", {"zone": text}, 400) for text in ("Mars/Olympus", "../../etc/passwd", "Europe", "\x00")),
    ("delete_jobs", {"in": "nowhere"}, 404),
    ("delete_jobs", {"in": "dead", "before": "soon"}, 400),
    ("delete_jobs", {"in": "dead", "before": "2h"}, 400),  # 2 hours from now would be all jobs
    ("retry_jobs", {"in": "dead", "cursor": "x"}, 400),
    ("bury_jobs", {"in": "retry", "changed": "many"}, 400),
    ("delete_job", {"in": "dead", "jid": "nobody", "at": "nan"}, 404),
    ("delete_job", {"in": "queue:nothing", "jid": "nobody"}, 404),
    ("clear_queue", {"name": "nothing"}, 404),
    ("set_limit", {"name": "nothing", "maximum": "3"}, 404),
    ("stop_worker", {"worker": "nobody"}, 404),
]
QUERIES = [
    "",
    "%",
    "=&=&;;",
    "name=%ff%fe&at=%00&jid=%00&in=%00&event=%00&worker=%00",
    "name=reminders&at=9998-12-31&day=2199-12-31&in=dead&before=2199-01-01T00:00%2B14:00",
    "first=999999999&in=retry&cursor=1e308:999999999999999:999999999999999&name=ticks",
    "first=&cursor=&before=&day=&at=&order=&state=&q=&name=reminders&event=reminders&in=dead",
    "format=json&format=x&name=__proto__&q=(?:a%2b)%2b$&in=queue:&at=:0:4",
]


@pytest.mark.parametrize(("path", "query"), BAD_QUERIES)
def test_a_query_that_cannot_be_used_is_refused_and_named(
    ana: Visitor, redis: Redis, path: str, query: dict[str, str]
) -> None:
    redis.rpush("queue:default", "{}")
    redis.sadd("queues", "default")
    path, _, fixed = path.partition("?")
    more = dict([fixed.split("=")]) if fixed else {}

    page, twin = ana.get(path, **query, **more), ana.get(path, format="json", **query, **more)

    assert (page.status, twin.status) == (400, 400)
    assert "Traceback" not in page.body.decode()
    assert b'"detail"' in twin.body


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/event", {"name": "remindres"}),
        ("/event", {}),
        ("/why", {"name": "remindres", "at": "2026-03-29"}),
        ("/queue", {"name": "nothing"}),
        ("/queue", {}),
        ("/job", {"jid": "nobody"}),
        ("/job", {"jid": "nobody", "in": "dead", "at": "x"}),
        ("/job", {"jid": "nobody", "in": "queue:nothing", "at": "x:y"}),
        ("/act/pause", {"event": "remindres"}),
        ("/act/nothing", {}),
        ("/nothing", {}),
        ("/queues/", {}),
    ],
)
def test_a_name_that_nothing_has_is_not_found(ana: Visitor, path: str, query: dict[str, str]) -> None:
    assert ana.get(path, **query).status == 404


@pytest.mark.parametrize(("name", "form", "status"), BAD_FORMS)
def test_a_form_that_cannot_be_used_changes_nothing(
    ana: Visitor, redis: Redis, name: str, form: dict[str, Any], status: int
) -> None:
    redis.zadd("dead", {"{}": 1.0})

    found = ana.post(f"/act/{name}", SAME_SITE, **form)

    assert found.status == status
    assert redis.keys() == [b"dead"]


@pytest.mark.parametrize("path", [*PAGES, *(f"/act/{name}" for name in ACTIONS)])
def test_a_page_names_the_methods_that_it_answers(ana: Visitor, path: str) -> None:
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "BREW"):
        found = ana.dashboard.handle(Request(method, path, headers=SAME_SITE))

        assert found.status == 405
        assert found.headers["allow"] == ("GET, HEAD, POST" if path.startswith("/act/") else "GET, HEAD")
    if not path.startswith("/act/"):
        assert ana.post(path, SAME_SITE).status == 405


@pytest.mark.parametrize("path", [*PAGES, *(f"/act/{name}" for name in ACTIONS)])
def test_no_query_is_a_failure_of_the_dashboard(ana: Visitor, caplog: pytest.LogCaptureFixture, path: str) -> None:
    with caplog.at_level(logging.ERROR, "clock.web"):
        found = {query: ana.dashboard.handle(Request("GET", path, query)).status for query in QUERIES}

    assert not {query: status for query, status in found.items() if status not in (200, 400, 404, 409)}
    assert not caplog.records


def test_a_field_that_is_too_long_is_refused(ana: Visitor) -> None:
    for query in ({"q": "x" * (LONGEST_FIELD + 1)}, {"x" * (LONGEST_FIELD + 1): "q"}):
        found = ana.get("/", **query)

        assert found.status == 400
        assert "The limit is 10,000" in found.body.decode()
        assert len(found.body) < 5_000


def test_a_form_that_is_too_large_or_of_another_type_is_refused_whole(ana: Visitor, redis: Redis) -> None:
    many = b"event=reminders" + b"&a" * MOST_FIELDS

    def send(body: bytes, kind: str = SAME_SITE["content-type"]) -> int:
        headers = {**SAME_SITE, "content-type": kind}
        return ana.dashboard.handle(Request("POST", "/act/pause", headers=headers, body=body)).status

    assert send(b"event=reminders&x=" + b"x" * MOST_BODY_BYTES) == 413
    assert send(many) == 400
    assert send(b'{"event": "reminders"}', "application/json") == 415
    assert send(b"--x--", "multipart/form-data; boundary=x") == 415
    assert not redis.exists("clock:paused")


@pytest.mark.parametrize("text", ["http://[", "https://[::1", "//[", "\x00", "http://a:b:c"])
def test_a_broken_origin_or_link_back_is_no_failure(ana: Visitor, text: str) -> None:
    form = {"content-type": SAME_SITE["content-type"]}

    assert ana.post("/act/pause", {**form, "origin": text, "host": "a"}, event="reminders").status == 403
    assert ana.post("/act/pause", SAME_SITE, event="reminders", back=text).headers["location"] == "/"
    assert ana.get("/act/pause", event="reminders", back=text).status == 200


def test_cookies_that_cannot_be_read_are_left_out(ana: Visitor) -> None:
    assert ana.get("/queues", {"cookie": "a/b=1"}).status == 200


def test_cookies_are_sent_over_https_only_if_they_were_set_there(ana: Visitor) -> None:
    def cookies(is_https: bool) -> list[str]:
        asked = ana.dashboard.handle(Request("GET", "/", is_https=is_https))
        body = b"event=reminders&theme=dark&zone=Asia/Tokyo"
        done = [
            ana.dashboard.handle(Request("POST", f"/act/{name}", "", SAME_SITE, body, is_https=is_https))
            for name in ("pause", "display")
        ]
        return [cookie for response in (asked, *done) for cookie in response.cookies]

    assert len(cookies(is_https=True)) == 4
    assert all(cookie.endswith("; Secure") for cookie in cookies(is_https=True))
    assert not any("Secure" in cookie for cookie in cookies(is_https=False))
