"""The fields of a cron expression: Debian cron's syntax, and extensions of other programs.

The `cronsim` package is the model for Debian's syntax. The extensions are those of fugit, croniter or Quartz:
ranges that wrap (`fri-mon`, `22-2`), hour 24, full names, `?`, `/15`, days counted from the end (`-2`, `-7-L`),
`last`, `15W`, `mon#-1`, `L5`, and `&` after a day field, which makes both day fields match.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import NoReturn

_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_TERM = re.compile(
    r"(?P<first>\*|[a-z]+|-?\d+)(?:-(?P<last>[a-z]+|-?\d+))?(?:#(?P<nth>-?\d+|l|last))?(?:/(?P<step>\d+))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its name in errors, its lowest and highest value, and the values' names from `first_name` on."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    first_name: int = 0
    also: int | None = None  # another number for the lowest value: hour 24, weekday 7

    def refuse(self, term: str, why: str = "") -> NoReturn:
        """Raise ValueError, which names the field and the term."""
        named = f" or {self.names[0][:3]} to {self.names[-1][:3]}" if self.names else ""
        raise ValueError(f"{self.name} is {term!r}; {why or f'must be {self.low} to {self.high}{named}'}")

    def number(self, text: str, term: str) -> int:
        """The number that a text means. Raises ValueError."""
        for number, name in enumerate(self.names, self.first_name):
            if text in (name, name[:3]):
                return number
        if not text.isdecimal() or not self.low <= int(text) <= (self.also or self.high):
            self.refuse(term)
        return int(text)

    def values(self, first: str, last: str | None, step: int | None, term: str) -> list[int]:
        """The numbers of a term, in order; a range whose end is before its start wraps. Raises ValueError."""
        if first == "*":
            return list(range(self.low, self.high + 1))[:: step or 1]
        start, span = self.number(first, term), self.high - self.low + 1
        if last is not None:
            stop = self.number(last, term)
        elif step is None:
            stop = start
        else:
            stop = 7 if self.name == "weekday" else self.high
        if stop < start:
            stop += span
        return [(value - self.low) % span + self.low for value in range(start, stop + 1, step or 1)]


SECOND = Field("second", 0, 59)
MINUTE = Field("minute", 0, 59)
HOUR = Field("hour", 0, 23, also=24)
DAY = Field("day of month", 1, 31)
MONTH = Field("month", 1, 12, _MONTHS, first_name=1)
WEEKDAY = Field("weekday", 0, 6, _WEEKDAYS, also=7)
FIELDS = (SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY)

#: Whether a date is one of a field's days.
IsOn = Callable[[date], bool]


@lru_cache(maxsize=1024)  # expressions of a file have fields in common
def numbers(field: Field, text: str) -> frozenset[int]:
    """The values of a field that has only numbers: all except the two day fields. Raises ValueError."""
    found: set[int] = set()
    for term, parts in _terms(field, text):
        if parts["nth"] or parts["first"].startswith("-"):
            field.refuse(term)
        found.update(field.values(parts["first"], parts["last"], _step(field, parts), term))
    return frozenset(value % 24 if field is HOUR else value for value in found)


def days_of_month(text: str) -> IsOn:
    """The day-of-month field as a test. Raises ValueError."""
    tests = [_day_of_month(term) for term in text.split(",")]
    return lambda day: any(is_on(day) for is_on in tests)


def weekdays(text: str) -> IsOn:
    """The weekday field as a test. Raises ValueError."""
    every: set[int] = set()
    counted: set[tuple[int, int]] = set()
    for days, nth in map(weekday_term, text.split(",")):
        if nth is None:
            every.update(days)
        else:
            counted.update((day, nth) for day in days)
    return lambda day: (
        day.isoweekday() % 7 in every or any((day.isoweekday() % 7, n) in counted for n in _places(day))
    )


def weekday_term(term: str) -> tuple[list[int], int | None]:
    """The weekdays of a term, 0 for Sunday, and their place in the month; None: each. Raises ValueError."""
    if "%" in term:
        WEEKDAY.refuse(term, "every other week is not supported; write every: 2 weeks, at: 'Monday 09:00'")
    if last := re.fullmatch(r"l(\d)|(\d|[a-z]{3,})l", term):
        return [WEEKDAY.number(last[1] or last[2], term) % 7], -1
    [(_, parts)] = _terms(WEEKDAY, term)
    days = [day % 7 for day in WEEKDAY.values(parts["first"], parts["last"], _step(WEEKDAY, parts), term)]
    if parts["nth"] is None:
        return days, None
    nth = -1 if parts["nth"].startswith("l") else int(parts["nth"])
    if not 1 <= abs(nth) <= 5:
        WEEKDAY.refuse(term, "the number after # must be 1 to 5, or -1 to -5 from the end of the month")
    return days, nth


def _terms(field: Field, text: str) -> Iterator[tuple[str, re.Match[str]]]:
    for given in text.split(","):
        term = f"*{given.removeprefix('?')}" if given.startswith(("/", "?")) else given
        if re.fullmatch(r"[hr](\(.*\))?(/\d+)?", term):
            field.refuse(given, "H and R are not supported; write a number, and use .spread(...) to spread events")
        parts = _TERM.fullmatch(term)
        if parts is None:
            field.refuse(given)
        yield given, parts


def _step(field: Field, parts: re.Match[str]) -> int | None:
    if parts["step"] is None:
        return None
    return int(parts["step"]) or field.refuse(parts[0], "a step must be 1 or more")


def _places(day: date) -> tuple[int, int]:
    """The place of a day among the days of its weekday in the month: 1 for the first, and -1 for the last."""
    return (day.day + 6) // 7, -((_length_of_month(day) - day.day) // 7 + 1)


def _day_of_month(term: str) -> IsOn:
    if nearest := re.fullmatch(r"(\d+)w", term):
        return _nearest_weekday(DAY.number(nearest[1], term))
    if term in ("lw", "wl"):
        return _last_weekday
    if re.fullmatch(r"l-\d+", term):
        DAY.refuse(term, f"write -{int(term[2:]) + 1} for the day {term[2:]} days before the last")
    [(_, parts)] = _terms(DAY, term)
    first, last, step = parts["first"], parts["last"], _step(DAY, parts)
    if parts["nth"]:
        DAY.refuse(term)
    if not _is_from_end(first):
        days = frozenset(DAY.values(first, "31" if last and _is_from_end(last) else last, step, term))
        return lambda day: day.day in days
    if step and last is None:
        DAY.refuse(term, "a step from the end of the month needs a range, as in -7-L/2")
    start = _from_end(first, term)
    stop = start if last is None else _from_end(last, term)
    if stop < start:
        DAY.refuse(term, "a range from the end must end later than it starts, as in -7-L")
    ends = range(start, stop + 1, step or 1)
    return lambda day: day.day - _length_of_month(day) - 1 in ends


def _is_from_end(text: str) -> bool:
    return text.startswith("-") or text in ("l", "last")


def _from_end(text: str, term: str) -> int:
    """-1 for the last day of the month."""
    place = -1 if text in ("l", "last") else int(text) if text.startswith("-") else 0
    if not -31 <= place <= -1:
        DAY.refuse(term, "days from the end must be -31 to -1, or L")
    return place


def _length_of_month(day: date) -> int:
    return monthrange(day.year, day.month)[1]


def _last_weekday(day: date) -> bool:
    return day.weekday() < 5 and day.day + {4: 3}.get(day.weekday(), 1) > _length_of_month(day)


def _nearest_weekday(number: int) -> IsOn:
    """Quartz's `15W`: the weekday nearest to the 15th, in the same month. A shorter month has none."""

    def is_on(day: date) -> bool:
        length = _length_of_month(day)
        if number > length:
            return False
        weekday = day.replace(day=number).weekday()
        move = {5: -1 if number > 1 else 2, 6: 1 if number < length else -2}.get(weekday, 0)
        return day.day == number + move

    return is_on
