"""Once a minute one worker frees places of limits without a job, and removes rates that are as good as new."""

from __future__ import annotations

from clock.clocks import Clock
from clock.store import Redis
from clock.store.jobs.flow import limit_holders, rates

WITHIN_SECONDS = 0.2  # of a look at rates: heartbeats wait for it


class LimitChecks:
    """The duties of a worker for limits and rates."""

    def __init__(self, redis: Redis, *, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock
        self._at = rates.START  # of the next look at rates

    def look(self) -> None:
        """Look at limits and rates, if no other worker did so lately. Raises StoreUnavailable."""
        limit_holders.heal(self._redis, now=self._clock.now())
        if rates.claim_check(self._redis):
            self._at, _ = rates.forget(self._redis, self._at, within=WITHIN_SECONDS)
