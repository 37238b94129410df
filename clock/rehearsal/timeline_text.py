"""A timeline as text: a chart for the terminal, and the listing that a reviewer compares."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby

from clock.rehearsal.drawn_timeline import DrawnTimeline
from clock.timetable.triggers.zone_offsets import zone_changes

_SLOTS = 48  # half hours of a day
_TONES = " ·:+*#"  # none, 1, 2, 3 to 5, 6 to 11, more
_LIMITS = (1, 2, 3, 6, 12)


def to_chart(timeline: DrawnTimeline) -> str:
    """A line for each day, a character for each half hour: `·` one firing, then `:` `+` `*` `#`.

    Events that fire often would hide the others, and are only named below, unless they are the only ones. A day
    with a DST transition has an `!`, and a line below describes it.
    """
    often = timeline.often()
    hidden = often if len(often) < len(timeline.events) else []
    changes = {change.first.date(): change for change in zone_changes(timeline.zone, timeline.start, timeline.end)}
    counts: Counter[tuple[date, int]] = Counter()
    totals: Counter[date] = Counter()
    for seconds, event in timeline.rows:
        if event in hidden:
            continue
        at = timeline.local(seconds)
        totals[at.date()] += 1
        counts[at.date(), at.hour * 2 + at.minute // 30] += 1
    hours = "".join(f"{hour:<6}" for hour in range(0, 24, 3))
    lines = [f"{'':16}{hours}"]
    for day in timeline.days():
        tones = (bisect_right(_LIMITS, counts[day, slot]) for slot in range(_SLOTS))
        row = "".join(_TONES[tone] for tone in tones)
        lines.append(f"{day:%a %Y-%m-%d}{'!' if day in changes else ' '}|{row}| {totals[day]:,}")
    lines += [f"! {change}" for change in changes.values()]
    if hidden:
        lines.append(f"Not drawn, they fire too often: {', '.join(hidden)}")
    return "\n".join(lines) + "\n"


def to_listing(timeline: DrawnTimeline) -> str:
    """Each event's firings by the day; days that follow each other and are alike share a line."""
    parts = []
    for name in timeline.events:
        seconds = [at for at, event in timeline.rows if event == name]
        times = [timeline.local(at) for at in seconds]
        parts.append("\n".join([name, *(f"  {line}" for line in _lines(times))]))
    return "\n\n".join(parts) + "\n"


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
