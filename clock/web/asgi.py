"""The dashboard as an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from clock.web.request import READ_BODY_BYTES, Request, Response

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class AsgiApplication:
    """Adapts a function of a request to ASGI 3. Pages wait for Redis, so each runs on a thread."""

    def __init__(self, handle: Callable[[Request], Response]) -> None:
        self._handle = handle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or follow the server's lifespan."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] == "websocket":
            await _refuse(receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"the dashboard answers HTTP, not {scope['type']}")
        request = request_of(scope, await _body(receive))
        response = await asyncio.to_thread(self._handle, request)
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.header_list()]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else response.body})


def request_of(scope: Scope, body: bytes) -> Request:
    """The request that an ASGI server describes."""
    mount = str(scope.get("root_path", "")).rstrip("/")
    path = str(scope["path"])
    client = scope.get("client")
    return Request(
        method=scope["method"],
        path=(path.removeprefix(mount) if path.startswith(mount + "/") or path == mount else path) or "/",
        query_string=scope.get("query_string", b"").decode("latin-1"),
        headers=_headers(scope["headers"]),
        body=body,
        mount=mount,
        remote=client[0] if client else "",
        original=scope,
        is_https=scope.get("scheme") == "https",
    )


def _headers(pairs: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """Headers by name. Those that were sent several times are joined: HTTP/2 sends each cookie by itself."""
    found: dict[str, str] = {}
    for raw_name, raw in pairs:
        name, value = raw_name.decode("latin-1").lower(), raw.decode("latin-1")
        between = "; " if name == "cookie" else ", "
        found[name] = f"{found[name]}{between}{value}" if name in found else value
    return found


async def _refuse(receive: Receive, send: Send) -> None:
    """Refuse a WebSocket: the server answers 403."""
    await receive()
    await send({"type": "websocket.close", "code": 1008})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _body(receive: Receive) -> bytes:
    """The body, cut if it is longer than any form of the dashboard."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        part = message.get("body", b"")
        if size < READ_BODY_BYTES:
            parts.append(part)
        size += len(part)
        if not message.get("more_body"):
            break
    return b"".join(parts)[:READ_BODY_BYTES]
