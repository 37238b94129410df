"""A timeline drawn as SVG: a column for each day, the time of day from top to bottom, a colour for each event.

Events that fire often are grey bands behind the others; a darker tone means more events. A day with a DST
transition has a red edge, and the hour that is skipped or repeated is hatched.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from html import escape
from itertools import groupby
from typing import Protocol

from clock.timetable.triggers.zone_offsets import zone_changes

SLOT_MINUTES = 15  # firings within so many minutes are one mark
_HEIGHT, _TOP, _LEFT, _LINE = 480, 34, 44, 16
_COLOURS = (
    "#1f6fb4", "#d9541e", "#2a8c4a", "#8e4fb0", "#b8860b", "#c2397a", "#12848c", "#5b6b1e", "#7a4a2b", "#3f51b5",
)  # fmt: skip


class DrawnTimeline(Protocol):
    """The parts of a timeline that are drawn: (seconds since 1970, event) in `rows`, in order."""

    events: tuple[str, ...]
    zone: tzinfo
    start: datetime
    end: datetime
    rows: list[tuple[int, str]]

    def days(self) -> list[date]:
        """The days from `start` to before `end`."""

    def often(self) -> list[str]:
        """The events that fire so often that they are drawn behind the others."""

    def local(self, seconds: int) -> datetime:
        """An instant, in seconds since 1970, on the clocks of the timeline's zone."""


@dataclass(frozen=True, slots=True)
class _Rect:
    x: float
    y: float
    width: float
    height: float

    def svg(self, fill: str, title: str = "", extra: str = "") -> str:
        box = f'x="{self.x:.1f}" y="{self.y:.1f}" width="{self.width:.1f}" height="{self.height:.1f}"'
        if not title:
            return f'<rect {box} fill="{fill}"{extra}/>'
        return f'<rect {box} fill="{fill}"{extra}><title>{escape(title)}</title></rect>'


def to_svg(timeline: DrawnTimeline) -> str:
    """The drawing, as the text of an SVG file."""
    days = timeline.days()
    column = max(3.0, min(26.0, 1100 / len(days)))
    places = {day: _LEFT + number * column for number, day in enumerate(days)}
    often = timeline.often()
    seldom = [name for name in timeline.events if name not in often]
    width = max(_LEFT + len(days) * column + 20, 420)
    height = _TOP + _HEIGHT + 30 + _LINE * (len(timeline.events) + 3)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
        f'font-family="sans-serif" font-size="11">',
        '<defs><pattern id="odd" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<rect width="2" height="5" fill="#d33"/></pattern></defs>',
        f'<rect width="{width:.0f}" height="{height}" fill="white"/>',
        *_axes(timeline, places, column),
        *_bands(timeline, often, places, column),
        *_marks(timeline, seldom, places, column),
        *_zone_changes(timeline, places, column),
        *_legend(timeline, often),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _axes(timeline: DrawnTimeline, places: dict[date, float], column: float) -> Iterator[str]:
    right = _LEFT + len(places) * column
    for hour in range(0, 25, 3):
        y = _TOP + _HEIGHT * hour / 24
        yield f'<line x1="{_LEFT}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#555">{hour:02}:00</text>'
    apart = next(step for step in (1, 2, 7, 14, 28, 56, 112, 1000) if step * column >= 52)
    for number, (day, x) in enumerate(places.items()):
        if column >= 8 and day.weekday() >= 5:
            yield _Rect(x, _TOP, column, _HEIGHT).svg("#f6f6f2")
        if number % apart == 0:
            label = day.strftime("%a %d %b") if apart == 1 else day.strftime("%d %b")
            yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 4}" y2="{_TOP + _HEIGHT}" stroke="#ddd"/>'
            yield f'<text x="{x + 1:.1f}" y="{_TOP - 8}" fill="#555">{label}</text>'
    title = f"{timeline.start:%a %d %b %Y %H:%M} to {timeline.end:%a %d %b %Y %H:%M}, {timeline.zone}"
    yield f'<text x="{_LEFT}" y="12" font-weight="bold">{escape(title)}: {len(timeline.rows):,} runs</text>'


