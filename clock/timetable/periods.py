"""Periods of time in words: read from YAML files and database rows, and written for people.

Also times that a person types: a date, the name of a day ("yesterday 06:00"), a length ("2h", "7 days").
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from math import isnan

from clock.printable import brief
from clock.timetable.triggers.calendar_days import WEEKDAY_NUMBERS

_UNITS = {
    "week": timedelta(weeks=1),
    "day": timedelta(days=1),
    "hour": timedelta(hours=1),
    "minute": timedelta(minutes=1),
    "second": timedelta(seconds=1),
}
_SHORT = {
    "w": "week", "d": "day", "h": "hour", "hr": "hour",
    "m": "minute", "min": "minute", "s": "second", "sec": "second",
}  # fmt: skip
LONGEST_PERIOD = 36_525 * 86_400  # seconds; a period over a century is a mistake, and would leave the calendar
_SYMBOLS = {"hour": "h", "minute": "min", "second": "s"}
NOT_AT_FIRST = ", not at first"  # the end of a schedule in words, if the first due instant is skipped
_PART = re.compile(r"(?P<count>[0-9]+(?:\.[0-9]+)?)?\s*(?P<unit>[A-Za-z]+)(?:\s*,\s*|\s+and\s+|\s*)")
ACCEPTED_PERIOD = "'10 minutes', 'day', '1h30m', '1.5 hours', '2 hours and 30 minutes' or a number of seconds"
_LENGTH_DIFFERS = {"M": "months", "mon": "months", "month": "months", "y": "years", "year": "years"}
YEARS = (1900, 9000)  # near the ends of the calendar, zones and searches for the next run leave it
ACCEPTED_TIME = "2026-12-24, '2026-12-24 06:00', '2026-12-24 06:00+01:00', 'monday 06:00', 12h or 7d"
_CALENDAR_DAYS = re.compile(r"\s*(\d+)\s*(d|days?|w|weeks?)\s*", re.IGNORECASE)
_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}


def parse_period(value: object) -> timedelta:
    """The period of a timedelta, a number of seconds or a text. Raises ValueError.

    >>> parse_period("1h30m"), parse_period("2 weeks"), parse_period(90)
    (datetime.timedelta(seconds=5400), datetime.timedelta(days=14), datetime.timedelta(seconds=90))
    """
    text = value.strip() if isinstance(value, str) else ""
    try:
        if isinstance(value, timedelta):
            return value
        if isinstance(value, (int, float)) and not isinstance(value, bool) and not isnan(value):
            return timedelta(seconds=value)
        if text.isdecimal():
            return timedelta(seconds=float(text))  # infinite for thousands of digits, at which int raises
        if not text or _PART.sub("", text):
            raise ValueError(f"invalid period {brief(value)}; use {ACCEPTED_PERIOD}")
        return sum((_part(value, found) for found in _PART.finditer(text)), timedelta())
    except OverflowError:
        raise ValueError(f"{brief(value, 40)} is too long for a period") from None


def _part(value: object, found: re.Match[str]) -> timedelta:
    word = found["unit"].lower()
    differing = _LENGTH_DIFFERS.get(found["unit"]) or _LENGTH_DIFFERS.get(word.removesuffix("s"))
    if differing:  # files of Ruby's schedulers have M and y
        hint = ", or 'm' for minutes" if found["unit"] == "M" else ""
        raise ValueError(f"{value!r} counts {differing}, whose length varies; write a cron expression{hint}")
    unit = _SHORT.get(word) or _SHORT.get(word.removesuffix("s"), word.removesuffix("s"))
    if unit not in _UNITS:
        raise ValueError(f"{value!r} has the unknown unit {found['unit']!r}; use {', '.join(_UNITS)}")
    return float(found["count"] or 1) * _UNITS[unit]


def listed(words: Iterable[str]) -> str:
    """A list of words for people: '06:00, 12:00 and 18:00'."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def short_form(period: timedelta) -> str:
    """A short period with its number, for people: `1 h`, `90 min`, `2 days`."""
    words = period_words(period)
    number, unit = words.split() if words[0].isdigit() else ("1", words)
    return f"{number} {_SYMBOLS.get(unit.removesuffix('s'), unit)}"


def period_words(period: timedelta) -> str:
    """A period for people, in as few units as possible: 'day', '90 minutes', '26 hours'."""
    for name, unit in _UNITS.items():
        if period >= unit and not period % unit:
            count = period // unit
            return name if count == 1 else f"{count} {name}s"
    return f"{period.total_seconds():g} seconds"


def dated(text: str, now: datetime, *, ahead: bool = False) -> str:
    """The text with the name of a day at its start replaced by the date, seen from `now`. `now` is the minute.

    A weekday is the latest one, including today; `ahead`: the next one after today.
    """
    text = text.strip()
    word, space, time = text.partition(" ")
    day = word.lower()
    if day == "now" and not space:
        return f"{now:%Y-%m-%d %H:%M}"
    if day in _DAYS:
        days = _DAYS[day]
    elif day in WEEKDAY_NUMBERS:
        since = (now.weekday() - WEEKDAY_NUMBERS[day]) % 7
        days = 7 - since if ahead else -since
    else:
        return text
    return f"{now + timedelta(days=days):%Y-%m-%d}{space}{time}"


def typed_length(text: str) -> timedelta:
    """The length of a text, which names its units: "90s", "1h30m". Raises ValueError."""
    if text.strip().isdecimal():
        raise ValueError(f"{brief(text)} has no unit")
    return parse_period(text)


def typed_date(text: str, here: datetime, *, ahead: bool = False) -> datetime:
    """The instant of a date or of the name of a day, both with or without a time.

    It is in the zone of `here`, now, unless the text has an offset. Raises ValueError, OverflowError.
    """
    found = datetime.fromisoformat(dated(text, here, ahead=ahead))
    return found if found.tzinfo else found.replace(tzinfo=here.tzinfo)


def typed_instant(text: str, here: datetime, *, ahead: bool = False, start: datetime | None = None) -> datetime:
    """The instant of a text, in the zone of `here`, the present moment, unless the text has an offset.

    A length counts from `start`, or from now; whole days and weeks are days of the calendar. `ahead` is for
    `dated`. Raises ValueError, OverflowError.
    """
    try:
        return typed_date(text, here, ahead=ahead)
    except ValueError:
        length = typed_length(text)
    start = start or here
    if _CALENDAR_DAYS.fullmatch(text):
        return start + length
    return (start.astimezone(UTC) + length).astimezone(start.tzinfo)
