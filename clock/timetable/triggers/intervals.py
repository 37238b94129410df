"""Triggers: when an event is due, as pure functions of its anchor and the last due instant.

Each answers `due_between(after, end, anchor, previous)`: the due instants in (after, end], in order and lazily, as
whole seconds since 1970 in UTC. One answer serves both the clock, which takes the first, and a year's preview.
`previous`, a due instant not after `after`, only saves work.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Protocol

from clock.timetable.triggers.calendar_days import EVERY_DAY, EveryNthDay, MonthDays, month_of, weekday_of
from clock.timetable.triggers.wall_times import AS_USUAL, EVERY_HOUR, FIXED, Dst, WallTimes
from clock.timetable.triggers.zone_offsets import DAY, HOUR, MINUTE, offsets_of


class Trigger(Protocol):
    """When."""

    def due_between(self, after: int, end: int, anchor: int, previous: int | None) -> Iterable[int]:
        """The due instants in (after, end], in order."""


#: Makes the trigger of a declaration in a zone; it draws random gaps from the name.
MakeTrigger = Callable[[tzinfo, str, Dst], Trigger]


@dataclass(frozen=True, slots=True)
class Elapsed:
    """Every `period` seconds of elapsed time since the anchor, from the `first`-th on (0: at the anchor)."""

    period: int
    first: int = 1

    def due_between(self, after: int, end: int, anchor: int, previous: int | None) -> Iterable[int]:
        """The due instants in (after, end], in order."""
        number = max(self.first, (after - anchor) // self.period + 1)
        return range(anchor + number * self.period, end + 1, self.period)


@dataclass(frozen=True, slots=True)
class Days:
    """Every `step` days at times of day in a zone, counted from the anchor's day or from its next `weekday`."""

    zone: tzinfo
    step: int
    times: tuple[int, ...] | None = None  # None: the anchor's own time of day
    weekday: int | None = None
    first: int = 0  # the first of the counted days that may be due
    at_anchor: bool = False  # an instant that is the anchor itself counts
    dst: Dst = AS_USUAL

    def due_between(self, after: int, end: int, anchor: int, previous: int | None) -> Iterable[int]:
        """The due instants in (after, end], in order."""
        day, time = divmod(anchor + offsets_of(self.zone).at(anchor), DAY)
        if self.weekday is not None:
            day += (self.weekday - weekday_of(day)) % 7
        days = EveryNthDay(day + self.first * self.step, self.step)
        times = (time,) if self.times is None else self.times
        return WallTimes(days, times, self.zone, self.dst.over(FIXED)).instants(
            max(after, anchor - 1 if self.at_anchor else anchor), end
        )


@dataclass(frozen=True, slots=True)
class CalendarDays:
    """On the days of a rule, at times of day in a zone."""

    zone: tzinfo
    days: MonthDays
    times: tuple[int, ...] | None = None  # None: the anchor's own time of day
    step: int = 1  # above 1: only in each `step`-th month after the anchor's
    dst: Dst = AS_USUAL

    def due_between(self, after: int, end: int, anchor: int, previous: int | None) -> Iterable[int]:
        """The due instants in (after, end], in order."""
        day, time = divmod(anchor + offsets_of(self.zone).at(anchor), DAY)
        days = self.days if self.step == 1 else self.days.in_each_months(self.step, month_of(day))
        times = (time,) if self.times is None else self.times
        return WallTimes(days, times, self.zone, self.dst.over(FIXED)).instants(max(after, anchor), end)


@dataclass(frozen=True, slots=True)
class EachHour:
    """In every real hour, whenever the zone's clock shows one of `marks`, seconds past the hour."""

    zone: tzinfo
    marks: tuple[int, ...]
    dst: Dst = AS_USUAL

    def due_between(self, after: int, end: int, anchor: int, previous: int | None) -> Iterable[int]:
        """The due instants in (after, end], in order."""
        times = tuple(hour + mark for hour in range(0, DAY, HOUR) for mark in self.marks)
        return WallTimes(EVERY_DAY, times, self.zone, self.dst.over(EVERY_HOUR)).instants(max(after, anchor), end)


@dataclass(frozen=True, slots=True)
class Hours:
    """Every `step` hours of elapsed time, when the zone's clock shows `mark` seconds past the hour.

    If an offset changes by a part of an hour (Lord Howe), the clock's minute counts, and one step is longer.
    """

    zone: tzinfo
    step: int
    mark: int

    def due_between(self, after: int, end: int, anchor: int, previous: int | None) -> Iterator[int]:
        """The due instants in (after, end], in order."""
        offsets = offsets_of(self.zone)
        after = max(after, anchor)
        start = anchor - (anchor + offsets.at(anchor)) % HOUR + self.mark
        period = self.step * HOUR
        due = start + max(1, (after - start) // period) * period
        while True:
            shown = due + (self.mark - due - offsets.at(due)) % HOUR
            if shown > end:
                return
            if shown > after:
                yield shown
            due += period


@dataclass(frozen=True, slots=True)
class Minutes:
    """Every `step` minutes, at a second of the minute."""

    step: int
    second: int

    def due_between(self, after: int, end: int, anchor: int, previous: int | None) -> Iterable[int]:
        """The due instants in (after, end], in order."""
        period = self.step * MINUTE
        start = anchor - anchor % MINUTE + self.second
        number = max(0 if self.step == 1 else 1, (max(after, anchor) - start) // period + 1)
        return range(start + number * period, end + 1, period)


@dataclass(frozen=True, slots=True)
class RandomGaps:
    """Gaps of `low` to `high` units, each drawn from a hash of the event's name and the instant before it."""

    name: str
    low: int
    high: int
    unit: int

    def due_between(self, after: int, end: int, anchor: int, previous: int | None) -> Iterator[int]:
        """The due instants in (after, end], in order."""
        due = previous or anchor
        while (due := due + self._gap(due) * self.unit) <= end:
            if due > after:
                yield due

    def _gap(self, instant: int) -> int:
        return self.low + drawn(self.name, instant) % (self.high - self.low + 1)


def drawn(*words: object) -> int:
    """A number that looks drawn at random, and is the same for the same words on every machine."""
    seed = "\0".join(map(str, words)).encode()
    return int.from_bytes(hashlib.blake2b(seed, digest_size=8).digest(), "big")


@dataclass(frozen=True, slots=True)
class Union:
    """Due whenever one of the triggers is; an instant that several give counts once."""

    triggers: Sequence[Trigger]

    def due_between(self, after: int, end: int, anchor: int, previous: int | None) -> Iterator[int]:
        """The due instants in (after, end], in order."""
        last = None
        for due in heapq.merge(*(trigger.due_between(after, end, anchor, None) for trigger in self.triggers)):
            if due != last:
                yield due
            last = due


def united(triggers: Iterable[Trigger]) -> Trigger:
    """A trigger that is due whenever one of these is."""
    first, *others = triggers
    return Union((first, *others)) if others else first


def in_order(moved: Iterable[tuple[int, int]]) -> Iterator[int]:
    """Moved instants in order, each once. They come as (no instant to come is earlier than this, instant)."""
    waiting: list[int] = []
    last = None
    for earliest, instant in moved:
        heapq.heappush(waiting, instant)
        while waiting and waiting[0] <= earliest:
            due = heapq.heappop(waiting)
            if due != last:
                yield due
            last = due
    yield from sorted(set(waiting))
