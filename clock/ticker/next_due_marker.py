"""The promise: what the clock says it will decide next, for any process to see whether it is decided in time.

It tells the clock something, too. Where Redis has another promise than it was given last, it may have lost
decisions that no later one follows: a replica that lagged has taken over, or a backup was restored.
"""

from __future__ import annotations

import logging

from clock.clocks import Clock
from clock.store.ledger.ledger import Ledger

ASK_SECONDS = 5.0  # how often it is asked whether Redis still has it

logger = logging.getLogger("clock.clock")


class Promise:
    """Tells the ledger what it is when it changes, and every few seconds."""

    def __init__(self, ledger: Ledger, *, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._told: tuple[str | None, int] | None = None  # None: nothing yet, since the ledger was read
        self._told_at = float("-inf")

    def tell(self, event: str | None, due_ms: int) -> bool:
        """Say what is due first (None, 0: nothing); False: Redis has forgotten, the ledger is to be read anew.

        Raises StoreUnavailable.
        """
        now = self._clock.monotonic()
        if self._told == (event, due_ms) and now < self._told_at + ASK_SECONDS:
            return True
        before = self._ledger.promise(event, due_ms)
        if self._told not in (None, before):
            logger.info("Redis lost recent writes (fail-over?); re-reading state")
            return False
        self._told, self._told_at = (event, due_ms), now
        return True

    def forget(self) -> None:
        """Expect nothing of what Redis has: the ledger is read anew."""
        self._told = None
