"""Every worker watches the clock: one that is stuck, or gone, cannot tell it itself."""

from __future__ import annotations

import logging

from clock.clocks import Clock
from clock.store import Redis
from clock.store.ledger import overdue

REMIND_SECONDS = 60.0  # how often it is said again

logger = logging.getLogger("clock.worker")


class ClockWatch:
    """Compares the oldest undecided due instant with Redis's time."""

    def __init__(self, redis: Redis, *, clock: Clock, limit_seconds: float = overdue.OVERDUE_SECONDS) -> None:
        self._redis = redis
        self._clock = clock
        self._limit_seconds = limit_seconds
        self._due_ms: int | None = None  # what was overdue when it was last said
        self._said_at = float("-inf")

    def look(self) -> bool:
        """Look once: whether the clock is behind; that is logged, and counted. Raises StoreUnavailable."""
        found = overdue.look(self._redis)
        if not found.is_overdue(self._limit_seconds):
            if self._due_ms is not None:
                logger.info("The clock is on time again")
            self._due_ms = None
            return False
        now = self._clock.monotonic()
        if found.due_ms != self._due_ms or now - self._said_at >= REMIND_SECONDS:
            self._due_ms, self._said_at = found.due_ms, now
            overdue.count_overdue(self._redis)
            logger.error(
                "The clock is late: %r was due %.0f s ago and has not run; %s",
                found.event,
                found.late_ms / 1000,
                f"the leader is {found.leader}" if found.leader else "no clock is the leader",
            )
        return True
