"""A request and a response as the pages see them. WSGI, ASGI and Django are thin adapters around them.

Every response gets security headers, a digest for the browser's cache, and compression.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from http.cookies import CookieError, SimpleCookie
from math import isfinite
from urllib.parse import parse_qs, quote, urlencode

from clock.printable import as_json_value

MOST_BODY_BYTES = 1_000_000  # a form that picks 10,000 events has less
READ_BODY_BYTES = MOST_BODY_BYTES + 1  # what an adapter reads: one more shows that a form is too long
MOST_FIELDS = 20_000
SMALLEST_COMPRESSED = 1_000  # bytes; less is not worth it
LEVEL = 5

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "vary": "Accept, Accept-Encoding, Cookie",
    "cache-control": "private, no-cache",
}


@dataclass(frozen=True)
class Request:
    """An HTTP request.

    `path` is decoded and starts below the mount; `mount` is the prefix of links, without a slash at its end. Names
    of `headers` are lower case. `is_https`: the visitor's browser uses HTTPS, by the host's information.
    `original` is the host's own request: a WSGI environ, an ASGI scope or Django's request, for the host's
    permission callback.
    """

    method: str
    path: str
    query_string: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    mount: str = ""
    remote: str = ""
    original: object = None
    is_https: bool = False

    @cached_property
    def query(self) -> Mapping[str, list[str]]:
        """The fields of the query string; blank ones are kept."""
        return _fields(self.query_string) or {}

    @cached_property
    def form(self) -> Mapping[str, list[str]]:
        """The fields of a submitted form."""
        return _fields(self.body.decode(errors="replace")) or {}

    @property
    def is_readable(self) -> bool:
        """Whether query and form have only known fields."""
        return None not in (_fields(self.query_string), _fields(self.body.decode(errors="replace")))

    @cached_property
    def cookies(self) -> Mapping[str, str]:
        """The cookies, by name; none if the header cannot be read."""
        try:
            found = SimpleCookie(self.headers.get("cookie", ""))
        except CookieError:
            return {}
        return {name: morsel.value for name, morsel in found.items()}

    def get(self, name: str, default: str = "") -> str:
        """The first value of a field of the query string."""
        return self.query.get(name, [default])[0]

    def link(self, path: str, **query: object) -> str:
        """A link to a page of the dashboard; fields without a value are left out."""
        fields = {name.rstrip("_"): str(value) for name, value in query.items() if value not in (None, "")}
        text = urlencode(fields, errors="replace")  # a name in Redis may be text that is not valid UTF-8
        return quote(self.mount + path, errors="replace") + (f"?{text}" if fields else "")

    @property
    def wants_json(self) -> bool:
        """Whether the caller asks for the page's JSON."""
        return "application/json" in self.headers.get("accept", "") or self.get("format") == "json"


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response; names of `headers` are lower case."""

    body: bytes = b""
    status: int = 200
    content_type: str = "text/html; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: tuple[str, ...] = ()

    def header_list(self) -> list[tuple[str, str]]:
        """All headers, for an adapter."""
        fixed = [("content-type", self.content_type), ("content-length", str(len(self.body)))]
        if self.status == 304:
            fixed = []
        return [*fixed, *self.headers.items(), *(("set-cookie", cookie) for cookie in self.cookies)]


def cookie(request: Request, name: str, value: str, *, seconds: int) -> str:
    """A `Set-Cookie` header's value: for this site's own pages, not for scripts, over HTTPS if the request was."""
    path = quote(request.mount, errors="replace") or "/"
    text = f"{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Strict"
    return f"{text}; Secure" if request.is_https else text


def _fields(text: str) -> Mapping[str, list[str]] | None:
    """The fields of a text; None: they are too many."""
    try:
        return parse_qs(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="replace")
    except ValueError:
        return None


def as_json(value: object, status: int = 200) -> Response:
    """A JSON response; instants as in RFC 3339, other values that JSON lacks as text, infinity as null."""
    try:
        text = json.dumps(value, default=as_json_value, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(json.loads(json.dumps(value, default=as_json_value))))
    return Response(text.encode(), status, "application/json")


def _finite(value: object) -> object:
    """A JSON value with None in place of infinity and NaN, which JSON does not have."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def finished(request: Request, response: Response) -> Response:
    """A response with all headers; empty if the browser has it already."""
    headers = {**HEADERS, **response.headers}
    if response.status == 200 and request.method in ("GET", "HEAD"):
        headers["etag"] = f'W/"{hashlib.sha256(response.body).hexdigest()[:24]}"'
        known = request.headers.get("if-none-match", "")
        if known.strip() == "*" or headers["etag"] in known:
            return replace(response, status=304, body=b"", headers=headers)
    if _takes_gzip(request.headers.get("accept-encoding", "")) and len(response.body) >= SMALLEST_COMPRESSED:
        headers["content-encoding"] = "gzip"
        response = replace(response, body=gzip.compress(response.body, LEVEL, mtime=0))
    return replace(response, headers=headers)


def _takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding header names gzip, without a weight of zero."""
    for one in accepted.lower().replace(" ", "").split(","):
        name, _, weight = one.partition(";q=")
        if name == "gzip":
            return not weight or weight.strip("0.") != ""
    return False
