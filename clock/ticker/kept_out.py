"""Pushes jobs of firings later, if a lock without a job kept them out.

The fire script pushes no unique job whose lock another job holds. It does not search that job, as other firings
must not wait. If another program removed that job, its lock would keep out all later firings. So a thread checks
the locks that kept out jobs.
"""

from __future__ import annotations

import threading

from clock.clocks import Clock, to_ms
from clock.store.jobs.flow.unique_locks import LockedPush
from clock.store.ledger.decision import Decision
from clock.store.ledger.held_pushes import kept_out
from clock.store.ledger.ledger import RedisLedger

CHECK_SECONDS = 5.0
MOST = 1_000  # jobs between two checks; a later firing checks the locks of others


class KeptOut:
    """Collects the jobs that locks kept out of committed firings, and checks the locks every `CHECK_SECONDS`."""

    def __init__(self, ledger: RedisLedger, *, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._lock = threading.Lock()
        self._pushes: list[LockedPush] = []  # guarded by _lock

    def note(self, decision: Decision) -> None:
        """Collect the jobs that locks kept out of a committed decision. For the clock's listeners."""
        if out := kept_out(decision.pushes):
            with self._lock:
                self._pushes += out[: MOST - len(self._pushes)]

    def run(self, ended: threading.Event) -> None:
        """Check locks until the clock has ended."""
        while not self._clock.wait(ended, CHECK_SECONDS):
            self.check()

    def check(self) -> None:
        """Check the locks that kept out jobs since the last check."""
        with self._lock:
            pushes, self._pushes = self._pushes, []
        self._ledger.push_kept_out(pushes, to_ms(self._clock.now()))
