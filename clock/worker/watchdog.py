"""Ends a worker that is cut off while others are not.

Redis answers a fresh connection, but this process has not completed a round trip of fetching for a minute:
whatever the reason, a new process is the cure, and a supervisor starts one.
"""

from __future__ import annotations

from collections.abc import Callable

from clock.clocks import Clock
from clock.worker.fetcher import Fetcher

STUCK_SECONDS = 60.0


class Watchdog:
    """Looks after the fetcher. `redis_answers` asks over a connection of its own."""

    def __init__(self, fetcher: Fetcher, *, redis_answers: Callable[[], bool], clock: Clock) -> None:
        self._fetcher = fetcher
        self._redis_answers = redis_answers
        self._clock = clock

    def is_stuck(self) -> bool:
        """Whether this worker should end, for its supervisor to start another."""
        silent = self._clock.monotonic() - self._fetcher.last_round_trip
        return silent > STUCK_SECONDS and not self._fetcher.stopping and self._redis_answers()
