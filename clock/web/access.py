"""Access to the dashboard: what each visitor may see and do.

The dashboard is closed unless the host opens it: each request is passed to a function `(request) -> Access`, which
returns None for visitors without access. An `Access` allows reading; each kind of change has its own permission,
which is off by default.
"""

from __future__ import annotations

import hmac
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from clock.web.http import Request

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
