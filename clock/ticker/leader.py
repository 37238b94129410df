"""Which of several clocks works.

Any number of clocks may run; the one that holds the lease leads, the others stand by and try to take it every
second. A leader that stops gives it back; one that dies, or is cut off, loses it within `LEASE_SECONDS`. Two
clocks that both believe they lead, for a moment, do no harm: a due instant is decided once, in Redis.
"""

from __future__ import annotations

import logging
import threading

from clock.clocks import Clock
from clock.errors import StoreError
from clock.store.lease import Lease

LEASE_SECONDS = 4.0
BEAT_SECONDS = 1.0

logger = logging.getLogger(__name__)


class Leader:
    """Keeps trying for the lease on a thread of its own, so that a slow action does not lose it."""

    def __init__(self, lease: Lease, *, identity: str, clock: Clock) -> None:
        self._lease = lease
        self._identity = identity
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leader", daemon=True)
        self._leads_until = float("-inf")  # monotonic seconds; written by the thread, read by the ticker
        self._holder: str | None = None

    @property
    def leads(self) -> bool:
        """Whether this clock may work now."""
        return self._clock.monotonic() < self._leads_until

    def start(self) -> None:
        """Try once at once, then go on trying on a thread."""
        self.beat()
        self._thread.start()

    def stop(self) -> None:
        """Stop trying, and give the lease back."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        if not self.leads:
            return
        self._leads_until = float("-inf")
        try:
            self._lease.give_back()
        except StoreError as error:
            logger.warning("The lease could not be given back, it runs out by itself: %s", error)

    def beat(self) -> None:
        """Take or keep the lease once; while Redis is away the lease runs out."""
        asked = self._clock.monotonic()
        try:
            holder = self._lease.take(int(LEASE_SECONDS * 1000))
        except StoreError as error:
            logger.debug("The lease could not be renewed: %s", error)
            return
        if holder == self._identity:
            self._leads_until = asked + LEASE_SECONDS
        else:
            self._leads_until = float("-inf")
        if holder != self._holder:
            self._tell(holder)

    def _tell(self, holder: str) -> None:
        if holder == self._identity:
            logger.info("This clock leads now: %s", holder)
        elif self._holder == self._identity:
            logger.warning("Another clock has taken the lead: %s", holder)
        else:
            logger.info("Standing by: another clock leads: %s", holder)
        self._holder = holder

    def _run(self) -> None:
        while not self._clock.wait(self._stop, BEAT_SECONDS):
            self.beat()
