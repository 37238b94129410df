"""Instants, and the wall-clock times of a zone.

In these modules an instant is a whole number of seconds since 1970 in UTC. A wall-clock time is the corresponding
number of a zone's clock: `wall = instant + offset`. A zone's time is a row of periods with one offset each.
Between two periods the wall clock has a gap (spring) or repeats some times (a fold, autumn).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR

#: Later than any instant in use, and early enough for every zone's `datetime`: the year 9990.
FOREVER = 253_086_768_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_SECOND = timedelta(seconds=1)
_LOOK_EVERY = 3 * DAY  # no zone has changed its offset and back in less than 6 days since 1970
_SPAN_BITS = 25  # offsets are computed and cached for spans of 2**25 s (388 days)


def to_seconds(instant: datetime) -> int:
    """The instant as whole seconds since 1970, rounded down."""
    since = instant - _EPOCH
    return since.days * DAY + since.seconds


def to_datetime(seconds: int) -> datetime:
    """The instant as a datetime in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def day_number(day: date) -> int:
    """Days since 1970-01-01: `wall // DAY` of any time of that day."""
    return day.toordinal() - _EPOCH_ORDINAL


def date_of(number: int) -> date:
    """The date of that day number."""
    return date.fromordinal(number + _EPOCH_ORDINAL)


@dataclass(frozen=True, slots=True)
class OffsetPeriod:
    """The instants start <= t < stop have one offset; `before` and `following` are those of its neighbours."""

    start: int
    stop: int
    offset: int
    before: int
    following: int


class Offsets:
    """A zone's offsets from UTC, read from the zone and cached. Created by `offsets_of`."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._spans: dict[int, tuple[OffsetPeriod, ...]] = {}

    def at(self, instant: int) -> int:
        """The offset at an instant, in seconds; positive east of Greenwich."""
        number = instant >> _SPAN_BITS
        span = self._spans.get(number) or self._look_up(number)
        return next(period.offset for period in span if instant < period.stop)

    def periods(self, first: int, last: int) -> Iterator[OffsetPeriod]:
        """The offset periods of the instants first <= t <= last, in order. A long one may come in parts."""
        for number in range(first >> _SPAN_BITS, (last >> _SPAN_BITS) + 1):
            for period in self._spans.get(number) or self._look_up(number):
                if period.stop > first and period.start <= last:
                    yield period

    def readings(self, wall: int) -> list[int]:
        """The instants at which the zone's clock shows `wall`: none in a gap, two in a fold."""
        around = self.periods(wall - DAY, wall + DAY)
        return [wall - part.offset for part in around if part.start <= wall - part.offset < part.stop]

    def instant_of(self, wall: int) -> int:
        """The instant of `wall` by the default rule: in a fold the first, in a gap its end."""
        readings = self.readings(wall)
        if readings:
            return readings[0]
        around = self.periods(wall - DAY, wall + DAY)
        return next(part.start for part in around if wall < part.start + part.offset)

    def _look_up(self, number: int) -> tuple[OffsetPeriod, ...]:
        start, stop = number << _SPAN_BITS, (number + 1) << _SPAN_BITS
        marks = [*range(start, stop, _LOOK_EVERY), stop - 1]
        edges = [start]
        for low, high in pairwise(marks):
            edges += self._changes(low, high)
        edges.append(stop)
        self._spans[number] = tuple(
            OffsetPeriod(low, high, self._ask(low), self._ask(low - 1), self._ask(high))
            for low, high in pairwise(edges)
        )
        return self._spans[number]

    def _changes(self, low: int, high: int) -> list[int]:
        """The instants low < t <= high at which the offset changes."""
        if self._ask(low) == self._ask(high):
            return []
        if high - low == 1:
            return [high]
        middle = (low + high) // 2
        return self._changes(low, middle) + self._changes(middle, high)

    def _ask(self, instant: int) -> int:
        offset = datetime.fromtimestamp(instant, self._zone).utcoffset() or timedelta(0)
        return offset // _SECOND


@lru_cache(maxsize=1024)  # there are about 600 zones
def offsets_of(zone: tzinfo) -> Offsets:
    """The offsets of a zone."""
    return Offsets(zone)


@dataclass(frozen=True, slots=True)
class ZoneChange:
    """A change of a zone's clocks: from the wall-clock time `shown` they go to `then`, at the instant `at`."""

    at: datetime
    shown: datetime  # in a gap, the times from here to `then` do not occur
    then: datetime  # in a fold, the times from here to `shown` occur twice

    @property
    def is_gap(self) -> bool:
        """Whether times of day are skipped; otherwise they occur twice."""
        return self.then > self.shown

    @property
    def first(self) -> datetime:
        """The first time of day that is skipped or occurs twice."""
        return min(self.shown, self.then)

    def __str__(self) -> str:
        what = "are skipped" if self.is_gap else "occur twice"
        low, high = sorted((self.shown, self.then))
        return f"{low:%a %d %b %Y}: the times from {low:%H:%M} to {high:%H:%M} {what}"

    def holds(self, wall: datetime) -> bool:
        """Whether the naive wall-clock time is skipped or occurs twice."""
        return self.first <= wall < max(self.shown, self.then)


def zone_changes(zone: tzinfo, start: datetime, end: datetime) -> Iterator[ZoneChange]:
    """The changes of the zone's clocks from `start` to before `end`, both aware."""
    low, high = to_seconds(start), to_seconds(end)
    for period in offsets_of(zone).periods(low, high):
        if low < period.start < high and period.offset != period.before:
            wall = to_datetime(period.start).replace(tzinfo=None)
            shown, then = wall + timedelta(seconds=period.before), wall + timedelta(seconds=period.offset)
            yield ZoneChange(to_datetime(period.start), shown, then)
