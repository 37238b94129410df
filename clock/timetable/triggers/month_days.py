"""Days of a month in words: `1`, `"last"`, `"3rd monday"`, `"last weekday"`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from clock.timetable.triggers.calendar_days import WEEKDAYS, MatchingDays

ACCEPTED_DAYS = "1 to 31, 'last', '3rd monday', 'last friday', '1st weekday' or 'last weekday'"
_NAMED = {"": frozenset(range(7)), "day": frozenset(range(7)), "weekday": frozenset(range(5))}
_MOST = {7: 31, 5: 23, 1: 5}  # how many days of so many weekdays a month may have
_COUNTED = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "last": -1}
_WORDS = re.compile(r"(?:(?P<number>\d{1,2})(?:st|nd|rd|th)?|(?P<word>[a-z]+))(?: (?P<weekday>[a-z]+))?")


@dataclass(frozen=True, slots=True)
class MonthDay:
    """The `nth` of a month's days that fall on one of `weekdays`, -1 the last; none, if the month has fewer."""

    text: str
    nth: int
    weekdays: frozenset[int]

    def is_on(self, day: date) -> bool:
        """Whether `day` is the one of its month."""
        if day.weekday() not in self.weekdays:
            return False
        if self.nth == -1:
            following = (date.fromordinal(day.toordinal() + ahead) for ahead in range(1, 8))
            return all(later.month != day.month for later in following if later.weekday() in self.weekdays)
        first = day.toordinal() - day.day + 1
        earlier = (date.fromordinal(ordinal).weekday() for ordinal in range(first, day.toordinal()))
        return sum(weekday in self.weekdays for weekday in earlier) == self.nth - 1


def parse_month_day(given: object) -> MonthDay:
    """Read one day of a month. Raises ValueError, which says what is accepted.

    >>> parse_month_day("3rd monday")
    MonthDay(text='3rd Monday', nth=3, weekdays=frozenset({0}))
    """
    text = " ".join(str(given).lower().split())
    found = _WORDS.fullmatch(text)
    if isinstance(given, (int, str)) and not isinstance(given, bool) and found is not None:
        nth = int(found["number"]) if found["number"] else _COUNTED.get(found["word"])
        weekdays = _weekdays(found["weekday"] or "")
        if nth is not None and weekdays and (nth == -1 or 1 <= nth <= _MOST[len(weekdays)]):
            return MonthDay(_text(nth, found["weekday"] or ""), nth, weekdays)
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
    """The days that are one of `days`, in any month."""
    return MatchingDays(lambda day: any(one.is_on(day) for one in days))


#: Monday to Friday, and the other two.
WORKING_DAYS = MatchingDays(lambda day: day.weekday() < 5)
WEEKEND_DAYS = MatchingDays(lambda day: day.weekday() >= 5)
