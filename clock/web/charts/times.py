"""Charts of the times of runs as SVG, drawn by the server: how long they took, and how late they started.

A dot is a run, a bar shows all runs of a slot. The scale of lateness is logarithmic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from math import log10
from statistics import median

from markupsafe import Markup, escape

from clock.inspection.jobs.metrics import Lateness
from clock.printable import duration
from clock.web.charts import plot
from clock.web.charts.marks import css_class

WIDTH, HEIGHT = 348, 120
LEFT, TOP, BOTTOM = 52, 8, 104
LEAST_HALVED = 0.002  # seconds: half of a shorter time would be written as 0 ms
LEAST_GAP = 22.0  # units between lines whose texts do not touch
#: Lateness in ms at which the scale has lines.
LINES_MS = (1, 10, 100, 1_000, 10_000, 60_000, 600_000, 3_600_000, 86_400_000)
LEAST_TOP_MS = 1_000
GAP = 1.0  # units between bars
TICK = 2.5  # units: the height of the mark of a maximum


def dots(runs: Sequence[tuple[float, bool]], label: str) -> Markup:
    """Run times in seconds, oldest first, each a dot; a hollow one has failed."""
    longest = max(took for took, _ in runs)
    top = nice_top(longest)
    words = f"{label}: {duration(median(took for took, _ in runs))} / {duration(longest)}"
    parts = (0.0, 0.5, 1.0) if top >= LEAST_HALVED else (0.0, 1.0)
    lines = [(part, duration(top * part)) for part in parts]
    return _dots([(f"dot{' failed' * failed}", took / top, "") for took, failed in runs], lines, words)


def late_dots(runs: Sequence[tuple[int, str, str]], label: str) -> Markup:
    """The lateness of one event's runs, the oldest first: (ms, kind, the text that the pointer shows)."""
    top = _top(max(ms for ms, _, _ in runs))
    return _dots([(css_class(kind), _part(ms, top), text) for ms, kind, text in runs], _lines(top), label)


def lateness_chart(series: Sequence[tuple[datetime, Lateness]], stretch: plot.Stretch, label: str) -> Markup:
    """A bar for each slot: up to p50, up to p95, and a mark at the maximum."""
    top = _top(max(one.max_ms for _, one in series))
    half, most, maximum = [], [], []
    step = plot.WIDTH / len(series)
    for place, (_, one) in enumerate(series):
        if not one.runs:
            continue
        x, wide = place * step, step - GAP
        middle, upper = _part(one.quantile(0.5), top), _part(one.quantile(0.95), top)
        half.append(plot.bar(x, wide, middle))
        most.append(plot.bar(x, wide, upper, middle))
        y = max(0.0, plot.BOTTOM * (1 - _part(one.max_ms, top)) - TICK / 2)
        maximum.append(f"M{x:.1f} {y:.1f}h{wide:.1f}v{TICK}h-{wide:.1f}z")
    inner = plot.paths({"late-p95": most, "late-p50": half, "late-max": maximum})
    return plot.framed(inner, _lines(top), stretch, label)


def nice_top(value: float) -> float:
    """The smallest round number that is not below a value.

    >>> nice_top(0.3), nice_top(7), nice_top(103), nice_top(0)
    (0.3, 8.0, 120.0, 0.001)
    """
    power = 0.001
    while power * 10 < value:
        power *= 10
    steps = (round(step * power, 9) for step in (1.0, 1.2, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0))
    return next((step for step in steps if step >= value), round(10 * power, 9))


def _lines(top: int) -> list[tuple[float, str]]:
    """The lines of the scale: their heights, from 0 to 1, and their texts."""
    return [(_part(ms, top), duration(ms / 1000)) for ms in LINES_MS if ms <= top]


def _top(most_ms: int) -> int:
    """The line of the scale that is not below a lateness."""
    return next((ms for ms in LINES_MS if ms >= max(most_ms, LEAST_TOP_MS)), LINES_MS[-1])


def _part(ms: int, top: int) -> float:
    """The height of a lateness, from 0 (a ms or less) to 1."""
    return min(1.0, log10(max(1, ms)) / log10(top))


def _dots(runs: Sequence[tuple[str, float, str]], lines: Sequence[tuple[float, str]], label: str) -> Markup:
    """Runs, oldest first: (CSS class, height from 0 to 1, text of the pointer). `lines` are (height, text)."""
    step = (WIDTH - LEFT - 8) / max(1, len(runs) - 1)
    drawn = "".join(
        f'<circle class="{css_class}" cx="{LEFT + 4 + place * step:.1f}" cy="{_y(height):.1f}" r="2.5">'
        f"{f'<title>{escape(text)}</title>' if text else ''}</circle>"
        for place, (css_class, height, text) in enumerate(runs)
    )
    return plot.svg("chart", f"0 0 {WIDTH} {HEIGHT}", "".join(_scale(lines)) + drawn, label)


def _scale(lines: Sequence[tuple[float, str]]) -> Iterator[str]:
    """The lines and their texts. A line whose text would touch the one above it is left out."""
    last = -LEAST_GAP
    for height, text in sorted(lines, reverse=True):
        y = _y(height)
        if y - last >= LEAST_GAP:
            last = y
            yield f'<path class="axis" d="M{LEFT} {y + 0.5:g}H{WIDTH}"/>'
            yield f'<text x="{LEFT - 6}" y="{y + 4:g}" text-anchor="end">{escape(text)}</text>'


def _y(height: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * height
