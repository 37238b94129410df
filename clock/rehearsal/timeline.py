"""Timelines: the firings of a clock file as data, to query, draw and compare."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from itertools import groupby, pairwise

from clock.clocks import from_ms
from clock.errors import UnknownEvent
from clock.rehearsal.coincidence import OFTEN_A_DAY
from clock.rehearsal.instants import aware
from clock.rehearsal.timeline_svg import to_svg
from clock.timetable.triggers.zone_offsets import zone_changes

_SLOTS = 48  # half hours of a day
_TONES = " ·:+*#"  # none, 1, 2, 3 to 5, 6 to 11, more
_LIMITS = (1, 2, 3, 6, 12)


@dataclass(frozen=True, slots=True)
class Firing:
    """An event that fires at `at`, an aware datetime in the timeline's zone."""

    at: datetime
    event: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without firings of an event, from one to the next."""

    begin: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """How long it is, in elapsed time."""
        return from_ms(round(self.end.timestamp() * 1000)) - from_ms(round(self.begin.timestamp() * 1000))


@dataclass(frozen=True, slots=True)
class Busiest:
    """The window with the most firings: its start, their number and their events."""

    begin: datetime
    count: int
    events: tuple[str, ...]


class Timeline:
    """Firings in order: (seconds since 1970, event), from `start` to before `end`.

    Days and times of day are in `zone`. `events` are the names of all events, in the clock file's order, with
    those that do not fire.

    >>> from datetime import UTC
    >>> rows = [(60, "often"), (120, "often"), (120, "once")]
    >>> line = Timeline(rows, ["often", "once"], start=from_ms(0), end=from_ms(300_000), zone=UTC)
    >>> len(line), line.busiest(timedelta(minutes=1)).count, line.gaps("often")[0].length
    (3, 2, datetime.timedelta(seconds=60))
    """

    def __init__(
        self,
        rows: Iterable[tuple[int, str]],
        events: Sequence[str],
        *,
        start: datetime,
        end: datetime,
        zone: tzinfo,
    ) -> None:
        self.events = tuple(events)
        self.zone = zone
        self.start, self.end = start.astimezone(zone), end.astimezone(zone)
        places = {name: place for place, name in enumerate(self.events)}
        self.rows = sorted(rows, key=lambda row: (row[0], places[row[1]]))

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Firing]:
        return (Firing(self.local(seconds), name) for seconds, name in self.rows)

    def local(self, seconds: int) -> datetime:
        """An instant, in seconds since 1970, in the timeline's zone."""
        return from_ms(seconds * 1000).astimezone(self.zone)

    def between(self, start: datetime, end: datetime) -> Timeline:
        """The firings from `start` to before `end`; naive datetimes are in the timeline's zone."""
        start, end = aware(start, self.zone), aware(end, self.zone)
        low, high = (bisect_left(self.rows, (instant.timestamp(), "")) for instant in (start, end))
        return Timeline(self.rows[low:high], self.events, start=start, end=end, zone=self.zone)

    def only(self, *names: str) -> Timeline:
        """The firings of these events. Raises UnknownEvent."""
        for name in names:
            self._check(name)
        rows = [row for row in self.rows if row[1] in names]
        return Timeline(rows, [*names], start=self.start, end=self.end, zone=self.zone)

    def per_day(self) -> dict[date, int]:
        """The number of firings of each day of the zone's calendar, including days without any."""
        count = dict.fromkeys(self.days(), 0)
        for firing in self:
            count[firing.at.date()] += 1
        return count

    def days(self) -> list[date]:
        """The days from `start` to before `end`."""
        last = (self.end - timedelta(microseconds=1)).date() if self.end > self.start else self.start.date()
        first = self.start.date()
        return [first + timedelta(days=number) for number in range((last - first).days + 1)]

    def gaps(self, name: str) -> list[Gap]:
        """The times between one firing of the event and the next, the longest first. Raises UnknownEvent."""
        self._check(name)
        fires = [self.local(seconds) for seconds, event in self.rows if event == name]
        found = [Gap(begin, end) for begin, end in pairwise(fires)]
        return sorted(found, key=lambda gap: (-gap.length, gap.begin))

    def busiest(self, window: timedelta) -> Busiest:
        """The `window` with the most firings; the first one if several have as many.

        Raises ValueError without firings, or if the window is not a positive length.
        """
        if window <= timedelta(0):
            raise ValueError(f"window is {window!r}; it must be a length of time: timedelta(hours=1)")
        if not self.rows:
            raise ValueError("nothing fires in this timeline")
        seconds = [seconds for seconds, _ in self.rows]
        ends = [bisect_left(seconds, start + window.total_seconds()) for start in seconds]
        first = max(range(len(ends)), key=lambda place: ends[place] - place)
        found = self.rows[first : ends[first]]
        return Busiest(self.local(found[0][0]), len(found), tuple(dict.fromkeys(name for _, name in found)))

    def to_json(self) -> str:
        """Start, end, zone and firings as JSON: instants in ISO 8601 with the zone's offset."""
        return json.dumps(
            {
                "start": self.start.isoformat(),
                "end": self.end.isoformat(),
                "zone": str(self.zone),
                "events": list(self.events),
                "firings": [{"at": firing.at.isoformat(), "event": firing.event} for firing in self],
            },
            ensure_ascii=False,
            indent=1,
        )

    def svg(self) -> str:
        """A chart as an SVG file: days by times of day; zone changes are marked."""
        return to_svg(self)

    def chart(self) -> str:
        """A chart for the terminal: a line for each day, a character for each half hour.

        One firing is `·`, more are `:` `+` `*` `#`. Events that fire often would hide the others, and are only
        named below, unless they are the only ones. A day with a DST transition has an `!`, and a line below.
        """
        often = self.often()
        hidden = often if len(often) < len(self.events) else []
        changes = {change.first.date(): change for change in zone_changes(self.zone, self.start, self.end)}
        counts: Counter[tuple[date, int]] = Counter()
        totals: Counter[date] = Counter()
        for seconds, event in self.rows:
            if event in hidden:
                continue
            at = self.local(seconds)
            totals[at.date()] += 1
            counts[at.date(), at.hour * 2 + at.minute // 30] += 1
        hours = "".join(f"{hour:<6}" for hour in range(0, 24, 3))
        lines = [f"{'':16}{hours}"]
        for day in self.days():
            tones = (bisect_right(_LIMITS, counts[day, slot]) for slot in range(_SLOTS))
            row = "".join(_TONES[tone] for tone in tones)
            lines.append(f"{day:%a %Y-%m-%d}{'!' if day in changes else ' '}|{row}| {totals[day]:,}")
        lines += [f"! {change}" for change in changes.values()]
        if hidden:
            lines.append(f"Not drawn, they fire too often: {', '.join(hidden)}")
        return "\n".join(lines) + "\n"

    def listing(self) -> str:
        """Each event's firings by day, equal days on one line: what `assert_timeline` compares."""
        parts = []
        for name in self.events:
            times = [self.local(at) for at, event in self.rows if event == name]
            parts.append("\n".join([name, *(f"  {line}" for line in _lines(times))]))
        return "\n\n".join(parts) + "\n"

    def often(self) -> list[str]:
        """The events with more than 12 firings a day on average: charts show them behind the others."""
        counts = Counter(name for _, name in self.rows)
        return [name for name in self.events if counts[name] > OFTEN_A_DAY * len(self.days())]

    def _check(self, name: str) -> None:
        if name not in self.events:
            raise UnknownEvent(name, self.events)


def _lines(times: Sequence[datetime]) -> Iterator[str]:
    if not times:
        yield "never"
        return
    days = [
        (day, _times_text([at.replace(tzinfo=None) for at in found]))
        for day, found in groupby(times, key=lambda at: at.date())
    ]
    place = 0
    while place < len(days):
        first, text = days[place]
        last = place
        while last + 1 < len(days) and days[last + 1] == (days[last][0] + timedelta(days=1), text):
            last += 1
        span = f"{first:%a %Y-%m-%d}"
        if last > place:
            span += f" to {days[last][0]:%a %Y-%m-%d}, {last - place + 1} days"
        yield f"{span}: {text}"
        place = last + 1


def _times_text(times: list[datetime]) -> str:
    """The times of a day; four or more at equal distances become the first, the distance and the last."""
    parts, place = [], 0
    while place < len(times):
        last = place + 1
        step = times[last] - times[place] if last < len(times) else timedelta(0)
        while last + 1 < len(times) and times[last + 1] - times[last] == step:
            last += 1
        if last - place >= 3:
            count = last - place + 1
            parts.append(f"{_clock(times[place])} every {_length(step)} to {_clock(times[last])} ({count})")
            place = last + 1
        else:
            parts.append(_clock(times[place]))
            place += 1
    return ", ".join(parts)


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"


def _length(step: timedelta) -> str:
    seconds = round(step.total_seconds())
    if seconds % 60:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds % 3600 else f"{seconds // 3600} h"
