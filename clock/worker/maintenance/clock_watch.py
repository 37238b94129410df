"""Every worker watches the clock: a clock that is stuck, or gone, cannot report it itself."""

from __future__ import annotations

import logging
from datetime import datetime

from clock.clocks import Clock
from clock.store import Redis
from clock.store.ledger import next_due

REMIND_SECONDS = 60.0  # how often the error is logged again

logger = logging.getLogger("clock.worker")


class ClockWatch:
    """Compares the oldest undecided due instant with Redis's time."""

    def __init__(self, redis: Redis, *, clock: Clock, limit_seconds: float = next_due.OVERDUE_SECONDS) -> None:
        self._redis = redis
        self._clock = clock
        self._limit_seconds = limit_seconds
        self._due: datetime | None = None  # what was overdue when it was last logged
        self._logged_at = float("-inf")

    def look(self) -> bool:
        """Look once, and log it if the clock is behind: True. Raises StoreUnavailable."""
        found = next_due.look(self._redis)
        problem = found.problem(self._limit_seconds)
        if problem is None:
            if self._due is not None:
                logger.info("The clock is on time again")
            self._due = None
            return False
        now = self._clock.monotonic()
        if found.due != self._due or now - self._logged_at >= REMIND_SECONDS:
            self._due, self._logged_at = found.due, now
            logger.error("The clock is late: %s", problem)
        return True
