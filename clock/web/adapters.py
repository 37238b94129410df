"""The dashboard as an ASGI and as a WSGI application: adapters around a function from a request to a response."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from clock.web.http import READ_BODY_BYTES, Request, Response

Handle = Callable[[Request], Response]

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
AsgiApplication = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApplication = Callable[[Environ, StartResponse], Iterable[bytes]]


def as_asgi(handle: Handle) -> AsgiApplication:
    """Adapt a function of a request to ASGI 3. Pages wait for Redis, so each runs on a thread."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "websocket":  # the server answers 403
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http":
            response = await asyncio.to_thread(handle, request_of_scope(scope, await _received(receive)))
            headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.header_list()]
            await send({"type": "http.response.start", "status": response.status, "headers": headers})
            await send({"type": "http.response.body", "body": _sent(scope["method"], response)})
        else:
            raise RuntimeError(f"the dashboard answers HTTP, not {scope['type']}")

    return application


def request_of_scope(scope: Scope, body: bytes) -> Request:
    """The request that an ASGI server describes."""
    mount = str(scope.get("root_path", "")).rstrip("/")
    path = str(scope["path"])
    client = scope.get("client")
    return Request(
        method=scope["method"],
        path=(path.removeprefix(mount) if path.startswith(mount + "/") or path == mount else path) or "/",
        query_string=scope.get("query_string", b"").decode("latin-1"),
        headers=_joined(scope["headers"]),
        body=body,
        mount=mount,
        remote=client[0] if client else "",
        original=scope,
        is_https=scope.get("scheme") == "https",
    )


def _joined(pairs: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """Headers by name. Those that were sent several times are joined: HTTP/2 sends each cookie by itself."""
    found: dict[str, str] = {}
    for raw_name, raw in pairs:
        name, value = raw_name.decode("latin-1").lower(), raw.decode("latin-1")
        between = "; " if name == "cookie" else ", "
        found[name] = f"{found[name]}{between}{value}" if name in found else value
    return found


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _received(receive: Receive) -> bytes:
    """The body, cut if it is longer than any form of the dashboard."""
    body = bytearray()
    while True:
        message = await receive()
        if len(body) < READ_BODY_BYTES:
            body += message.get("body", b"")
        if not message.get("more_body"):  # a disconnect is the last message, too
            return bytes(body[:READ_BODY_BYTES])


def as_wsgi(handle: Handle) -> WsgiApplication:
    """Adapt a function of a request to WSGI (PEP 3333)."""

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        response = handle(_request_of_environ(environ))
        headers = [(name.title(), value) for name, value in response.header_list()]
        start_response(f"{response.status} {HTTPStatus(response.status).phrase}", headers)
        return [_sent(environ["REQUEST_METHOD"], response)]

    return application


def _request_of_environ(environ: Environ) -> Request:
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")
    }
    return Request(
        method=environ["REQUEST_METHOD"],
        path=_text(environ.get("PATH_INFO", "")) or "/",
        query_string=environ.get("QUERY_STRING", ""),
        headers=headers,
        body=_read(environ),
        mount=_text(environ.get("SCRIPT_NAME", "")).rstrip("/"),
        remote=environ.get("REMOTE_ADDR", ""),
        original=environ,
        is_https=environ.get("wsgi.url_scheme") == "https",
    )


def _text(value: str) -> str:
    """A path: WSGI hands over its bytes as Latin-1."""
    return value.encode("latin-1", errors="replace").decode(errors="replace")


def _read(environ: Environ) -> bytes:
    """The body, cut if it is longer than any form of the dashboard."""
    length = environ.get("CONTENT_LENGTH") or "0"
    wanted = min(int(length), READ_BODY_BYTES) if length.isdecimal() and len(length) < 20 else 0
    body: bytes = environ["wsgi.input"].read(wanted) if wanted else b""
    return body


def _sent(method: str, response: Response) -> bytes:
    return b"" if method == "HEAD" else response.body
