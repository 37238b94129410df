"""Times of day on calendar days, as instants in a zone: the one place that handles zone changes.

All rules of days and times - fluent, Clockwork's, cron - are expanded here, one offset period at a time. Within
such a period an instant is a wall-clock time minus the offset. Only between two periods the rule for zone changes
matters. `FIXED` is Debian cron's rule for times of day, as the `cronsim` package states it; `EVERY_HOUR` is its
rule for wildcards: at each matching time on the clock.

A clock may have been away for a year, in which an event of each second has 30 million due instants. So results
can mostly be counted, and read from their end, without making each instant.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from itertools import chain, islice
from typing import Literal, Protocol, runtime_checkable

from clock.timetable.triggers.calendar_days import DayRule
from clock.timetable.triggers.zone_offsets import DAY, OffsetPeriod, offsets_of

#: How far a search goes, as in cronsim. The rarest day, 29 February on a given weekday, comes within 40 years.
SEARCH_SECONDS = 50 * 366 * DAY

Gap = Literal["shift", "skip"]
Fold = Literal["first", "second", "both"]


@dataclass(frozen=True, slots=True)
class Dst:
    """The rule for a time of day that a zone change skips (`gap`) or repeats (`fold`); None: the usual rule."""

    gap: Gap | None = None
    fold: Fold | None = None

    def over(self, usual: Dst) -> Dst:
        """The rule, with `usual` as the default."""
        if self.gap is None and self.fold is None:
            return usual
        return Dst(self.gap or usual.gap, self.fold or usual.fold)


FIXED = Dst("shift", "first")
EVERY_HOUR = Dst("skip", "both")
AS_USUAL = Dst()

#: A day: the wall-clock time of its first second, and times in it, in seconds since then.
TimesOfDay = tuple[int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class WallTimes:
    """The times of day `times`, in seconds and in order, on each of the `days`, in a zone."""

    days: DayRule
    times: tuple[int, ...]
    zone: tzinfo
    dst: Dst = FIXED

    def instants(self, after: int, end: int) -> Instants:
        """The instants in (after, end], in order."""
        return Instants(self, after, end)

    def readings(self, after: int, end: int) -> Iterator[tuple[int, int]]:
        """The instants in (after, end], in order, each with its wall-clock time."""
        for offset, days in self.runs(after, end):
            for base, times in days:
                for time in times:
                    yield base + time - offset, base + time

    def runs(self, after: int, end: int) -> Iterator[tuple[int, Iterable[TimesOfDay]]]:
        """Runs of days with one offset: (offset, the days); an instant is a wall-clock time minus the offset."""
        end = min(end, after + SEARCH_SECONDS)
        soonest = next(iter(self.days.between((after - DAY) // DAY, (end + DAY) // DAY + 1)), None)
        if soonest is None:
            return
        after = max(after, (soonest - 1) * DAY)
        for period in offsets_of(self.zone).periods(after, end):
            if period.start > after and period.offset > period.before:
                yield from self._shifted(period)
            low, high = self._wall_range(period)
            low = max(low, after + 1 + period.offset)
            high = min(high, end + 1 + period.offset)
            yield period.offset, self._between(low, high)

    def _wall_range(self, period: OffsetPeriod) -> tuple[int, int]:
        """The wall-clock times, low <= wall < high, that count in this period; in a fold only a part does."""
        low = high = period.offset
        if self.dst.fold == "first":
            low = max(low, period.before)
        if self.dst.fold == "second":
            high = min(high, period.following)
        return period.start + low, period.stop + high

    def _shifted(self, period: OffsetPeriod) -> Iterator[tuple[int, Iterable[TimesOfDay]]]:
        """The run for the gap before an offset period: all times in it mean the period's first instant."""
        low, high = period.start + period.before, period.start + period.offset
        skipped = next((base + times[0] for base, times in self._between(low, high) if times), None)
        is_end_due = any(times for _, times in self._between(high, high + 1))
        if self.dst.gap == "shift" and skipped is not None and not is_end_due:
            yield skipped - period.start, [(skipped, (0,))]

    def _between(self, low: int, high: int) -> Iterator[TimesOfDay]:
        """The wall-clock times low <= wall < high, in order, without zone changes."""
        times = self.times
        for day in self.days.between(low // DAY, -(-high // DAY)):
            base = day * DAY
            if low <= base and base + DAY <= high:
                yield base, times
            else:
                yield base, times[bisect_left(times, low - base) : bisect_left(times, high - base)]


@dataclass(slots=True)
class Instants:
    """The instants of a rule in (after, end], in order. They can be counted without computing each."""

    rule: WallTimes
    after: int
    end: int

    def __iter__(self) -> Iterator[int]:
        for offset, days in self.rule.runs(self.after, self.end):
            for base, times in days:
                first = base - offset
                for time in times:
                    yield first + time

    def __len__(self) -> int:
        return sum(len(times) for _, days in self.rule.runs(self.after, self.end) for _, times in days)

    def __reversed__(self) -> Iterator[int]:
        for offset, days in reversed(list(self.rule.runs(self.after, self.end))):
            for base, times in reversed(list(days)):
                for time in reversed(times):
                    yield base - offset + time


@runtime_checkable
class Countable(Protocol):
    """Due instants that can be counted, and read from their end."""

    def __iter__(self) -> Iterator[int]: ...

    def __len__(self) -> int: ...

    def __reversed__(self) -> Iterator[int]: ...


@dataclass(frozen=True, slots=True)
class Span:
    """Due instants in order, in seconds since 1970; of the `last` there are as many as were asked for, or all."""

    first: int
    count: int
    last: Sequence[int]


def span_of(found: Iterable[int], most: int = 1) -> Span | None:
    """The span of a trigger's result, with `most` instants of its end; None without due instants."""
    if isinstance(found, Countable):
        count, last = len(found), list(islice(reversed(found), most))[::-1]
        return Span(next(iter(found)), count, last) if count else None
    instants = iter(found)
    first = next(instants, None)
    if first is None:
        return None
    kept = deque(enumerate(chain((first,), instants), start=1), maxlen=most)
    return Span(first, kept[-1][0], [instant for _, instant in kept])


@dataclass(frozen=True, slots=True)
class Joined:
    """One instant, and a range of later ones."""

    first: int
    rest: range

    def __iter__(self) -> Iterator[int]:
        return chain((self.first,), self.rest)

    def __len__(self) -> int:
        return 1 + len(self.rest)

    def __reversed__(self) -> Iterator[int]:
        return chain(reversed(self.rest), (self.first,))
