"""Records the outcomes of jobs that an event pushed in the history of the event."""

from __future__ import annotations

import logging

from clock.clocks import Clock, to_ms
from clock.errors import StoreError, StoreUnavailable, message_of
from clock.job.context import JobRun
from clock.problems import Problems
from clock.store import Redis
from clock.store.ledger import history

logger = logging.getLogger("clock.worker")


class FiringOutcomes:
    """Records the outcome of jobs that an event pushed; ignores other jobs."""

    def __init__(self, redis: Redis, *, clock: Clock, problems: Problems | None = None) -> None:
        self._redis = redis
        self._clock = clock
        self._problems = problems or Problems(clock=clock)

    def note(self, run: JobRun) -> None:
        """Record a run: `done`, `dropped` (maybe with `failed`), `dead`, or `retry` with its time."""
        firing, jid = run.payload.get("clock"), run.payload.get("jid")
        event = firing.get("event") if isinstance(firing, dict) else None
        if not isinstance(event, str) or not isinstance(jid, str):
            return
        outcome = "done" if run.outcome == "done" else run.goes_to or "dropped"
        record: dict[str, object] = {
            "outcome": outcome,
            "at": to_ms(self._clock.now()),
            "took_ms": round(run.seconds * 1000),
        }
        if run.error is not None:
            record["error"] = f"{type(run.error).__name__}: {message_of(run.error)}"[:500]
        if run.outcome == "failed" and outcome == "dropped":
            record["failed"] = True
        ended = outcome != "retry"
        if not ended:
            record["retry_at"] = round(run.retry_at * 1000)
        try:
            history.add_outcome(self._redis, event, jid, record, ended=ended, retry_at=run.retry_at)
        except (StoreUnavailable, UnicodeEncodeError) as reason:  # away; a name that is not text
            logger.debug("The history of %r lacks an outcome: %s", event, reason)
        except StoreError as reason:  # a key of a wrong type
            self._problems.entry("The history of %r lacks outcomes: %s", event, reason)
