"""The worker's time is Redis's: by it the other workers decide that this worker is dead.

Jobs read the machine's own clock. So a machine whose clock is off is reported.
"""

from __future__ import annotations

from clock.clocks import Clock
from clock.problems import Problems, skewed
from clock.store import Redis
from clock.store.server.connection import SKEW_SECONDS, server_time


class RedisTime:
    """Sets the worker's clock by Redis's, with each heartbeat."""

    def __init__(self, redis: Redis, *, clock: Clock, problems: Problems) -> None:
        self._redis = redis
        self._clock = clock
        self._part = problems.part("time")

    def follow(self) -> None:
        """Ask Redis for its time. Raises StoreUnavailable."""
        asked = self._clock.monotonic()
        correction = self._clock.correct(server_time(self._redis), asked)
        skew = correction.skew.total_seconds()
        is_skewed = abs(skew) > SKEW_SECONDS
        self._part.found(*([skewed(skew, "The worker uses", blocks=False)] if is_skewed else []))
