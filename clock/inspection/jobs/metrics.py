"""Throughput, failures and run times of job classes, from the figures that workers write, Sidekiq's as well.

Each function that takes a connection raises StoreUnavailable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from clock.store import Redis, listing
from clock.store.jobs import deploy_marks, job_metrics
from clock.store.jobs.job_metrics import BUCKETS_MS as BUCKETS_MS
from clock.store.ledger import lateness as lateness_log
from clock.store.ledger.lateness import Lateness as Lateness
from clock.store.server.shards import every


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time up to now, in slots of 1 or 10 minutes."""

    slots: int
    minutes: int


#: Sidekiq keeps minutes for 8 hours and ten minutes for 3 days; each span reads a bounded number of hashes.
SPANS: Mapping[str, Span] = {"1h": Span(60, 1), "8h": Span(48, 10), "24h": Span(144, 10)}


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """A class: runs, failures, mean and total seconds of the runs that succeeded."""

    job_class: str
    processed: int
    failed: int
    mean_seconds: float
    total_seconds: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of all classes, the busiest first, and by slot: when it starts, runs, failures."""

    classes: Sequence[ClassFigures]
    series: Sequence[tuple[datetime, int, int]]


def figures(redis: Redis, span: Span, now: datetime, job_class: str = "") -> Figures:
    """The figures of a span up to `now`; the series is of one class if it is given."""
    starts = slot_starts(span, now)
    wanted = [job_metrics.slot_of(at, span.minutes) for at in starts]
    of_places = [job_metrics.read(place, wanted) for place in every(redis)]
    slots = [[pair for one in of_slot for pair in one.items()] for of_slot in zip(*of_places, strict=True)]
    totals: dict[str, list[int]] = {}
    series = []
    for at, slot in zip(starts, slots, strict=True):
        for name, one in slot:
            sums = totals.setdefault(name, [0, 0, 0])
            sums[:] = sums[0] + one["p"], sums[1] + one["f"], sums[2] + one["ms"]
        shown = [one for name, one in slot if job_class in ("", name)]
        series.append((at, sum(one["p"] for one in shown), sum(one["f"] for one in shown)))
    classes = sorted((_figures(name, *sums) for name, sums in totals.items()), key=lambda one: -one.total_seconds)
    return Figures(classes, series)


def lateness(redis: Redis, span: Span, now: datetime) -> list[tuple[datetime, Lateness]]:
    """How late the runs of events started, by slot of a span, the oldest first."""
    starts = slot_starts(span, now)
    found = lateness_log.read(redis, [job_metrics.slot_of(at, span.minutes) for at in starts])
    return list(zip(starts, found, strict=True))


def deploys(redis: Redis, first: datetime, last: datetime) -> list[tuple[datetime, str]]:
    """The deploy marks from `first` to `last` with their labels, the oldest first."""
    days = range(first.date().toordinal(), last.date().toordinal() + 1)
    found = deploy_marks.read(redis, [date.fromordinal(day) for day in days])
    return [(at, label) for at, label in found if first <= at <= last]


def slot_starts(span: Span, now: datetime) -> list[datetime]:
    """When each slot of a span starts, the oldest first."""
    last = now.replace(minute=now.minute // span.minutes * span.minutes, second=0, microsecond=0)
    return [last - timedelta(minutes=span.minutes * back) for back in range(span.slots - 1, -1, -1)]


def run_times(redis: Redis, job_class: str, now: datetime) -> list[tuple[float, int]]:
    """The run times of a class in the last hour: the upper end of each bucket in seconds, and its runs."""
    starts = slot_starts(SPANS["1h"], now)
    counts = [job_metrics.histogram(place, job_class, starts) for place in every(redis)]
    return [(end / 1000, sum(each)) for end, *each in zip(BUCKETS_MS, *counts, strict=True)]


def jobs_by_day(redis: Redis, today: date, days: int) -> list[tuple[date, int, int]]:
    """The last days (UTC), the oldest first: day, runs, failures."""
    dates = [today - timedelta(days=back) for back in range(days - 1, -1, -1)]
    counts = listing.days(redis, [day.isoformat() for day in dates])
    return [(day, ran, failed) for day, (ran, failed) in zip(dates, counts, strict=True)]


def _figures(name: str, processed: int, failed: int, ms: int) -> ClassFigures:
    succeeded = max(0, processed - failed)
    return ClassFigures(name, processed, failed, ms / 1000 / succeeded if succeeded else 0.0, ms / 1000)
