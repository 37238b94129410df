"""Errors of the data of batches, which scripts return when they have moved a job all the same."""

from __future__ import annotations

import logging

from redis import Redis

from clock.clocks import SystemClock
from clock.errors import StoreError
from clock.store import keys
from clock.store.invalid_values import text
from clock.store.key_types import wrong_keys_among

REPEAT_SECONDS = 60.0  # between two lines about one error
DATA = tuple(key for key in keys.BATCH_KEYS if key != keys.NEARER)  # without the channel

logger = logging.getLogger("clock.redis")


class BatchErrors:
    """Logs each error once a minute at most, with the key that causes it. May be used from any thread."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._clock = SystemClock()
        self._logged: dict[bytes, float] = {}  # error -> monotonic seconds

    def report(self, error: bytes) -> None:
        """Log the error of a script; empty: none."""
        if not error or self._clock.monotonic() - self._logged.get(error, float("-inf")) < REPEAT_SECONDS:
            return
        self._logged[error] = self._clock.monotonic()
        logger.error(
            "The end of a job was not noted in its batch, or the job that follows it was not pushed: %s."
            " Once this is repaired, a worker corrects the batch within some minutes.",
            self._cause(error),
        )

    def _cause(self, error: bytes) -> str:
        try:
            wrong = wrong_keys_among(self._redis, DATA)
        except StoreError:
            wrong = []
        named = "; ".join(f"{key}; rename or delete it" for key in wrong)
        return named or text(error)
