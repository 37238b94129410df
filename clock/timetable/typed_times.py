"""Times that a person types: a date, the name of a day ("yesterday 06:00"), a length ("2h", "7 days")."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from clock.printable import brief
from clock.timetable.periods import parse_period
from clock.timetable.triggers.calendar_days import WEEKDAY_NUMBERS

YEARS = (1900, 9000)  # near the ends of the calendar, zones and searches for the next run leave it
ACCEPTED_TIME = "2026-12-24, '2026-12-24 06:00', '2026-12-24 06:00+01:00', 'monday 06:00', 12h or 7d"
_CALENDAR_DAYS = re.compile(r"\s*(\d+)\s*(d|days?|w|weeks?)\s*", re.IGNORECASE)
_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}


def dated(text: str, now: datetime, *, ahead: bool = False) -> str:
    """The text with the name of a day at its start replaced by the date, seen from `now`. `now` is the minute.

    A weekday is the latest one, including today; `ahead`: the next one after today.

    >>> now = datetime(2026, 11, 28, 18, 30)  # a Saturday
    >>> dated("yesterday 06:00", now), dated("monday", now), dated("Mon 08:00", now, ahead=True), dated("now", now)
    ('2026-11-27 06:00', '2026-11-23', '2026-11-30 08:00', '2026-11-28 18:30')
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
    """The length of a text, which names its units. Raises ValueError.

    >>> typed_length("90s"), typed_length("1h30m"), typed_length("2 weeks")
    (datetime.timedelta(seconds=90), datetime.timedelta(seconds=5400), datetime.timedelta(days=14))
    """
    if text.strip().isdecimal():
        raise ValueError(f"{brief(text)} has no unit")
    return parse_period(text)


def typed_date(text: str, here: datetime, *, ahead: bool = False) -> datetime:
    """The instant of a date or of the name of a day, both with or without a time.

    It is in the zone of `here`, the present moment, unless the text has an offset. `ahead` is for `dated`. Raises
    ValueError, OverflowError.
    """
    found = datetime.fromisoformat(dated(text, here, ahead=ahead))
    return found if found.tzinfo else found.replace(tzinfo=here.tzinfo)


def typed_instant(text: str, here: datetime, *, ahead: bool = False, start: datetime | None = None) -> datetime:
    """The instant of a text, in the zone of `here`, the present moment, unless the text has an offset.

    A length counts from `start`, or from now; whole days and weeks are days of the calendar. `ahead` is for
    `dated`. Raises ValueError, OverflowError.

    >>> here = datetime(2026, 11, 28, 18, 30, tzinfo=UTC)
    >>> [str(typed_instant(text, here)) for text in ("yesterday 06:00", "2h", "2026-12-24 06:00+01:00")]
    ['2026-11-27 06:00:00+00:00', '2026-11-28 20:30:00+00:00', '2026-12-24 06:00:00+01:00']
    """
    try:
        return typed_date(text, here, ahead=ahead)
    except ValueError:
        return _after(here if start is None else start, text)


def _after(start: datetime, text: str) -> datetime:
    length = typed_length(text)
    if _CALENDAR_DAYS.fullmatch(text):
        return start + length
    return (start.astimezone(UTC) + length).astimezone(start.tzinfo)
