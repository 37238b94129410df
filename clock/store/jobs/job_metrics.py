"""Figures of job classes by the minute, as Sidekiq 8's `metrics/tracking.rb` writes them for its page Metrics.

Each function that takes a connection raises StoreUnavailable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from redis import Redis

from clock.store import keys
from clock.store.invalid_values import number, text, tolerated
from clock.store.server.connection import translated
from clock.store.wrong_type import readings

#: Upper ends of the histogram's buckets in ms, each about half as much again (Sidekiq's `Histogram`).
BUCKETS_MS = (
    *(20, 30, 45, 65, 100, 150, 225, 335, 500, 750, 1100, 1700, 2500, 3800, 5750, 8500, 13000, 20000, 30000),
    *(45000, 65000, 100000, 150000, 225000, 335000, float("inf")),
)
MINUTE_TTL_SECONDS = 8 * 3600
TEN_MINUTES_TTL_SECONDS = 3 * 24 * 3600
#: The minutes of each kind of slot, and for how many seconds its figures are kept.
SLOTS = ((1, MINUTE_TTL_SECONDS), (10, TEN_MINUTES_TTL_SECONDS))


@dataclass(slots=True)
class Tally:
    """Figures of one class: runs, failures, time of those that succeeded, and how many took how long."""

    processed: int = 0
    failed: int = 0
    expired: int = 0
    cancelled: int = 0
    ms: float = 0.0
    histogram: list[int] = field(default_factory=lambda: [0] * len(BUCKETS_MS))

    def merge(self, other: Tally) -> None:
        """Add what `other` has counted."""
        self.processed += other.processed
        self.failed += other.failed
        self.expired += other.expired
        self.cancelled += other.cancelled
        self.ms += other.ms
        self.histogram = [a + b for a, b in zip(self.histogram, other.histogram, strict=True)]


def add(redis: Redis, tallies: Mapping[str, Tally], *, now: datetime) -> None:
    """Add figures, by class, to the minute `now` (UTC), in one round trip."""
    fields = {
        f"{name}|{kind}": count
        for name, tally in tallies.items()
        for kind, count in (("p", tally.processed), ("f", tally.failed), ("ms", round(tally.ms)))
        if count
    }
    with translated(), redis.pipeline(transaction=False) as pipeline:
        for minutes, ttl in SLOTS:
            key = keys.JOB_METRICS + slot_of(now, minutes)
            for name, count in fields.items():
                pipeline.hincrby(key, name, count)
            if fields:
                pipeline.expire(key, ttl)
        for name, tally in tallies.items():
            if tally.expired:
                pipeline.hincrby(keys.EXPIRED, name, tally.expired)
            if tally.cancelled:
                pipeline.hincrby(keys.CANCELLED_JOBS, name, tally.cancelled)
            if any(tally.histogram):
                bitfield = pipeline.bitfield(_histogram_key(name, now), default_overflow="SAT")
                for bucket, count in enumerate(tally.histogram):
                    if count:
                        bitfield.incrby("u16", f"#{bucket}", count)
                bitfield.execute()
                pipeline.expire(_histogram_key(name, now), MINUTE_TTL_SECONDS)
        tolerated(pipeline)  # what goes to a key that another program has written is not counted


def read(redis: Redis, slots: Sequence[str]) -> list[dict[str, dict[str, int]]]:
    """For each slot (`slot_of`), by class: `p` runs, `f` failures, `ms` spent in runs that succeeded."""
    replies = readings(redis, lambda pipe: [pipe.hgetall(keys.JOB_METRICS + slot) for slot in slots])
    return [_by_class(reply or {}) for reply in replies]


def slot_of(at: datetime, minutes: int) -> str:
    """The name of the slot of 1 or 10 minutes at an instant (UTC), as Sidekiq writes it."""
    slot = f"{at:%y%m%d}|{at.hour}:{at:%M}"
    return slot if minutes == 1 else slot[:-1]


def histogram(redis: Redis, job_class: str, minutes: Sequence[datetime]) -> list[int]:
    """How many runs of a class, started in these minutes (UTC), fell into each of `BUCKETS_MS`."""
    replies = readings(redis, lambda pipe: [pipe.get(_histogram_key(job_class, at)) for at in minutes])
    totals = [0] * len(BUCKETS_MS)
    for reply in replies:
        for bucket in range(min(len(reply or b"") // 2, len(BUCKETS_MS))):
            totals[bucket] += int.from_bytes(reply[2 * bucket : 2 * bucket + 2], "big")
    return totals


def _by_class(fields: Mapping[bytes, bytes]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for field_name, value in fields.items():
        name, _, kind = text(field_name).rpartition("|")
        if kind in ("p", "f", "ms"):
            found.setdefault(name, {"p": 0, "f": 0, "ms": 0})[kind] = number(value)
    return found


def _histogram_key(job_class: str, minute: datetime) -> str:
    return f"{keys.JOB_HISTOGRAM}{job_class}-{minute.day}-{minute.hour}:{minute.minute}"
