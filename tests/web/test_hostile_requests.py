"""Hostile requests through each adapter and each mount: an answer, never an exception, never a status of 500."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from clock.web import Dashboard
from clock.web.adapters import request_of_scope
from tests.web.conftest import Visitor

MOUNT = "/uhr/日"
FORM = (b"content-type", b"application/x-www-form-urlencoded")
HERE = (b"sec-fetch-site", b"same-origin")


@dataclass(frozen=True)
class Sent:
    """A request as bytes; `path` has no escapes. `parts` are the chunks of its body."""

    method: str = "GET"
    path: bytes = b"/"
    query: bytes = b""
    headers: Sequence[tuple[bytes, bytes]] = ((b"host", b"clock.example"),)
    parts: Sequence[bytes] = ()


BIG = tuple((b"x-%d" % number, b"v" * 8_000) for number in range(40))
HOSTILE = {
    "no headers": Sent(headers=()),
    "options": Sent("OPTIONS"),
    "head": Sent("HEAD", b"/queues"),
    "trace": Sent("TRACE"),
    "unknown method": Sent("BREW\u00e9", b"/dead"),
    "empty method": Sent(""),
    "method of a static file": Sent("DELETE", b"/static/dashboard.css"),
    "invalid utf-8 path": Sent(path=b"/\xff\xfe\xc3"),
    "surrogate path": Sent(path=b"/\xed\xa0\x80"),
    "null path": Sent(path=b"/queue\x00"),
    "line ends in path": Sent(path=b"/\r\nSet-Cookie: a=b"),
    "long path": Sent(path=b"/" + b"a" * 70_000),
    "dots": Sent(path=b"/../../../etc/passwd"),
    "two slashes": Sent(path=b"//evil.example/"),
    "empty path": Sent(path=b""),
    "bad escapes": Sent(query=b"q=%&q=%zz&%=%u1234&q=%ff%fe&name=%00"),
    "raw bytes in query": Sent(path=b"/event", query=b"name=\xff\xfe\x00"),
    "repeated fields": Sent(path=b"/dead", query=b"&".join(b"class=%d" % n for n in range(3_000))),
    "too many fields": Sent(query=b"&" * 50_000),
    "big headers": Sent(headers=BIG),
    "bytes in headers": Sent(headers=((b"host", b"\xff\xfe"), (b"accept", b"\x00"), (b"x", b"\xed\xa0\x80"))),
    "repeated headers": Sent(
        headers=((b"host", b"a"), (b"host", b"b"), (b"accept", b"text/html"), (b"accept", b""))
    ),
    "bad cookies": Sent(headers=((b"cookie", b"\xff=;;clock_token=\xe9; clock_zone=../x; =; a"),)),
    "bad authorization": Sent(headers=((b"authorization", b"Basic \xff\xff"),)),
    "bad length": Sent("POST", b"/act/pause", headers=(HERE, FORM, (b"content-length", b"-5"))),
    "length in words": Sent("POST", b"/act/pause", headers=(HERE, FORM, (b"content-length", b"five"))),
    "chunks": Sent("POST", b"/act/pause", headers=(HERE, FORM), parts=(b"eve", b"", b"nt=%", b"ff")),
    "bytes in form": Sent(
        "POST", b"/act/pause", headers=(HERE, FORM), parts=(b"\xff\x00=\xfe&event=\xed\xa0\x80",)
    ),
    "json form": Sent(
        "POST", b"/act/fire", headers=(HERE, (b"content-type", b"application/json")), parts=(b"{}",)
    ),
    "no type": Sent("POST", b"/act/fire", headers=(HERE,), parts=(b"event=ticks",)),
    "multipart": Sent(
        "POST", b"/act/fire", headers=(HERE, (b"content-type", b"multipart/form-data")), parts=(b"--",)
    ),
    "body of a page": Sent("GET", b"/dead", parts=(b"x" * 2_000_000,)),
    "large form": Sent("POST", b"/act/pause", headers=(HERE, FORM), parts=(b"event=a&" * 200_000,)),
    "foreign": Sent("POST", b"/act/fire", headers=(FORM, (b"origin", b"http://["))),
    "form id": Sent("POST", b"/act/pause", headers=(HERE, FORM), parts=(b"event=ticks&form=%00%ff",)),
}
Answer = tuple[int, list[tuple[str, str]], bytes]
Send = Callable[[Dashboard, Sent], Answer]


def _by_wsgi(dashboard: Dashboard, sent: Sent) -> Answer:
    return _through_wsgi(dashboard.wsgi, _environ(sent, MOUNT))


def _environ(sent: Sent, mount: str) -> dict[str, Any]:
    body = b"".join(sent.parts)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": sent.method,
        "SCRIPT_NAME": mount.encode().decode("latin-1"),
        "PATH_INFO": sent.path.decode("latin-1"),
        "QUERY_STRING": sent.query.decode("latin-1"),
        "CONTENT_LENGTH": str(len(body)) if body else "",
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
    }
    for name, value in sent.headers:
        key = name.decode("latin-1").upper().replace("-", "_")
        environ[key if key.startswith("CONTENT_") else f"HTTP_{key}"] = value.decode("latin-1")
    return environ


def _through_wsgi(application: Callable[..., Any], environ: dict[str, Any]) -> Answer:
    started = list[Any]()
    parts = application(environ, lambda status, headers: started.extend((status, headers)))
    return int(started[0].split()[0]), started[1], b"".join(parts)


def _by_asgi(dashboard: Dashboard, sent: Sent) -> Answer:
    return _through_asgi(dashboard.asgi, _scope(sent), sent.parts)


def _through_asgi(application: Any, scope: Mapping[str, Any], parts: Sequence[bytes]) -> Answer:
    answers = _asgi_messages(application, scope, parts)
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answers[0]["headers"]]
    return answers[0]["status"], headers, answers[1]["body"]


def _scope(sent: Sent, kind: str = "http") -> dict[str, Any]:
    path = MOUNT + sent.path.decode(errors="surrogateescape")
    return {
        "type": kind,
        "method": sent.method,
        "path": path,
        "root_path": MOUNT,
        "query_string": sent.query,
        "headers": sent.headers,
    }


def _asgi_messages(application: Any, scope: Mapping[str, Any], parts: Sequence[bytes]) -> list[Any]:
    answers: list[Any] = []
    chunks: list[dict[str, Any]] = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    coming = iter([*chunks, {"type": "http.request"}])

    async def receive() -> Mapping[str, Any]:
        return next(coming)

    async def send(message: Mapping[str, Any]) -> None:
        answers.append(message)

    asyncio.run(application(scope, receive, send))
    return answers


def _below(sent: Sent) -> bytes:
    """The path of a request to a dashboard that the framework has mounted at /clock."""
    return b"/clock" + (sent.path if sent.path.startswith(b"/") else b"/" + sent.path)


def _by_flask(dashboard: Dashboard, sent: Sent) -> Answer:
    dispatcher = pytest.importorskip("werkzeug.middleware.dispatcher")
    mounted = dispatcher.DispatcherMiddleware(lambda *_: [], {"/clock": dashboard.wsgi})
    return _through_wsgi(mounted, {**_environ(sent, ""), "PATH_INFO": _below(sent).decode("latin-1")})


def _by_starlette(dashboard: Dashboard, sent: Sent) -> Answer:
    """FastAPI mounts in the same way."""
    starlette, routing = pytest.importorskip("starlette.applications"), pytest.importorskip("starlette.routing")
    mounted = starlette.Starlette(routes=[routing.Mount("/clock", app=dashboard.asgi)])
    path = _below(sent).decode(errors="surrogateescape")
    return _through_asgi(mounted, {**_scope(sent), "path": path, "root_path": ""}, sent.parts)


def _by_django(dashboard: Dashboard, sent: Sent) -> Answer:
    pytest.importorskip("tests.job.django_here")  # it sets Django up for all tests of a process
    from django.core.handlers.wsgi import WSGIRequest

    from clock.web.django_view import django_view

    request = WSGIRequest({**_environ(sent, ""), "PATH_INFO": _below(sent).decode("latin-1")})
    made = django_view(dashboard)(request, request.path_info.removeprefix("/clock"))
    cookies = [("Set-Cookie", morsel.OutputString()) for morsel in made.cookies.values()]
    return made.status_code, [*made.items(), *cookies], made.content


MOUNTS = (_by_wsgi, _by_asgi, _by_flask, _by_starlette, _by_django)


@pytest.mark.parametrize("send", MOUNTS, ids=lambda send: send.__name__[4:])
def test_a_hostile_request_gets_an_answer(ana: Visitor, send: Send, caplog: pytest.LogCaptureFixture) -> None:
    for name, sent in HOSTILE.items():
        status, headers, body = send(ana.dashboard, sent)

        assert status in (200, 303, 307, 400, 403, 404, 405, 413, 415), (name, status)
        assert not any("\n" in text or "\r" in text for pair in headers for text in pair), name
        assert not body or sent.method != "HEAD", name
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_websocket_is_refused(ana: Visitor) -> None:
    answers = _asgi_messages(ana.dashboard.asgi, _scope(Sent(), "websocket"), ())

    assert answers == [{"type": "websocket.close", "code": 1008}]


def test_cookies_of_http_2_are_put_together(ana: Visitor) -> None:
    headers = (
        (b"cookie", b"clock_zone=Asia/Tokyo"),
        (b"cookie", b"clock_theme=dark"),
        (b"sec-fetch-site", b"none"),
    )

    request = request_of_scope({**_scope(Sent()), "headers": (*headers, HERE)}, b"")

    assert request.cookies == {"clock_zone": "Asia/Tokyo", "clock_theme": "dark"}
    assert request.headers["sec-fetch-site"] == "none, same-origin"


def test_a_mount_with_other_letters_has_cookies_that_a_header_can_hold(ana: Visitor) -> None:
    _, headers, body = _by_wsgi(ana.dashboard, Sent())

    [cookie] = [value for name, value in headers if name == "Set-Cookie"]
    assert "Path=/uhr/%E6%97%A5;" in cookie
    assert b'href="/uhr/%E6%97%A5/queues"' in body
