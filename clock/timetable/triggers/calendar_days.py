"""Which days: rules that pick days of the calendar, without a zone. A day is a number, `local_time.day_number`."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from typing import Protocol

from clock.timetable.triggers.zone_offsets import date_of, day_number

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ALL_MONTHS = range(12 * 10_000)
_FIRST_WEEKDAY = 3  # 1970-01-01, day 0, was a Thursday


def weekday_of(day: int) -> int:
    """0 for Monday."""
    return (day + _FIRST_WEEKDAY) % 7


class DayRule(Protocol):
    """A set of days."""

    def between(self, low: int, high: int) -> Iterable[int]:
        """The days low <= day < high of the set, in order."""


@dataclass(frozen=True, slots=True)
class EveryDay:
    """Every day."""

    def between(self, low: int, high: int) -> Iterable[int]:
        """The days low <= day < high."""
        return range(low, high)


@dataclass(frozen=True, slots=True)
class EveryNthDay:
    """The day `start` and each `step` days after it."""

    start: int
    step: int

    def between(self, low: int, high: int) -> Iterable[int]:
        """The days low <= day < high of the set, in order."""
        return range(max(self.start, low + (self.start - low) % self.step), high, self.step)


@dataclass(frozen=True, slots=True)
class EveryWeekday:
    """All days that fall on one weekday, 0 for Monday."""

    weekday: int

    def between(self, low: int, high: int) -> Iterable[int]:
        """The days low <= day < high of the set, in order."""
        return range(low + (self.weekday - weekday_of(low)) % 7, high, 7)


@dataclass(frozen=True, slots=True)
class MatchingDays:
    """The days that `matches` accepts, in months that are in `months`: numbers of months since the year 0.

    `matches` must tell days apart only by their place in the month, their weekday and the month's length; so
    each of the 28 shapes of a month is read once.
    """

    matches: Callable[[date], bool]
    months: Container[int] = _ALL_MONTHS
    shapes: dict[tuple[int, int], tuple[int, ...]] = field(default_factory=dict, compare=False, repr=False)

    def each_months(self, step: int, origin: int) -> MatchingDays:
        """The same days in each `step`-th month after the month `origin`."""
        return replace(self, months=_ALL_MONTHS[origin + step :: step])

    def between(self, low: int, high: int) -> Iterator[int]:
        """The days low <= day < high of the set, in order."""
        month = month_of(low)
        start = _first_day(month)
        while start < high:
            following = _first_day(month + 1)
            if month in self.months:
                for day in self._of_month(start, following - start):
                    if low <= start + day < high:
                        yield start + day
            month += 1
            start = following

    def _of_month(self, start: int, length: int) -> tuple[int, ...]:
        shape = (weekday_of(start), length)
        if shape not in self.shapes:
            self.shapes[shape] = tuple(day for day in range(length) if self.matches(date_of(start + day)))
        return self.shapes[shape]


@dataclass(frozen=True, slots=True)
class MonthsOfYear:
    """The months, by their numbers since the year 0, whose place in the year, 1 to 12, is among `places`."""

    places: frozenset[int]

    def __contains__(self, month: object) -> bool:
        return isinstance(month, int) and month % 12 + 1 in self.places


@lru_cache(maxsize=4096)  # the days that are asked about lie close together
def month_of(day: int) -> int:
    """The month of a day, as months since the year 0."""
    found = date_of(day)
    return found.year * 12 + found.month - 1


@lru_cache(maxsize=1024)
def _first_day(month: int) -> int:
    return day_number(date(month // 12, month % 12 + 1, 1))
