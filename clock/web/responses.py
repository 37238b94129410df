"""The parts of every response: security headers, a digest for the browser's cache, compression."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import replace
from math import isfinite

from clock.printable import as_json_value
from clock.web.request import Request, Response

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
