"""A stretch of time as the command line gives it: `--from` and `--to`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo

from clock.errors import ConfigurationError

_LENGTH = re.compile(r"(\d+)\s*(m|h|d|w)")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def span_of(begin: str | None, end: str, *, zone: tzinfo, now: datetime) -> tuple[datetime, datetime]:
    """From when to when, both aware: `begin` is a date or time (None: now), `end` one, or a length such as 7d.

    Raises ConfigurationError.

    >>> from datetime import UTC
    >>> [str(at) for at in span_of("2026-12-24", "12h", zone=UTC, now=datetime(2026, 1, 1, tzinfo=UTC))]
    ['2026-12-24 00:00:00+00:00', '2026-12-24 12:00:00+00:00']
    """
    start = now.replace(microsecond=0).astimezone(zone) if begin is None else _instant("--from", begin, zone)
    length = _LENGTH.fullmatch(end)
    try:
        stop = _later(start, length) if length else _instant("--to", end, zone)
    except OverflowError:
        raise ConfigurationError(f"--to {end}: that is beyond the year 9999") from None
    if stop <= start:
        raise ConfigurationError(f"--to {end} is not after --from {start.isoformat()}")
    return start, stop


def _later(start: datetime, length: re.Match[str]) -> datetime:
    """So much later: days and weeks by the calendar of the zone."""
    number, unit = int(length[1]), _UNITS[length[2]]
    if unit in ("days", "weeks"):
        return start + timedelta(**{unit: number})
    return datetime.fromtimestamp(start.timestamp() + timedelta(**{unit: number}).total_seconds(), start.tzinfo)


def _instant(option: str, text: str, zone: tzinfo) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"{option} is {text!r}; accepted are 2026-12-24, '2026-12-24 06:00', with +01:00 after it or without"
            + (", and lengths such as 12h, 7d or 4w" if option == "--to" else "")
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=zone)
