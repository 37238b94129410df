"""Which clock this is: the name, release and description that it publishes in Redis; which release is newer."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from clock.clocks import Clock, to_ms
from clock.errors import ConfigurationError
from clock.store.ledger.clock_register import AboutClock
from clock.ticker.firing.decisions import Signature


@dataclass(frozen=True, slots=True)
class Release:
    """A release's name and its rank. If two releases differ, the release with the higher rank leads."""

    name: str
    rank: int


def release_of(clock_file: Path, *, environ: Mapping[str, str], started: datetime) -> Release:
    """The release by `HEROKU_RELEASE_VERSION` or `CLOCK_RELEASE`, or else by the clock file's content.

    The rank of `v` and a number, or of a number with at most six digits, is that number. Any other name, or the
    content's hash, ranks by `started`, the start of this process. Seven digits may be a commit's
    abbreviated hash. Raises ConfigurationError if the clock file was removed after its load.
    """
    name = environ.get("HEROKU_RELEASE_VERSION") or environ.get("CLOCK_RELEASE")
    if not name:
        try:
            content = clock_file.read_bytes()
        except OSError as error:
            raise ConfigurationError(f"the clock file {clock_file} cannot be read: {error.strerror}") from error
        return Release(hashlib.blake2b(content, digest_size=6).hexdigest(), to_ms(started))
    number = re.fullmatch(r"v(\d{1,15})|(\d{1,6})", name)
    return Release(name, int(number[1] or number[2]) if number else to_ms(started))


@dataclass(frozen=True, slots=True)
class ClockIdentity:
    """A clock process. `name` is unique among all processes: host, pid and a random part."""

    name: str
    release: Release
    about: AboutClock

    @property
    def signature(self) -> Signature:
        """The origin that the history shows for this clock's decisions."""
        return Signature(self.about.host, self.release.name)


def signature_here(clock_file: Path, clock: Clock) -> Signature:
    """The origin that the history shows for a request of a user in this process. Raises ConfigurationError."""
    return Signature(socket.gethostname(), release_of(clock_file, environ=os.environ, started=clock.now()).name)
