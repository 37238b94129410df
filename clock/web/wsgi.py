"""The dashboard as a WSGI application."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from clock.web.request import READ_BODY_BYTES, Request, Response

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


class WsgiApplication:
    """Adapts a function of a request to WSGI (PEP 3333)."""

    def __init__(self, handle: Callable[[Request], Response]) -> None:
        self._handle = handle

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        response = self._handle(request_of(environ))
        start_response(f"{response.status} {HTTPStatus(response.status).phrase}", _titled(response))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [response.body]


def request_of(environ: Environ) -> Request:
    """The request that a WSGI server describes."""
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
        body=_body(environ),
        mount=_text(environ.get("SCRIPT_NAME", "")).rstrip("/"),
        remote=environ.get("REMOTE_ADDR", ""),
        original=environ,
        is_https=environ.get("wsgi.url_scheme") == "https",
    )


def _text(value: str) -> str:
    """A path: WSGI hands over its bytes as Latin-1."""
    return value.encode("latin-1", errors="replace").decode(errors="replace")


def _body(environ: Environ) -> bytes:
    """The body, cut if it is longer than any form of the dashboard."""
    length = environ.get("CONTENT_LENGTH") or "0"
    wanted = min(int(length), READ_BODY_BYTES) if length.isdecimal() and len(length) < 20 else 0
    body: bytes = environ["wsgi.input"].read(wanted) if wanted else b""
    return body


def _titled(response: Response) -> list[tuple[str, str]]:
    return [(name.title(), value) for name, value in response.header_list()]
