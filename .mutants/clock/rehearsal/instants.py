"""Instants as tests write them: datetimes, their text, a time of day."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo

from clock.errors import ConfigurationError

_TIME_OF_DAY = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?")


def aware(when: str | datetime, zone: tzinfo) -> datetime:
    """The instant; a naive one, or its text, is in `zone`. Raises ConfigurationError for an invalid text.

    >>> from datetime import UTC
    >>> aware("2026-10-31 22:00", UTC).isoformat()
    '2026-10-31T22:00:00+00:00'
    """
    try:
        found = datetime.fromisoformat(when) if isinstance(when, str) else when
    except ValueError:
        found = None
    if not isinstance(found, datetime):
        raise ConfigurationError(
            f"{when!r} is not a time; it must be a datetime or a string such as '2026-10-31 22:00'"
        )
    return found if found.tzinfo else found.replace(tzinfo=zone)


def upcoming(when: str | datetime, zone: tzinfo, now: datetime) -> datetime:
    """The instant of a text; a time of day alone, "01:30", is the next one after `now`."""
    time_of_day = _TIME_OF_DAY.fullmatch(when) if isinstance(when, str) else None
    if time_of_day is None:
        return aware(when, zone)
    hour, minute, second = (int(part or 0) for part in time_of_day.groups())
    local = now.astimezone(zone).replace(tzinfo=None)
    found = local.replace(hour=hour, minute=minute, second=second, microsecond=0)
    return (found if found > local else found + timedelta(days=1)).replace(tzinfo=zone)
