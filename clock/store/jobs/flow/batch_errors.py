"""Errors of the data of batches, which scripts return when they have moved a job all the same."""

from __future__ import annotations

from redis import Redis

from clock.clocks import SystemClock
from clock.errors import StoreError
from clock.problems import Problems
from clock.store import keys
from clock.store.invalid_values import text
from clock.store.key_types import wrong_keys_among

DATA = tuple(key for key in keys.BATCH_KEYS if key != keys.NEARER)  # without the channel


class BatchErrors:
    """Reports each error, with the key that causes it, to the `problems` of the process. For any thread."""

    def __init__(self, redis: Redis, problems: Problems | None = None) -> None:
        self._redis = redis
        self._problems = problems or Problems(clock=SystemClock())

    def report(self, error: bytes) -> None:
        """Report the error of a script; empty: none."""
        if error:
            self._problems.entry(
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
