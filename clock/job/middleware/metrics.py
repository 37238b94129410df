"""The figures of Sidekiq's page Metrics (from version 7): runs, failures and run times of each class.

The figures are counted here and sent to Redis with the worker's heartbeat, by `METRICS.flush`.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import defaultdict
from datetime import datetime

from clock.errors import StoreError
from clock.forking import in_child
from clock.job.context import JobRun
from clock.store import Redis
from clock.store.jobs.job_metrics import BUCKETS_MS, Tally, add


class Metrics:
    """Figures of this process since they were last sent. May be used from any thread."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the figures."""
        self._lock = threading.Lock()
        self._tallies: defaultdict[str, Tally] = defaultdict(Tally)  # guarded by _lock

    def note(self, run: JobRun) -> None:
        """Count a run that was done or failed. As in Sidekiq, how long a failure took is not counted."""
        if run.outcome not in ("done", "failed"):
            return
        name, ms = str(run.payload["class"]), run.seconds * 1000
        bucket = bisect_right(BUCKETS_MS, ms)
        with self._lock:
            tally = self._tallies[name]
            tally.processed += 1
            if run.outcome == "failed":
                tally.failed += 1
            else:
                tally.ms += ms
                tally.histogram[bucket] += 1

    def note_expired(self, name: str) -> None:
        """Count a job of the class `name` that was dropped because it had expired."""
        with self._lock:
            self._tallies[name].expired += 1

    def note_cancelled(self, name: str) -> None:
        """Count a job of the class `name` that was cancelled."""
        with self._lock:
            self._tallies[name].cancelled += 1

    def flush(self, redis: Redis, now: datetime) -> None:
        """Add the figures to those in Redis, under `now`. Raises StoreUnavailable; they are kept then."""
        with self._lock:
            tallies, self._tallies = self._tallies, defaultdict(Tally)
        if not tallies:
            return
        try:
            add(redis, tallies, now=now)
        except StoreError:
            with self._lock:
                for name, tally in tallies.items():
                    self._tallies[name].merge(tally)
            raise


#: The process's own.
METRICS = Metrics()
in_child(METRICS.reset)  # the figures are the parent's, and a thread of it may have held the lock
