"""Jobs of batches that another program has removed: their batches would wait for them for ever.

One worker looks, once a minute, at some of the pending jobs. A job counts as lost if two looks did not find it: a
worker of Sidekiq reports its jobs late.
"""

from __future__ import annotations

import logging
from datetime import datetime
from itertools import islice

from clock.clocks import Clock
from clock.store import Redis
from clock.store.jobs.flow import batches, unique_locks
from clock.store.jobs.flow.batches import Correction

EVERY_SECONDS = 60.0
WITHIN_SECONDS = 0.5  # of a search: heartbeats wait for it
MOST = 1_000  # pending jobs of one look

logger = logging.getLogger("clock.worker")


class LostChildren:
    """Looks for lost jobs of batches, a part with each look."""

    def __init__(self, redis: Redis, identity: str, *, clock: Clock) -> None:
        self._redis = redis
        self._identity = identity
        self._clock = clock
        self._looked_at = clock.monotonic()
        self._after = ""  # the start of the next check
        self._missing: set[tuple[str, str]] = set()  # by the looks of the latest round

    def look(self) -> None:
        """Look once a minute, if no other worker does. Raises StoreUnavailable."""
        now = self._clock.monotonic()
        if now - self._looked_at < EVERY_SECONDS:
            return
        self._looked_at = now
        if batches.claim_check(self._redis, self._identity, seconds=2.5 * EVERY_SECONDS):
            self.check(self._clock.now())

    def check(self, now: datetime) -> int:
        """Look at the next part of the pending jobs; how many were corrected. Raises StoreUnavailable."""
        rows = list(islice(batches.pending(self._redis, self._after), MOST))
        self._after = rows[-1][0] if len(rows) == MOST else ""
        some = [(bid, jid) for _, bid, jid in rows]
        gone = unique_locks.gone(self._redis, [jid for _, jid in some], now=now, within=WITHIN_SECONDS)
        missing = {pair for pair in some if pair[1] in gone}
        twice = missing & self._missing
        self._missing = self._missing - set(some) | missing - twice
        if not twice:
            return 0
        count = batches.correct(self._redis, [Correction(*pair, "", "lost") for pair in twice], now=now)
        batches.note_lost(self._redis, count)
        named = ", ".join(sorted(f"{jid} of {bid}" for bid, jid in twice)[:10])
        logger.warning("Ended %d jobs of batches that another program removed: %s", count, named)
        return count
