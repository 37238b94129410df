"""Ends a worker that is cut off while others are not.

Redis answers a fresh connection, but this process has not completed a round trip of fetching for a minute:
whatever the reason, a new process is the cure, and a supervisor starts one.
"""

from __future__ import annotations

from collections.abc import Callable

from clock.clocks import Clock
from clock.worker.fetching.fetcher import Fetcher

STUCK_SECONDS = 60.0
PAUSED_SECONDS = 10.0  # checked every second; a longer gap means that the whole process was suspended


class Watchdog:
    """Checks the fetcher. `redis_answers` asks over a separate connection."""

    def __init__(self, fetcher: Fetcher, *, redis_answers: Callable[[], bool], clock: Clock) -> None:
        self._fetcher = fetcher
        self._redis_answers = redis_answers
        self._clock = clock
        self._last_look = float("inf")
        self._since = float("-inf")  # when the process was last found to have been stopped

    def is_stuck(self) -> bool:
        """Whether this worker should exit, so its supervisor starts another. Call it each second.

        After a suspension of the whole process (SIGSTOP, a paused container) the minute starts again.
        """
        now = self._clock.monotonic()
        if now - self._last_look > PAUSED_SECONDS:
            self._since = now
        silent = now - max(self._fetcher.claims.last_round_trip, self._since)
        stuck = silent > STUCK_SECONDS and not self._fetcher.stopping and self._redis_answers()
        self._last_look = self._clock.monotonic()
        return stuck
