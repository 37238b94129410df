"""Errors that come back with each heartbeat or look: each line is logged at most once a minute."""

from __future__ import annotations

import logging
import threading

from clock.clocks import Clock

EVERY_SECONDS = 60.0
MOST = 1_000  # lines remembered; then the memory starts again


class Seldom:
    """Logs an error that may come back soon. May be used from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._logged: dict[str, float] = {}  # line -> when it was last logged (monotonic); guarded by _lock

    def error(self, logger: logging.Logger, message: str, *args: object) -> None:
        """Log an error, unless the same line was logged less than a minute ago."""
        line, now = message % args, self._clock.monotonic()
        with self._lock:
            if now - self._logged.get(line, -EVERY_SECONDS) < EVERY_SECONDS:
                return
            if len(self._logged) >= MOST:
                self._logged.clear()
            self._logged[line] = now
        logger.error("%s", line)
