"""The parts that commands are built from: settings, connection, clock, names."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path

from clock.clocks import SystemClock, to_ms
from clock.ticker import Release, Signature, release_of


def identity() -> str:
    """This process's name in Redis, as Sidekiq forms it: host, process id, 12 hex digits."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(6)}"


def release(clock_file: Path, clock: SystemClock) -> Release:
    """The release that this process runs."""
    return release_of(clock_file, environ=os.environ, started_ms=to_ms(clock.now()))


def signature(release: Release) -> Signature:
    """What the history says of who decided."""
    return Signature(host=socket.gethostname(), release=release.name)
