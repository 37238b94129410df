"""Counts how late runs start, for the dashboard's chart. A decision costs an addition; a thread writes the counts.

Counts of the last seconds are lost with the process: they are figures, no state.
"""

from __future__ import annotations

import logging
import threading

from clock.clocks import Clock
from clock.errors import StoreError
from clock.store import Redis
from clock.store.ledger.decision import Decision
from clock.store.ledger.lateness import Lateness, add

WRITE_SECONDS = 10.0

logger = logging.getLogger("clock.clock")


class LatenessLog:
    """Collects the lateness of committed firings, and writes it every `WRITE_SECONDS`."""

    def __init__(self, redis: Redis, *, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock
        self._lock = threading.Lock()
        self._counted = Lateness()  # guarded by _lock

    def note(self, decision: Decision) -> None:
        """Count a decision that the ledger has taken. For the clock's listeners."""
        late_ms = decision.detail.get("late_ms")
        if decision.kind.fires and isinstance(late_ms, int):
            with self._lock:
                self._counted.add(late_ms)

    def run(self, ended: threading.Event) -> None:
        """Write the counts until the clock has ended."""
        while not self._clock.wait(ended, WRITE_SECONDS):
            self.write()

    def write(self) -> None:
        """Write the counts since the last write. They are kept for the next one if Redis refuses."""
        with self._lock:
            counted, self._counted = self._counted, Lateness()
        if not counted.runs:
            return
        try:
            add(self._redis, counted, now=self._clock.now())
        except StoreError as error:
            logger.debug("The lateness of runs could not be written for the dashboard: %s", error)
            with self._lock:
                self._counted.merge(counted)
