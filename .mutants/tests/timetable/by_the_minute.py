"""The time rules read naively, to hold the product to: every minute of some days is looked at, one by one.

It shares nothing with the product: instants are datetimes, and the zone is asked about each of them.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@lru_cache(maxsize=1)  # the same days are read by one rule after the other
def walls_by_minute(zone: ZoneInfo, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """Each whole minute of start <= t <= end, with what the zone's clock shows at it."""
    instant = start.replace(second=0, microsecond=0)
    found = []
    while instant <= end:
        found.append((instant, instant.astimezone(zone).replace(tzinfo=None)))
        instant += MINUTE
    return found


def due_by_minute(
    zone: ZoneInfo,
    matches: Callable[[datetime], bool],
    start: datetime,
    end: datetime,
    *,
    gap: str,
    fold: str,
    around: timedelta = 2 * DAY,
) -> list[datetime]:
    """The minutes of (start, end] at which an event is due whose wall-clock minutes `matches` accepts.

    `gap`: "shift" moves a time that is never shown to the first instant at which the clock is past it, "skip"
    drops it. `fold`: of a time that is shown twice, "first", "second" or "both" count.
    Both are told by what the clock shows `around` before and after.
    """
    minutes = walls_by_minute(zone, start - around, end + around)
    shown: dict[datetime, list[datetime]] = {}
    for instant, wall in minutes:
        if matches(wall):
            shown.setdefault(wall, []).append(instant)
    due = set()
    for instants in shown.values():
        due |= set({"first": instants[:1], "second": instants[-1:], "both": instants}[fold])
    if gap == "shift":
        for (_, before), (instant, wall) in pairwise(minutes):
            due |= {instant for skipped in _between(before, wall) if matches(skipped)}
    return sorted(instant for instant in due if start < instant <= end)


def _between(before: datetime, after: datetime) -> Iterator[datetime]:
    """The wall-clock minutes that are skipped between two that are shown one after the other."""
    skipped = before + MINUTE
    while skipped < after:
        yield skipped
        skipped += MINUTE


@cache
def changes(zone: ZoneInfo, year: int) -> list[datetime]:
    """The instants of a year at which the zone's offset changes."""
    found = []
    instant = datetime(year, 1, 1, tzinfo=UTC)
    while instant.year == year:
        following = instant + DAY
        if instant.astimezone(zone).utcoffset() != following.astimezone(zone).utcoffset():
            found.append(_change(zone, instant, following))
        instant = following
    return found


def _change(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    before = low.astimezone(zone).utcoffset()
    while high - low > MINUTE:
        middle = low + (high - low) // 2 // MINUTE * MINUTE
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high
