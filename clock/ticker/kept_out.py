"""Jobs of firings that a lock without a job kept out: they are pushed again.

The fire script pushes no unique job whose lock another job holds. It does not search that job, as other firings
must not wait. If another program removed that job, its lock would keep out all later firings. So a thread checks
old locks.
"""

from __future__ import annotations

import logging
import threading

from clock.clocks import Clock, to_ms
from clock.errors import StoreError
from clock.store import Redis
from clock.store.jobs.flow.unique_locks import LockedPush, push_kept_out
from clock.store.ledger.decision import Decision
from clock.store.ledger.held_pushes import unique_pushes

CHECK_SECONDS = 5.0
MOST = 1_000  # unique jobs of firings between two checks; the locks of others are checked by a later firing

logger = logging.getLogger("clock.clock")


class KeptOut:
    """Collects the unique jobs of committed firings, and checks their locks every `CHECK_SECONDS`."""

    def __init__(self, redis: Redis, *, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock
        self._lock = threading.Lock()
        self._pushes: list[LockedPush] = []  # guarded by _lock

    def note(self, decision: Decision) -> None:
        """Collect the unique jobs of a decision that the ledger has taken. For the clock's listeners."""
        if unique := unique_pushes(decision.pushes):
            with self._lock:
                self._pushes += unique[: MOST - len(self._pushes)]

    def run(self, ended: threading.Event) -> None:
        """Check locks until the clock has ended."""
        while not self._clock.wait(ended, CHECK_SECONDS):
            self.check()

    def check(self) -> None:
        """Check the locks of the firings since the last check."""
        with self._lock:
            pushes, self._pushes = self._pushes, []
        try:
            pushed = push_kept_out(self._redis, pushes, now_ms=to_ms(self._clock.now())) if pushes else []
        except StoreError as error:
            logger.error("The locks of unique jobs could not be checked; a later firing checks them: %s", error)
        else:
            for jid in pushed:
                logger.warning("Pushed the job %s of a firing again: its lock was held by a job that is gone", jid)
