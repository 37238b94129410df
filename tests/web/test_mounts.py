from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import httpx
import pytest
from redis import Redis

from clock.clocks import to_ms
from clock.rehearsal.fake_clock import FakeClock
from clock.store.ledger.ledger import RedisLedger
from clock.web import Access, Dashboard, Request, open_dashboard
from tests.web.conftest import NOW, SAME_SITE, Visitor

PREFIX = "/admin/clock"


def _wsgi(
    dashboard: Dashboard, path: str, method: str = "GET", **environ: Any
) -> tuple[str, dict[str, str], bytes]:
    """The answer of the WSGI application to a server that is strict about the protocol."""
    setup_testing_defaults(environ)
    environ |= {"PATH_INFO": path, "SCRIPT_NAME": PREFIX, "REQUEST_METHOD": method, "QUERY_STRING": ""}
    answers: list[Any] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        answers.extend((status, dict(headers)))
        return answers.append

    parts = validator(dashboard.wsgi)(environ, start_response)
    body = b"".join(parts)
    parts.close()  # type: ignore[attr-defined]  # the validator's iterator has it
    return answers[0], answers[1], body


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_wsgi_application_keeps_to_the_protocol(ana: Visitor, method: str) -> None:
    status, headers, body = _wsgi(ana.dashboard, "/", method)

    assert (status, headers["Content-Type"]) == ("200 OK", "text/html; charset=utf-8")
    assert bool(body) == (method == "GET")


def test_links_begin_at_the_mount(ana: Visitor) -> None:
    _, _, body = _wsgi(ana.dashboard, "/")

    assert f'href="{PREFIX}/queues"'.encode() in body
    assert b'href="/queues"' not in body


def test_the_asgi_application_follows_a_strict_lifespan(ana: Visitor) -> None:
    sent: list[str] = []
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> dict[str, str]:
        return next(messages)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["type"])

    asyncio.run(ana.dashboard.asgi({"type": "lifespan"}, receive, send))

    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_the_asgi_application_answers_below_its_mount(ana: Visitor) -> None:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(ana.dashboard.asgi, root_path=PREFIX)
        async with httpx.AsyncClient(transport=transport, base_url="http://clock.example") as client:
            return await client.get(f"{PREFIX}/queues")

    found = asyncio.run(ask())

    assert found.status_code == 200
    assert f'href="{PREFIX}/dead"' in found.text


def test_a_form_is_received_through_asgi(ana: Visitor) -> None:
    async def send_form() -> httpx.Response:
        transport = httpx.ASGITransport(ana.dashboard.asgi)
        async with httpx.AsyncClient(transport=transport, base_url="http://clock.example") as client:
            headers = {"sec-fetch-site": "same-origin"}
            return await client.post("/act/pause", data={"event": "reminders"}, headers=headers)

    assert asyncio.run(send_form()).status_code == 303
    assert ana.json("/")[0]["pause"] == "paused by ana"


def test_a_form_whose_visitor_has_left_is_read_as_far_as_it_came(ana: Visitor) -> None:
    sent: list[Any] = []
    part: dict[str, Any] = {"type": "http.request", "body": b"event=rem", "more_body": True}
    messages = iter([part, {"type": "http.disconnect"}])

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = [(name.encode(), value.encode()) for name, value in SAME_SITE.items()]
    scope = {"type": "http", "method": "POST", "path": "/act/pause", "query_string": b"", "headers": headers}
    asyncio.run(ana.dashboard.asgi(scope, receive, send))

    assert sent[0]["status"] == 404


def test_a_protocol_that_the_dashboard_does_not_answer_is_named(ana: Visitor) -> None:
    never: Any = None
    with pytest.raises(RuntimeError, match="the dashboard answers HTTP, not webtransport"):
        asyncio.run(ana.dashboard.asgi({"type": "webtransport"}, never, never))


def test_an_error_in_the_hosts_callback_is_a_page_and_in_the_log(
    visit: Callable[..., Visitor], caplog: pytest.LogCaptureFixture
) -> None:
    def access(request: Request) -> Access:
        raise KeyError("session")

    found = Dashboard(visit().dashboard._data.source, access=access).handle(Request("GET", "/queues"))

    assert found.status == 500
    assert b"session" not in found.body
    assert "The dashboard failed on GET /queues" in caplog.text
    assert "KeyError: 'session'" in caplog.text


def test_a_dashboard_of_an_application_without_a_clock_file_shows_what_redis_has(
    redis: Redis, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    RedisLedger(redis, clock=FakeClock(NOW)).declare([("elsewhere", "every day")], to_ms(NOW))

    dashboard = open_dashboard(access=lambda request: Access("ana"), redis=redis_url)

    assert b"elsewhere" in dashboard.handle(Request("GET", "/")).body


def test_the_hosts_callback_sees_the_hosts_request(visit: Callable[..., Visitor]) -> None:
    seen: list[object] = []

    def access(request: Request) -> Access:
        seen.append(request.original)
        return Access("host user")

    dashboard = Dashboard(visit().dashboard._data.source, access=access)
    _wsgi(dashboard, "/", REMOTE_USER="ana")

    [environ] = seen
    assert isinstance(environ, dict)
    assert environ["REMOTE_USER"] == "ana"


def test_a_page_that_has_not_changed_is_not_sent_again(ana: Visitor) -> None:
    first = ana.get("/help")

    again = ana.get("/help", {"if-none-match": first.headers["etag"], "cookie": first.cookies[0].split(";")[0]})

    assert (again.status, again.body) in [(304, b""), (200, again.body)]
    assert ana.get("/queues", {"if-none-match": ana.get("/queues").headers["etag"]}).status == 304
    assert ana.get("/queues", {"if-none-match": "*"}).status == 304


def test_a_page_is_compressed_for_those_who_can_read_that(ana: Visitor) -> None:
    whole, small = ana.get("/"), ana.get("/", {"accept-encoding": "gzip, br"})

    assert small.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in ana.get("/", {"accept-encoding": "gzip; q=0, br"}).headers
    assert ana.get("/", {"accept-encoding": "br, gzip;q=0.5"}).headers["content-encoding"] == "gzip"
    assert len(small.body) < len(whole.body) / 2
