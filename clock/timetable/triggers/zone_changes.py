"""Zone changes: the instants at which a zone's clocks are changed, such as DST transitions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from clock.timetable.triggers.zone_offsets import offsets_of, to_datetime, to_seconds


@dataclass(frozen=True, slots=True)
class ZoneChange:
    """A change of a zone's clocks: from the wall-clock time `shown` they go to `then`, at the instant `at`.

    In a gap (`then` is later) the times from `shown` to `then` do not occur. In a fold the times from `then` to
    `shown` occur twice.
    """

    at: datetime
    shown: datetime
    then: datetime

    @property
    def is_gap(self) -> bool:
        """Whether times of day are skipped; otherwise they occur twice."""
        return self.then > self.shown

    @property
    def first(self) -> datetime:
        """The first time of day that is skipped or occurs twice."""
        return min(self.shown, self.then)

    def holds(self, wall: datetime) -> bool:
        """Whether the naive wall-clock time is skipped or occurs twice."""
        return self.first <= wall < max(self.shown, self.then)


def zone_changes(zone: tzinfo, start: datetime, end: datetime) -> Iterator[ZoneChange]:
    """The changes of the zone's clocks from `start` to before `end`, both aware.

    >>> from datetime import UTC
    >>> from zoneinfo import ZoneInfo
    >>> year = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    >>> [str(change.shown) for change in zone_changes(ZoneInfo("Europe/Berlin"), *year)]
    ['2026-03-29 02:00:00', '2026-10-25 03:00:00']
    """
    low, high = to_seconds(start), to_seconds(end)
    for period in offsets_of(zone).periods(low, high):
        if low < period.start < high and period.offset != period.before:
            wall = to_datetime(period.start).replace(tzinfo=None)
            shown, then = wall + timedelta(seconds=period.before), wall + timedelta(seconds=period.offset)
            yield ZoneChange(to_datetime(period.start), shown, then)


def described(change: ZoneChange) -> str:
    """The change in words."""
    what = "are skipped" if change.is_gap else "occur twice"
    low, high = sorted((change.shown, change.then))
    return f"{low:%a %d %b %Y}: the times from {low:%H:%M} to {high:%H:%M} {what}"
