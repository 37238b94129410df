"""Times in options and arguments: dates, lengths, names of days."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

from clock.errors import ConfigurationError
from clock.timetable.day_names import dated
from clock.timetable.periods import parse_period

_LENGTH = re.compile(r"(\d+)\s*(m|h|d|w)")
_YEARS = (1900, 9000)  # near the ends of the calendar, zones and searches for the next run leave it
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def later(option: str, text: str, now: datetime, zone: tzinfo) -> datetime:
    """A future instant, in UTC: a duration from now, a day's name with a time, or a date.

    Raises ConfigurationError.

    >>> from datetime import UTC
    >>> str(later("--until", "2h", datetime(2026, 12, 1, 8, tzinfo=UTC), UTC))
    '2026-12-01 10:00:00+00:00'
    """
    try:
        instant = _given(text, now, zone)
    except ValueError:
        raise ConfigurationError(
            f"{option} {text!r}: not a time; use '2026-12-01 08:00', 'tomorrow 08:00', or a duration: 2h, 30m"
        ) from None
    except OverflowError:
        raise ConfigurationError(f"{option} {text!r} is outside the years 1 to 9999") from None
    if instant <= now:
        raise ConfigurationError(f"{option} {text!r} is in the past")
    return instant


def _given(text: str, now: datetime, zone: tzinfo) -> datetime:
    try:
        length = parse_period(text)
    except ValueError:
        found = datetime.fromisoformat(dated(text, now.astimezone(zone), ahead=True))
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    return now + timedelta(seconds=length.total_seconds())


def span_of(
    begin: str | None, end: str, *, zone: tzinfo, now: datetime, ends: str = "--to"
) -> tuple[datetime, datetime]:
    """Start and end, both aware. `begin` is a date or time (None: now), `end` a date, a time or a length (7d).

    `ends` is the option of the end. Raises ConfigurationError.

    >>> from datetime import UTC
    >>> [str(at) for at in span_of("2026-12-24", "12h", zone=UTC, now=datetime(2026, 1, 1, tzinfo=UTC))]
    ['2026-12-24 00:00:00+00:00', '2026-12-24 12:00:00+00:00']
    """
    here = now.replace(microsecond=0).astimezone(zone)
    start = here if begin is None else _instant("--from", dated(begin, here), zone)
    length = _LENGTH.fullmatch(end)
    try:
        stop = _later(start, length) if length else _instant("--to", dated(end, here, ahead=True), zone)
    except OverflowError:
        raise ConfigurationError(f"{ends} {end}: that is after the year 9999") from None
    if not (_YEARS[0] <= start.year and stop.year <= _YEARS[1]):
        raise ConfigurationError(f"the period must be in the years {_YEARS[0]} to {_YEARS[1]}")
    if stop <= start:
        raise ConfigurationError(f"--to {end} is not after --from {start.isoformat()}")
    return start, stop


def _later(start: datetime, length: re.Match[str]) -> datetime:
    """The instant after this length: days and weeks by the calendar of the zone."""
    number, unit = int(length[1]), _UNITS[length[2]]
    if unit in ("days", "weeks"):
        return start + timedelta(**{unit: number})
    return datetime.fromtimestamp(start.timestamp() + timedelta(**{unit: number}).total_seconds(), start.tzinfo)


def _instant(option: str, text: str, zone: tzinfo) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"{option} is {text!r}; use 2026-12-24, '2026-12-24 06:00', with or without an offset such as +01:00"
            + (", and lengths such as 12h, 7d or 4w" if option == "--to" else "")
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=zone)
