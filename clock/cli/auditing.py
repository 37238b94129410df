"""The audit log of changes that people make with the command line. The dashboard and `clock web` show it."""

from __future__ import annotations

import socket

from clock.cli.output import echo
from clock.errors import StoreError
from clock.inspection.audit import Change, note_change, user_of_process
from clock.store import Redis

SOURCE = f"command line on {socket.gethostname()}"


def audit(redis: Redis, what: str, target: str, count: int = 1) -> None:
    """Record a change that is made. If Redis refuses the entry, a warning is printed and the change stays."""
    change = Change(user_of_process(), what, target, count, SOURCE)
    try:
        note_change(redis, change)
    except StoreError as error:
        echo(f"Warning: the audit log has no entry of this change: {error}", err=True)
