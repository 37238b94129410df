"""Wall-clock time in a zone, and the instants that it stands for.

The rule for the two odd nights of the year is Debian cron's, as the `cronsim` package states it: a wall time that
is skipped in spring stands for the first instant after the gap; one that occurs twice in autumn, for the first.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

SECOND = timedelta(seconds=1)


def to_local(instant: datetime, zone: tzinfo) -> datetime:
    """The naive wall-clock time that `instant` shows in `zone`."""
    return instant.astimezone(zone).replace(tzinfo=None)


def to_instant(wall: datetime, zone: tzinfo) -> datetime:
    """The instant, in UTC, that the naive wall-clock time `wall` stands for in `zone`.

    >>> from zoneinfo import ZoneInfo
    >>> to_instant(datetime(2026, 3, 29, 2, 30), ZoneInfo("Europe/Berlin")).isoformat()  # skipped that night
    '2026-03-29T01:00:00+00:00'
    """
    instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if to_local(instant, zone) == wall:
        return instant
    return _end_of_gap(wall, zone)


def _end_of_gap(wall: datetime, zone: tzinfo) -> datetime:
    """The first instant after the gap that `wall` lies in: it is between the two readings of `wall`."""
    low = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    high = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    offset_before = low.astimezone(zone).utcoffset()
    while high - low > SECOND:
        middle = low + ((high - low) // 2 // SECOND) * SECOND
        if middle.astimezone(zone).utcoffset() == offset_before:
            low = middle
        else:
            high = middle
    return high
