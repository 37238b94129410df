"""Access to the dashboard: what each visitor may see and do, and the protection against requests of other sites.

The dashboard is closed unless the host opens it: each request is passed to a function `(request) -> Access`, which
returns None for visitors without access. An `Access` allows reading; each kind of change has its own permission,
which is off by default.

A request that changes something comes from a page of this dashboard: browsers send it in `Sec-Fetch-Site`, older
ones in `Origin`. If both are missing, the form must carry the token of the SameSite=Strict cookie, which other
sites can neither read nor send.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from clock.web.http import Request, cookie

COOKIE = "clock_token"
FIELD = "token"
TOKEN_BYTES = 24
COOKIE_SECONDS = 24 * 3600

Permission = Literal["pause", "fire", "retry", "delete", "quiet", "schedule"]


@dataclass(frozen=True, slots=True)
class Access:
    """The permissions of a user. `user` is the name that the audit log shows.

    `see_arguments`: arguments of jobs, events and schedules, and payloads. `pause`: pause and resume events and
    queues, set limits. `fire`: run an event now. `retry`: enqueue jobs that wait, again or earlier. `delete`:
    delete jobs and queues, bury jobs. `quiet`: quiet and stop workers. `schedule`: create, change and delete
    schedules at run time.
    """

    user: str
    see_arguments: bool = True
    pause: bool = False
    fire: bool = False
    retry: bool = False
    delete: bool = False
    quiet: bool = False
    schedule: bool = False

    @classmethod
    def everything(cls, user: str) -> Access:
        """May do all that the dashboard offers."""
        return cls(user, pause=True, fire=True, retry=True, delete=True, quiet=True, schedule=True)

    def allows(self, permission: Permission) -> bool:
        """Whether the user has that permission."""
        return bool(getattr(self, permission))


#: The names of this machine in its own browser. Another site may point its own name here (DNS rebinding).
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})

Gatekeeper = Callable[[Request], Access | None]


def local(allow_write: bool) -> Gatekeeper:
    """Give access to all visitors that reach this machine's own address; `allow_write`: also to change things."""
    access = Access.everything("local user") if allow_write else Access("local user")
    return lambda request: access


def basic(user: str, password: str, allow_write: bool) -> Gatekeeper:
    """Give access to visitors that send this name and password by HTTP basic authentication."""
    access = Access.everything(user) if allow_write else Access(user)
    wanted = f"{user}:{password}".encode()

    def check(request: Request) -> Access | None:
        sent = _credentials(request.headers.get("authorization", ""))
        return access if hmac.compare_digest(sent, wanted) else None

    return check


def _credentials(header: str) -> bytes:
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return b""


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
