"""Names of days in times that a user writes: "yesterday 06:00", "monday"."""

from __future__ import annotations

from datetime import datetime, timedelta

_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def dated(text: str, now: datetime, *, ahead: bool = False) -> str:
    """The text with the name of a day at its start replaced by the date, seen from `now`. `now` is the minute.

    A weekday is the latest one, including today; `ahead`: the next one after today.

    >>> now = datetime(2026, 11, 28, 18, 30)  # a Saturday
    >>> dated("yesterday 06:00", now), dated("monday", now), dated("Mon 08:00", now, ahead=True), dated("now", now)
    ('2026-11-27 06:00', '2026-11-23', '2026-11-30 08:00', '2026-11-28 18:30')
    """
    word, space, time = text.strip().partition(" ")
    day = word.lower()
    if day == "now" and not space:
        return f"{now:%Y-%m-%d %H:%M}"
    weekday = next((number for number, name in enumerate(_WEEKDAYS) if day in (name, name[:3])), None)
    if day in _DAYS:
        days = _DAYS[day]
    elif weekday is not None:
        days = (weekday - now.weekday() - 1) % 7 + 1 if ahead else -((now.weekday() - weekday) % 7)
    else:
        return text
    return f"{now + timedelta(days=days):%Y-%m-%d}{space}{time}"
