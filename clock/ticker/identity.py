"""Which clock this is: the name, release and description that it publishes in Redis."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from clock.clocks import Clock
from clock.store.ledger.clock_register import AboutClock
from clock.ticker.firing.decisions import Signature
from clock.ticker.release import Release, release_of


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
