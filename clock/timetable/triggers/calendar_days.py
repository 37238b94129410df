"""Rules that select days of the calendar, without a zone; days of a month in words: `1`, `"last"`, `"3rd monday"`.

A day is a number, `zone_offsets.day_number`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from typing import Protocol

from clock.timetable.triggers.zone_offsets import date_of, day_number

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
#: 0 for "monday" and "mon".
WEEKDAY_NUMBERS = {text: number for number, name in enumerate(WEEKDAYS) for text in (name, name[:3])}
ALL_MONTHS = range(12 * 10_000)
_FIRST_WEEKDAY = 3  # 1970-01-01, day 0, was a Thursday


def weekday_of(day: int) -> int:
    """0 for Monday."""
    return (day + _FIRST_WEEKDAY) % 7


def ordinal(number: int) -> str:
    """A place in words: 1st, 2nd, 11th."""
    ending = "th" if number in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


class DayRule(Protocol):
    """A set of days."""

    def between(self, low: int, high: int) -> Iterable[int]:
        """The days low <= day < high of the set, in order."""


@dataclass(frozen=True, slots=True)
class EveryNthDay:
    """The day `start` and each `step` days after it."""

    start: int
    step: int

    def between(self, low: int, high: int) -> Iterable[int]:
        """The days low <= day < high of the set, in order."""
        return range(max(self.start, low + (self.start - low) % self.step), high, self.step)


_PAST = -7 * 200_000  # a Thursday before the year 1
EVERY_DAY = EveryNthDay(_PAST, 1)
#: Every Monday, ..., every Sunday.
EACH_WEEKDAY = [EveryNthDay(_PAST - _FIRST_WEEKDAY + weekday, 7) for weekday in range(7)]


@dataclass(frozen=True, slots=True)
class MonthDays:
    """The days that `chosen` selects of each month in `months`, which has numbers of months since the year 0."""

    chosen: Callable[[range], Iterable[int]]
    months: Container[int] = ALL_MONTHS
    is_by_shape: bool = True  # `chosen` depends on the first weekday and the length: 28 shapes are computed once
    shapes: dict[tuple[int, int], tuple[int, ...]] = field(default_factory=dict, compare=False, repr=False)

    def between(self, low: int, high: int) -> Iterator[int]:
        """The days low <= day < high of the set, in order."""
        month = month_of(low)
        start = first_day(month)
        while start < high:
            following = first_day(month + 1)
            if month in self.months:
                for day in self._of_month(start, following - start):
                    if low <= start + day < high:
                        yield start + day
            month += 1
            start = following

    def in_each_months(self, step: int, origin: int) -> MonthDays:
        """These days in each `step`-th month after the month `origin`."""
        return replace(self, months=ALL_MONTHS[origin + step :: step])

    def _of_month(self, start: int, length: int) -> tuple[int, ...]:
        shape = (weekday_of(start), length)
        found = self.shapes.get(shape)
        if found is None:
            found = tuple(day - start for day in self.chosen(range(start, start + length)))
            if self.is_by_shape:
                self.shapes[shape] = found
        return found


def matching(is_on: Callable[[date], object], months: Container[int] = ALL_MONTHS) -> MonthDays:
    """The days that `is_on` accepts by their place in the month, their weekday and the month's length."""
    return MonthDays(lambda days: [day for day in days if is_on(date_of(day))], months)


@dataclass(frozen=True, slots=True)
class MonthsOfYear:
    """The months, as numbers since the year 0, whose place in the year, 1 to 12, is in `places`."""

    places: frozenset[int]

    def __contains__(self, month: object) -> bool:
        return isinstance(month, int) and month % 12 + 1 in self.places


@lru_cache(maxsize=4096)  # lookups are for days close to each other
def month_of(day: int) -> int:
    """The month of a day, as months since the year 0."""
    found = date_of(day)
    return found.year * 12 + found.month - 1


@lru_cache(maxsize=1024)
def first_day(month: int) -> int:
    """The first day of a month."""
    return day_number(date(month // 12, month % 12 + 1, 1))


ACCEPTED_DAYS = "1 to 31, 'last', '3rd monday', 'last friday', '1st weekday' or 'last business day'"
_BUSINESS = "business day"
_NAMED = (
    {name: frozenset({number}) for name, number in WEEKDAY_NUMBERS.items()}
    | dict.fromkeys(("", "day"), frozenset(range(7)))
    | dict.fromkeys(("weekday", _BUSINESS), frozenset(range(5)))
)
_MOST = {7: 31, 5: 23, 1: 5}  # the most days with that many weekdays that a month may have
_COUNTED = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "last": -1}
_WORDS = re.compile(
    r"(?:(?P<number>\d{1,2})(?:st|nd|rd|th)?|(?P<word>[a-z]+))(?: (?P<weekday>business day|[a-z]+))?"
)


@dataclass(frozen=True, slots=True)
class MonthDay:
    """The `nth` of a month's days that fall on one of `weekdays`; -1 is the last. A shorter month has none."""

    text: str
    nth: int
    weekdays: frozenset[int]
    counts_business_days: bool = False  # only days count that are not excepted

    def chosen(self, days: range, is_open: Callable[[date], object] = lambda _day: True) -> list[int]:
        """That day among the `days` of a month, or nothing."""
        among = [day for day in days if weekday_of(day) in self.weekdays]
        if self.counts_business_days:
            among = [day for day in among if is_open(date_of(day))]
        return among[-1:] if self.nth == -1 else among[self.nth - 1 : self.nth]


def parse_month_day(given: object) -> MonthDay:
    """Parse one day of a month: 1, "last", "3rd monday". Raises ValueError with the accepted forms."""
    text = " ".join(str(given).lower().split())
    found = _WORDS.fullmatch(text)
    if isinstance(given, (int, str)) and not isinstance(given, bool) and found is not None:
        nth = int(found["number"]) if found["number"] else _COUNTED.get(found["word"])
        named = found["weekday"] or ""
        weekdays = _NAMED.get(named)
        if nth is not None and weekdays and (nth == -1 or 1 <= nth <= _MOST[len(weekdays)]):
            full = WEEKDAYS[WEEKDAY_NUMBERS[named]].capitalize() if named in WEEKDAY_NUMBERS else named
            words = f"last {full or 'day'}" if nth == -1 else f"{ordinal(nth)} {full}".rstrip()
            return MonthDay(words, nth, weekdays, named == _BUSINESS)
    raise ValueError(f"invalid day of the month {given!r}; use {ACCEPTED_DAYS}")


@lru_cache(maxsize=1024)
def days_on(wanted: tuple[MonthDay, ...]) -> MonthDays:
    """The days of each month that are one of `wanted`. Events of the same days share them."""
    return MonthDays(lambda days: sorted({day for one in wanted for day in one.chosen(days)}))


def business_days_on(wanted: tuple[MonthDay, ...], is_open: Callable[[date], object]) -> MonthDays:
    """The days of each month that are one of `wanted`; only business days that `is_open` accepts count."""
    return MonthDays(
        lambda days: sorted({day for one in wanted for day in one.chosen(days, is_open)}), is_by_shape=False
    )


#: Monday to Friday; Saturday and Sunday.
WORKING_DAYS = matching(lambda day: day.weekday() < 5)
WEEKEND_DAYS = matching(lambda day: day.weekday() >= 5)
