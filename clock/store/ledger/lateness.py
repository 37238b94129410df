"""How late runs started, by the minute and by ten minutes. The clock that leads counts; the dashboard shows it.

Each slot is a sorted set: the number of a bucket -> how many runs, and `max` -> the greatest lateness in ms.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from redis import Redis

from clock.store import keys
from clock.store.invalid_values import text, tolerated
from clock.store.jobs.job_metrics import SLOTS, slot_of
from clock.store.server.connection import translated
from clock.store.wrong_type import readings

#: Upper ends of the buckets in ms: steps of about a half up to a minute, then coarser.
BUCKETS_MS = (
    *(5, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1_000, 1_500, 2_000, 3_000, 5_000, 7_500, 10_000),
    *(15_000, 20_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000, 86_400_000),
)
MAXIMUM = "max"


@dataclass(slots=True)
class Lateness:
    """How late the runs of a stretch of time started. `counts` has a number for each bucket, and for the rest."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_MS) + 1))
    max_ms: int = 0

    @property
    def runs(self) -> int:
        """The number of runs."""
        return sum(self.counts)

    def add(self, late_ms: int) -> None:
        """Count a run."""
        self.counts[bisect_left(BUCKETS_MS, late_ms)] += 1
        self.max_ms = max(self.max_ms, late_ms)

    def merge(self, other: Lateness) -> None:
        """Add what `other` has counted."""
        self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        self.max_ms = max(self.max_ms, other.max_ms)

    def quantile(self, part: float) -> int:
        """The ms of lateness that `part` of the runs did not exceed, to the upper end of a bucket; 0: no runs."""
        wanted, seen = part * self.runs, 0
        for count, end in zip(self.counts, BUCKETS_MS, strict=False):
            seen += count
            if count and seen >= wanted:
                return min(end, self.max_ms)
        return self.max_ms


def add(redis: Redis, lateness: Lateness, *, now: datetime) -> None:
    """Add what was counted to the minute `now` (UTC), in one round trip. Raises StoreUnavailable."""
    with translated(), redis.pipeline(transaction=False) as pipeline:
        for minutes, ttl in SLOTS:
            key = keys.LATENESS + slot_of(now, minutes)
            for bucket, count in enumerate(lateness.counts):
                if count:
                    pipeline.zincrby(key, count, str(bucket))
            pipeline.zadd(key, {MAXIMUM: lateness.max_ms}, gt=True)
            pipeline.expire(key, ttl)
        tolerated(pipeline)  # what goes to a key that another program has written is not counted


def read(redis: Redis, slots: Sequence[str]) -> list[Lateness]:
    """The lateness of each slot (`slot_of`). Raises StoreUnavailable."""
    last = len(BUCKETS_MS) + 2
    replies = readings(
        redis, lambda pipe: [pipe.zrange(keys.LATENESS + slot, 0, last, withscores=True) for slot in slots]
    )
    return [_lateness(reply or ()) for reply in replies]


def _lateness(members: Sequence[tuple[bytes, float]]) -> Lateness:
    found = Lateness()
    for member, score in members:
        name = text(member)
        if not 0 <= score < 1e15:  # another program's
            continue
        if name == MAXIMUM:
            found.max_ms = int(score)
        elif name.isascii() and name.isdigit() and len(name) < 3 and int(name) < len(found.counts):
            found.counts[int(name)] = int(score)
    return found
