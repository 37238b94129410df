from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import httpx
import pytest

from clock.web import Access, Dashboard, Request
from tests.web.conftest import Visitor

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
