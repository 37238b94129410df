"""The forecast as SVG: the busy part of the threads, and the jobs that wait."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from clock.rehearsal.forecast.forecast import Forecast, Minute
from clock.web.charts.plot import WIDTH, Stretch, bar, framed

BARS = 240  # neighbouring minutes share a bar


def forecast_chart(made: Forecast, stretch: Stretch, label: str) -> Markup:
    """A bar for each stretch of minutes: the busiest minute counts, and the most waiting jobs."""
    begin, seconds = stretch.first.timestamp(), stretch.seconds
    most = max((minute.waiting for minute in made.minutes), default=0) or 1
    busy, waiting = [], []
    wide = WIDTH / BARS
    for place, part, jobs in _bars(made.minutes, begin, seconds):
        busy.append(bar(place * wide, wide - 0.5, min(1.0, part)))
        if jobs:
            waiting.append(bar(place * wide, wide - 0.5, max(0.04, jobs / most)))
    inner = f'<path class="load-mark" d="{"".join(busy)}"/><path class="over-mark" d="{"".join(waiting)}"/>'
    return framed(inner, [(0.0, "0%"), (0.5, "50%"), (1.0, "100%")], stretch, label)


def _bars(minutes: Sequence[Minute], begin: float, seconds: float) -> Iterator[tuple[int, float, int]]:
    """Place of a bar, the busy part of its busiest minute, the most jobs that wait."""
    found: dict[int, tuple[float, int]] = {}
    for minute in minutes:
        place = int(BARS * max(0.0, minute.at - begin) / seconds)
        busy, waiting = found.get(place, (0.0, 0))
        found[place] = max(busy, minute.busy), max(waiting, minute.waiting)
    yield from ((place, *values) for place, values in found.items() if place < BARS)
