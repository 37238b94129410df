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
ALL_MONTHS = range(12 * 10_000)
_FIRST_WEEKDAY = 3  # 1970-01-01, day 0, was a Thursday


def weekday_of(day: int) -> int:
    """0 for Monday."""
    return (day + _FIRST_WEEKDAY) % 7


class DayRule(Protocol):
    """A set of days."""

    def between(self, low: int, high: int) -> Iterable[int]:
        """The days low <= day < high of the set, in order."""


class MonthRule(DayRule, Protocol):
    """A set of days that can be limited to some months."""

    def each_months(self, step: int, origin: int) -> MonthRule:
        """These days in each `step`-th month after the month `origin`."""


def in_each_months(step: int, origin: int) -> Container[int]:
    """Each `step`-th month after the month `origin`."""
    return ALL_MONTHS[origin + step :: step]


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
    """The days that `matches` accepts, in the months in `months`, which are numbers of months since the year 0.

    `matches` may depend only on the place in the month, the weekday and the month's length. So each of the 28
    shapes of a month is computed once.
    """

    matches: Callable[[date], bool]
    months: Container[int] = ALL_MONTHS
    shapes: dict[tuple[int, int], tuple[int, ...]] = field(default_factory=dict, compare=False, repr=False)

    def each_months(self, step: int, origin: int) -> MatchingDays:
        """These days in each `step`-th month after the month `origin`."""
        return replace(self, months=in_each_months(step, origin))

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

    def _of_month(self, start: int, length: int) -> tuple[int, ...]:
        shape = (weekday_of(start), length)
        if shape not in self.shapes:
            self.shapes[shape] = tuple(day for day in range(length) if self.matches(date_of(start + day)))
        return self.shapes[shape]


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
_NAMED = {"": frozenset(range(7)), "day": frozenset(range(7))} | dict.fromkeys(
    ("weekday", _BUSINESS), frozenset(range(5))
)
_MOST = {7: 31, 5: 23, 1: 5}  # the most days with that many weekdays that a month may have
_COUNTED = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "last": -1}
_WORDS = re.compile(
    r"(?:(?P<number>\d{1,2})(?:st|nd|rd|th)?|(?P<word>[a-z]+))(?: (?P<weekday>business day|[a-z]+))?"
)


@dataclass(frozen=True, slots=True)
class MonthDay:
    """The `nth` of a month's days that fall on one of `weekdays`; -1 is the last. A shorter month has none.

    `counts_business_days`: only those count that are not excepted.
    """

    text: str
    nth: int
    weekdays: frozenset[int]
    counts_business_days: bool = False

    def is_on(self, day: date) -> bool:
        """Whether `day` is that day of its month."""
        if day.weekday() not in self.weekdays:
            return False
        if self.nth == -1:
            following = (date.fromordinal(day.toordinal() + ahead) for ahead in range(1, 8))
            return all(later.month != day.month for later in following if later.weekday() in self.weekdays)
        first = day.toordinal() - day.day + 1
        earlier = (date.fromordinal(ordinal).weekday() for ordinal in range(first, day.toordinal()))
        return sum(weekday in self.weekdays for weekday in earlier) == self.nth - 1


def parse_month_day(given: object) -> MonthDay:
    """Parse one day of a month. Raises ValueError with the accepted forms.

    >>> parse_month_day("3rd monday")
    MonthDay(text='3rd Monday', nth=3, weekdays=frozenset({0}), counts_business_days=False)
    """
    text = " ".join(str(given).lower().split())
    found = _WORDS.fullmatch(text)
    if isinstance(given, (int, str)) and not isinstance(given, bool) and found is not None:
        nth = int(found["number"]) if found["number"] else _COUNTED.get(found["word"])
        weekdays = _weekdays(found["weekday"] or "")
        if nth is not None and weekdays and (nth == -1 or 1 <= nth <= _MOST[len(weekdays)]):
            named = found["weekday"] or ""
            return MonthDay(_text(nth, named), nth, weekdays, named == _BUSINESS)
    raise ValueError(f"invalid day of the month {given!r}; use {ACCEPTED_DAYS}")


def _text(nth: int, weekday: str) -> str:
    ending = "th" if nth in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(nth % 10, "th")
    full = next((name.capitalize() for name in WEEKDAYS if weekday in (name, name[:3])), weekday)
    return f"last {full or 'day'}" if nth == -1 else f"{nth}{ending} {full}".strip()


def _weekdays(name: str) -> frozenset[int] | None:
    for number, weekday in enumerate(WEEKDAYS):
        if name in (weekday, weekday[:3]):
            return frozenset({number})
    return _NAMED.get(name)


@lru_cache(maxsize=1024)
def days_on(days: tuple[MonthDay, ...]) -> MatchingDays:
    """The days that match one of `days`, in any month."""
    return MatchingDays(lambda day: any(one.is_on(day) for one in days))


#: Monday to Friday; Saturday and Sunday.
WORKING_DAYS = MatchingDays(lambda day: day.weekday() < 5)
WEEKEND_DAYS = MatchingDays(lambda day: day.weekday() >= 5)