def _cells(timeline: DrawnTimeline, names: list[str], minutes: int) -> dict[tuple[date, int], Counter[str]]:
    """(day, number of the slot of so many minutes) -> how often each of the events fires in it."""
    cells: dict[tuple[date, int], Counter[str]] = defaultdict(Counter)
    wanted = set(names)
    for seconds, name in timeline.rows:
        if name in wanted:
            at = timeline.local(seconds)
            cells[at.date(), (at.hour * 60 + at.minute) // minutes][name] += 1
    return cells


def _bands(timeline: DrawnTimeline, often: list[str], places: dict[date, float], column: float) -> Iterator[str]:
    """Grey bands of the events that fire often; hours that follow each other and hold as many are one."""
    totals = {where: cell.total() for where, cell in _cells(timeline, often, 60).items()}
    most = max(totals.values(), default=1)
    for day, x in places.items():
        counts = [totals.get((day, hour), 0) for hour in range(24)]
        for count, run in groupby(range(24), key=counts.__getitem__):
            hours = list(run)
            if count:
                tone = round(0.12 + 0.3 * count / most, 2)
                y, height = _TOP + _HEIGHT * hours[0] / 24, _HEIGHT * len(hours) / 24
                box = _Rect(x, y, max(column - 1, 1), height)
                yield box.svg("#667", f"{day}: {count} an hour", f' fill-opacity="{tone}"')


def _marks(timeline: DrawnTimeline, seldom: list[str], places: dict[date, float], column: float) -> Iterator[str]:
    """A mark for each other event and slot; events that share a slot share its width."""
    for (day, slot), names in _cells(timeline, seldom, SLOT_MINUTES).items():
        wide = max(column - 1, 1) / len(names)
        for number, (name, count) in enumerate(sorted(names.items())):
            minute = slot * SLOT_MINUTES
            box = _Rect(places[day] + number * wide, _TOP + _HEIGHT * minute / 1440, wide, 5.0)
            times = f" ({count} times)" if count > 1 else ""
            yield box.svg(_colour(timeline, name), f"{name}: {day} {minute // 60:02}:{minute % 60:02}{times}")


def _zone_changes(timeline: DrawnTimeline, places: dict[date, float], column: float) -> Iterator[str]:
    for change in zone_changes(timeline.zone, timeline.start, timeline.end):
        begin, day = change.first, change.first.date()
        if day not in places:  # the timeline starts in the second of two equal hours before midnight
            continue
        minutes = abs(change.then - change.shown) / timedelta(minutes=1)
        y = _TOP + _HEIGHT * (begin.hour * 60 + begin.minute) / 1440
        frame = ' fill-opacity="0" stroke="#d33"'
        yield _Rect(places[day] - 0.5, _TOP, column, _HEIGHT).svg("none", str(change), frame)
        yield _Rect(places[day], y, column - 1, _HEIGHT * minutes / 1440).svg(
            "url(#odd)", str(change), ' fill-opacity="0.8"'
        )


def _legend(timeline: DrawnTimeline, often: list[str]) -> Iterator[str]:
    y = _TOP + _HEIGHT + 26
    counts = Counter(name for _, name in timeline.rows)
    for name in timeline.events:
        yield _Rect(_LEFT, y - 9, 10, 10).svg("#aab" if name in often else _colour(timeline, name))
        yield f'<text x="{_LEFT + 16}" y="{y}">{escape(name)}: {counts[name]:,}</text>'
        y += _LINE
    for change in zone_changes(timeline.zone, timeline.start, timeline.end):
        yield f'<text x="{_LEFT}" y="{y}" fill="#b22">{escape(str(change))}</text>'
        y += _LINE


def _colour(timeline: DrawnTimeline, name: str) -> str:
    return _COLOURS[timeline.events.index(name) % len(_COLOURS)]
