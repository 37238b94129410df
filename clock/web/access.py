"""Who may see and do what.

The dashboard is closed unless the host opens it: every request is given to a function `(request) -> Access`, which
returns None for somebody who may not even look. An `Access` allows reading; each kind of change has a permission
of its own, and none is given by default.
"""

from __future__ import annotations

import hmac
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from clock.web.request import Request

Permission = Literal["pause", "fire", "retry", "delete", "quiet"]


@dataclass(frozen=True, slots=True)
class Access:
    """What a user may do. `user` is the name that the audit log shows.

    `see_arguments`: jobs' arguments and payloads. `pause`: pause and resume events and queues. `fire`: run an
    event now. `retry`: enqueue jobs that wait, again or earlier. `delete`: delete jobs and queues, bury jobs.
    `quiet`: quiet and stop workers.
    """

    user: str
    see_arguments: bool = True
    pause: bool = False
    fire: bool = False
    retry: bool = False
    delete: bool = False
    quiet: bool = False

    @classmethod
    def everything(cls, user: str) -> Access:
        """May do all that the dashboard offers."""
        return cls(user, pause=True, fire=True, retry=True, delete=True, quiet=True)

    def allows(self, permission: Permission) -> bool:
        """Whether the user has that permission."""
        return bool(getattr(self, permission))


#: What a browser on this machine calls it. A page of another site may point its own name here (DNS rebinding).
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})

Gatekeeper = Callable[[Request], Access | None]


def local(allow_write: bool) -> Gatekeeper:
    """Let everybody in who reaches this machine's own address; with `allow_write`, to change things as well."""
    access = Access.everything("local user") if allow_write else Access("local user")
    return lambda request: access


def basic(user: str, password: str, allow_write: bool) -> Gatekeeper:
    """Let in whoever sends this name and password by HTTP basic authentication."""
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
