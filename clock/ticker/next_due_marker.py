"""The next due marker: which due instant the clock decides next, published so any process can see if it is late.

The clock reads its own marker back. If Redis holds another marker than the clock set last, Redis may have lost
decisions that no later one follows: a replica that lagged has taken over, or a backup was restored.
"""

from __future__ import annotations

import logging

from clock.clocks import Clock
from clock.store.ledger.ledger import Ledger
from clock.store.ledger.next_due import Marker, Publication

ASK_SECONDS = 5.0  # how often the clock checks that Redis still has the marker

logger = logging.getLogger("clock.clock")


class NextDueMarker:
    """Sets the marker in the ledger when it changes, and every few seconds."""

    def __init__(self, ledger: Ledger, *, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._expected: tuple[Marker, ...] = ()  # what Redis may hold; empty: anything, the ledger was just read
        self._marked_at = float("-inf")
        self._has_lost = False  # Redis lost writes

    def set(self, event: str | None, due_ms: int) -> bool:
        """Mark the first due instant (None, 0: none). False: Redis lost writes. Raises StoreUnavailable."""
        now = self._clock.monotonic()
        marker = event, due_ms
        if self._expected != (marker,) or now >= self._marked_at + ASK_SECONDS:
            self.expect(marker)
            self._note(marker, self._ledger.mark_next_due(event, due_ms))
            self._marked_at = now
        return not self._has_lost

    def note(self, published: Publication) -> None:
        """Note a marker that was set with a commit. The check every few seconds looks at more than a commit."""
        if published.before is not None:
            self._note((published.event, published.due_ms), published.before)

    def forget(self) -> None:
        """Expect no marker in Redis: the ledger is read again."""
        self._expected, self._has_lost = (), False

    def expect(self, marker: Marker) -> None:
        """Accept the marker of a commit, and also the one before: the commit's answer may be lost."""
        if self._expected and marker not in self._expected:
            self._expected += (marker,)

    def _note(self, marker: Marker, before: Marker) -> None:
        if self._expected and before not in self._expected:
            logger.info("Redis lost recent writes (fail-over?); re-reading state")
            self._has_lost = True
        self._expected = (marker,)
