"""Every route with odd parameters, forms and headers: the answer is a page or a refusal, never an error."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from clock.clocks import to_ms
from clock.rehearsal.fake_clock import FakeClock
from clock.rehearsal.sources import loads
from clock.web import Access, Dashboard, Request, Response, Source
from clock.web.pages import ACTIONS, PAGES
from tests.examples import examples
from tests.web.conftest import CLOCK_FILE, NOW, SAME_SITE

ROUTES = (
    *PAGES,
    *(f"/act/{name}" for name in ACTIONS),
    "/static/dashboard.css",
    "/static/../data.py",
    "//x",
    "/act/",
)
FIELDS = (
    *("name", "event", "at", "from", "to", "day", "days", "slots", "q", "state", "order", "first", "cursor", "in"),
    *(
        "jid",
        "class",
        "args",
        "error",
        "before",
        "span",
        "bid",
        "edit",
        "back",
        "next",
        "format",
        "version",
        "cron",
    ),
    *("every", "tz", "job", "queue", "for", "until", "note", "maximum", "theme", "zone", "worker", "searched"),
    *("changed", "looked", "total", "token", "form", "%00", ""),
)
ODD = (
    *(
        "",
        "reminders",
        "ticks",
        "default",
        "retry",
        "dead",
        "queue:default",
        "a" * 24,
        "1e308",
        "-1",
        "nan",
        "inf",
    ),
    *(
        "2026-03-29",
        "9999-12-31T23:59:59+14:00",
        "0001-01-01",
        "2026-03-29 02:30",
        "٣",
        "1" * 400,
        ":0:4",
        ":1:1:1",
    ),
    *("../../etc/passwd", "..%2f..%2f", "//evil.example/", "/\\evil.example", "https://evil.example/\r\nX: y"),
    *(
        "</script><script>alert(1)</script>",
        '"><svg onload=alert(1)>',
        "{{7*7}}",
        "${7*7}",
        "'; DROP",
        "\x00\x1b[31m",
    ),
    *(
        "\u202egnp.exe",
        "\ud800",
        "\U0010ffff",
        "a" * 9_000,
        "* * * * *",
        "*/1,*/2,*/3 0-59/1 1-31 1-12 0-7",
        "0 0 30 2 *",
    ),
    *(
        "light; Path=/evil",
        "[" * 900,
        '{"a":1}',
        "1h",
        "Europe/Berlin",
        "../../zoneinfo",
        "UTC\n",
        "*",
        "?",
        "[a-",
        "7d",
    ),
)
HEADERS: tuple[dict[str, str], ...] = (
    *({}, {"accept": "application/json"}, {"accept-encoding": "gzip, \x00"}, {"if-none-match": "*" * 500}),
    *({"cookie": "clock_zone=../../etc; clock_theme=x"}, {"cookie": 'clock_done=pause.99999999999; a="\\ud800'}),
    *(
        {"cookie": "clock_token=\xff\xfe" * 20},
        {"host": "evil.example\r\nx: y"},
        {"host": ""},
        {"origin": "http://["},
    ),
    *({"content-length": "-5", "transfer-encoding": "chunked"}, {"x-forwarded-host": "evil.example"}),
    *(
        {"authorization": "Basic !!!"},
        {"sec-fetch-site": "cross-site"},
        {"content-type": "text/plain; charset=\xff"},
    ),
)
FORMS = (b"\xff\xfe=%ff", b"a&b&&==&%", b"event=reminders&event=ticks&event=%00", b"=" * 500, b"args=%5B" * 50)

values = st.one_of(st.sampled_from(ODD), st.text(max_size=40))
queries = st.lists(st.tuples(st.sampled_from(FIELDS), values), max_size=6)


@pytest.fixture(scope="module")
def dashboard(redis_url: str) -> Iterator[Dashboard]:
    """A dashboard of data that are odd, too. Its clock file has an event with a hostile name."""
    redis = Redis.from_url(redis_url)
    redis.flushdb()
    job = {"class": "<b>", "jid": "a" * 24, "args": ["\u202e", "\x00"], "queue": "default", "retry_count": "x"}
    redis.sadd("queues", "default")
    redis.lpush("queue:default", json.dumps(job), b"\xff{")
    for place in ("schedule", "retry", "dead"):
        redis.zadd(place, {json.dumps(job): 1e9, "no json": 2e9})
    record = {"decision": "fired", "due": to_ms(NOW) - 60_000, "jids": ["a" * 24], "late_ms": 5}
    redis.xadd("clock:history:reminders", {"entry": json.dumps(record)})
    source = Source(redis, loads(CLOCK_FILE), FakeClock(NOW), trace_url="https://t.example/{trace_id}")
    yield Dashboard(source, access=lambda request: Access.everything("ana"))
    redis.flushdb()


def _is_right(answer: Response, what: object) -> None:
    """Assert that an answer is no error of ours, and that no header or redirect leads to another site."""
    assert answer.status in (200, 303, 304, 400, 403, 404, 405, 409, 413, 415, 422), (answer.status, what)
    for name, value in answer.header_list():
        assert not re.search(r"[\r\n\x00]", name + value), what
        value.encode("latin-1")
    if answer.status == 303:
        assert re.match(r"/(?![/\\])", answer.headers["location"]), what
    assert b"<script>alert" not in answer.body, what
    assert b"<svg onload" not in answer.body, what
    assert b"\x1b[31m" not in answer.body, what


@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(ROUTES), queries, st.sampled_from(HEADERS))
def test_no_query_and_no_header_breaks_a_page(
    dashboard: Dashboard, route: str, query: list[tuple[str, str]], headers: dict[str, Any]
) -> None:
    text = urlencode(query, errors="surrogatepass")

    answer = dashboard.handle(Request("GET", route, text, headers))

    _is_right(answer, (route, query, headers))


@settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(set(ACTIONS) - {"fire"})), queries, st.sampled_from(HEADERS), st.sampled_from(FORMS))
def test_no_form_breaks_an_action(
    dashboard: Dashboard, name: str, form: list[tuple[str, str]], headers: dict[str, Any], rest: bytes
) -> None:
    body = urlencode(form, errors="surrogatepass").encode() + b"&" + rest

    answer = dashboard.handle(Request("POST", f"/act/{name}", "", {**SAME_SITE, **headers}, body))

    _is_right(answer, (name, form, headers))


@pytest.mark.slow
def test_every_route_takes_every_odd_value_once(dashboard: Dashboard) -> None:
    """Each value is the value of all fields at once, so each meets each field of each route."""
    routes = [route for route in ROUTES if not route.startswith("/static")]
    for number, odd in enumerate(ODD):
        for route in routes[number % 3 :: 3]:
            text = urlencode(dict.fromkeys(FIELDS, odd), errors="surrogatepass")
            _is_right(dashboard.handle(Request("GET", route, text)), (route, odd))


@pytest.mark.parametrize(
    "path",
    [
        "/static/../dashboard.py",
        "/static/%2e%2e/data.py",
        "/static//etc/passwd",
        "/static/x\x00",
        "/static/" + "a" * 5_000,
    ],
)
def test_no_file_outside_of_the_static_folder_is_served(dashboard: Dashboard, path: str) -> None:
    assert dashboard.handle(Request("GET", path)).status == 404
    assert dashboard.handle(Request("GET", quote(path))).status == 404
