"""Charts of counts as SVG: bars over time, a forecast, a distribution, a sparkline, a grid of days and hours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from markupsafe import Markup, escape

from clock.printable import duration
from clock.rehearsal.forecast import Forecast
from clock.web.charts.plot import BOTTOM, WIDTH, Stretch, bar, box, framed, paths, svg
from clock.web.charts.times import nice_top

GAP = 1.5  # units between failures and the others, which look alike to some people
LEAST = 4.0  # units: a failure among thousands is still seen
BARS = 240  # of a forecast: neighbouring minutes share a bar
SPARK_WIDTH, SPARK_HEIGHT = 96, 24
CELL = 14  # units of a square of a grid
LEVELS = 5


def throughput(series: Sequence[tuple[datetime, int, int]], stretch: Stretch, label: str) -> Markup:
    """Runs by slot, failures at the bottom of each bar."""
    top, step = nice_top(max(1, *(ran for _, ran, _ in series))), WIDTH / len(series)
    good, bad = [], []
    for place, (_, ran, failed) in enumerate(series):
        x, tall = place * step, BOTTOM * ran / top
        fail = max(LEAST, BOTTOM * failed / top) if failed else 0.0
        end = BOTTOM - (fail + GAP if fail else 0.0)
        if ran > failed and tall > fail + GAP:
            good.append(box(x, BOTTOM - tall, step - 1, end))
        if failed:
            bad.append(box(x, BOTTOM - fail, step - 1, BOTTOM))
    parts = (0.0, 0.5, 1.0) if top >= 2 else (0.0, 1.0)
    inner = paths({"mark fired": good, "mark error": bad})
    return framed(inner, [(part, f"{top * part:,g}") for part in parts], stretch, label)


def forecast_chart(made: Forecast, stretch: Stretch, label: str) -> Markup:
    """A bar for each stretch of minutes: the busiest minute counts, and the most waiting jobs."""
    most = max((minute.waiting for minute in made.minutes), default=0) or 1
    found: dict[int, tuple[float, int]] = {}
    for minute in made.minutes:
        place = int(BARS * max(0.0, minute.at - stretch.first.timestamp()) / stretch.seconds)
        part, jobs = found.get(place, (0.0, 0))
        found[place] = max(part, minute.busy), max(jobs, minute.waiting)
    busy, waiting = [], []
    wide = WIDTH / BARS
    for place, (part, jobs) in found.items():
        if place < BARS:
            busy.append(bar(place * wide, wide - 0.5, min(1.0, part)))
        if place < BARS and jobs:
            waiting.append(bar(place * wide, wide - 0.5, max(0.04, jobs / most)))
    inner = paths({"load-mark": busy, "over-mark": waiting})
    return framed(inner, [(0.0, "0%"), (0.5, "50%"), (1.0, "100%")], stretch, label)


def distribution(times: Sequence[tuple[float, int]], label: str) -> Markup:
    """How many runs took how long: a bar for each bucket that has runs, as rows of a list."""
    most = max(1, *(count for _, count in times))
    rows = "".join(
        f"<tr><td>{escape(_upper(times, place))}</td>"
        f'<td><svg class="share" viewBox="0 0 200 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="mark fired" width="{200 * count / most:.1f}" height="10"/></svg></td>'
        f'<td class="number">{count:,}</td></tr>'
        for place, (_, count) in enumerate(times)
        if count
    )
    return Markup(  # noqa: S704  # numbers made here; texts are escaped
        f'<table class="distribution"><caption class="visually-hidden">{escape(label)}</caption>{rows}</table>'
    )


def _upper(times: Sequence[tuple[float, int]], place: int) -> str:
    end = times[place][0]
    return f"over {duration(times[place - 1][0])}" if end == float("inf") else f"up to {duration(end)}"


def sparkline(values: Sequence[int], label: str) -> Markup:
    """A line through values, the oldest at its left end."""
    top, step = max(1, *values), SPARK_WIDTH / max(1, len(values) - 1)
    points = " ".join(
        f"{place * step:.1f},{SPARK_HEIGHT - 2 - (SPARK_HEIGHT - 4) * value / top:.1f}"
        for place, value in enumerate(values)
    )
    return svg("spark", f"0 0 {SPARK_WIDTH} {SPARK_HEIGHT}", f'<polyline points="{points}"/>', label)


def grid(rows: Sequence[Sequence[tuple[int, str]]], label: str) -> Markup:
    """Rows of squares, each a count and its text; a count below 0 leaves its square out."""
    most = max([1, *(count for row in rows for count, _ in row)])
    squares = "".join(
        f'<rect class="heat h{level(count, most)}" x="{x * CELL}" y="{y * CELL}" width="{CELL - 2}" '
        f'height="{CELL - 2}"><title>{escape(text)}</title></rect>'
        for y, row in enumerate(rows)
        for x, (count, text) in enumerate(row)
        if count >= 0
    )
    width = CELL * max([1, *map(len, rows)])
    return svg("grid", f"0 0 {width} {CELL * len(rows)}", squares, label)


def level(count: int, most: int) -> int:
    """The shade of a count, from 0 (none) to 5 (the most).

    >>> [level(count, 100) for count in (0, 1, 20, 21, 100)]
    [0, 1, 1, 2, 5]
    """
    return 0 if count <= 0 else min(LEVELS, 1 + (count - 1) * LEVELS // max(1, most))
