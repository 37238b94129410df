"""Parts that the timeline and the heat maps share: days in a zone, the events of a page, their due instants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cached_property

from clock.clocks import to_ms
from clock.inspection.events.event_rows import EventRow
from clock.web import inputs
from clock.web.page import Part, Visit, part_of


@dataclass(frozen=True)
class Day:
    """A day in a zone: it may have 23 or 25 hours."""

    begin: datetime
    end: datetime
    zone: tzinfo

    @cached_property
    def seconds(self) -> float:
        """How long it is."""
        return (self.end - self.begin).total_seconds()

    @cached_property
    def change(self) -> float | None:
        """The time at which the zone's offset changes, in seconds since the start of the day, or None."""
        first = self.begin.astimezone(self.zone).utcoffset()
        for minutes in range(0, int(self.seconds // 60), 30):
            if (self.begin + timedelta(minutes=minutes)).astimezone(self.zone).utcoffset() != first:
                return minutes * 60.0
        return None

    def hours(self) -> list[tuple[str, float]]:
        """The hours that are written at the axis, and their places in seconds."""
        day = self.begin.astimezone(self.zone).date()
        each = [(hour, datetime.combine(day, time(hour), self.zone).astimezone(UTC)) for hour in range(0, 24, 3)]
        return [(f"{hour:02}", (at - self.begin).total_seconds()) for hour, at in each]


def day_of(chosen: date, zone: tzinfo) -> Day:
    """A date as it passes in a zone."""
    begin = datetime.combine(chosen, time(), zone).astimezone(UTC)
    end = datetime.combine(chosen + timedelta(days=1), time(), zone).astimezone(UTC)
    return Day(begin, end, zone)


@dataclass(frozen=True, slots=True)
class DayPage:
    """The day that a query asks for, in the zone of the clock file, and the events of the page."""

    zone: tzinfo
    today: date
    day: date
    part: Part
    rows: Sequence[EventRow]


def asked_for(visit: Visit) -> DayPage:
    """The day of the query, or today, and the events of the page, each with its latest decision."""
    timetable = visit.data.source.timetable
    zone = timetable.settings.tz if timetable else visit.zone
    today = visit.now.astimezone(zone).date()
    chosen = inputs.day("day", visit.request.get("day"), today)
    part = part_of(visit, visit.data.event_names())
    return DayPage(zone, today, chosen, part, visit.data.events(part.names, visit.now, 1))


def planned(row: EventRow, begin: datetime, end: datetime, now: datetime) -> Iterator[int]:
    """The due instants of an event from `begin` to before `end` that are to come, in seconds since 1970."""
    if row.event is None or row.next_due is None:
        return
    after = max(to_ms(begin) // 1000 - 1, to_ms(row.next_due) // 1000 - 1, to_ms(now) // 1000)
    anchor = row.anchor or now.replace(microsecond=0)
    yield from row.event.due_between(after, to_ms(end) // 1000 - 1, anchor=anchor)
