"""What the jobs of a clock's firings come to: it goes into the history of the event that pushed them."""

from __future__ import annotations

import logging

from clock.clocks import Clock, to_ms
from clock.errors import StoreError, StoreUnavailable, message_of
from clock.job.payload import Payload
from clock.problems import Problems
from clock.store import Redis
from clock.store.ledger import history
from clock.worker.seldom import Seldom

logger = logging.getLogger("clock.worker")


class FiringOutcomes:
    """Notes each run of a job that a clock has pushed; of other jobs nothing."""

    def __init__(self, redis: Redis, *, clock: Clock, problems: Problems | None = None) -> None:
        self._redis = redis
        self._clock = clock
        self._seldom = Seldom(clock, problems)

    def note(
        self,
        payload: Payload,
        outcome: str,
        *,
        took: float,
        error: BaseException | None = None,
        retry_at: float = 0.0,
    ) -> None:
        """A run took `took` seconds and came to `done`, `dropped`, `dead`, or `retry` at `retry_at`."""
        firing, jid = payload.get("clock"), payload.get("jid")
        event = firing.get("event") if isinstance(firing, dict) else None
        if not isinstance(event, str) or not isinstance(jid, str):
            return
        record = {"outcome": outcome, "at": to_ms(self._clock.now()), "took_ms": round(took * 1000)}
        if error is not None:
            record["error"] = f"{type(error).__name__}: {message_of(error)}"[:500]
        try:
            history.add_outcome(self._redis, event, jid, record, ended=outcome != "retry", retry_at=retry_at)
        except StoreUnavailable as reason:
            logger.debug("The history of %r lacks an outcome: %s", event, reason)
        except StoreError as reason:  # a key of a wrong type
            self._seldom.error("The history of %r lacks outcomes: %s", event, reason)
        except UnicodeEncodeError as reason:  # a name that is no text
            logger.debug("The history of %r lacks an outcome: %s", event, reason)
