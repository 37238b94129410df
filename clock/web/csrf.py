"""Whether a request that changes something comes from a page of this dashboard.

Browsers send it in `Sec-Fetch-Site`, older ones in `Origin`. If both are missing, the form must carry the token of
the SameSite=Strict cookie, which other sites can neither read nor send.
"""

from __future__ import annotations

import hmac
import secrets
from urllib.parse import urlsplit

from clock.web.http import Request, cookie

COOKIE = "clock_token"
FIELD = "token"
TOKEN_BYTES = 24
COOKIE_SECONDS = 24 * 3600


def comes_from_here(request: Request) -> bool:
    """Whether the request may change something."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    if origin not in (None, "null"):  # browsers send null for a page that sends no referrer
        return _host_of(origin) == request.headers.get("host")
    sent = request.form.get(FIELD, [""])[0]
    known = request.cookies.get(COOKIE, "")
    return len(known) >= TOKEN_BYTES and hmac.compare_digest(sent.encode(), known.encode())


def token_of(request: Request) -> str:
    """The token of the visitor's forms: the cookie's token, or a new one."""
    known = request.cookies.get(COOKIE, "")
    return known if len(known) >= TOKEN_BYTES and known.isascii() else secrets.token_urlsafe(TOKEN_BYTES)


def token_cookie(request: Request, token: str) -> str | None:
    """The `Set-Cookie` for a new token, or None if the visitor has a token."""
    if request.cookies.get(COOKIE) == token:
        return None
    return cookie(request, COOKIE, token, seconds=COOKIE_SECONDS)


def _host_of(origin: str) -> str:
    """Host and port of an origin; empty if it is not a URL."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
