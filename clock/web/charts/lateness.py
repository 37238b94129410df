"""How late runs started, as SVG on a logarithmic scale: over time for all events, and run by run for one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import log10

from markupsafe import Markup

from clock.inspection.jobs.metrics import Lateness
from clock.printable import duration
from clock.web.charts.dots import dot_chart
from clock.web.charts.marks import css_class
from clock.web.charts.plot import BOTTOM, WIDTH, Stretch, bar, framed

#: Lateness in ms at which the scale has lines.
LINES_MS = (1, 10, 100, 1_000, 10_000, 60_000, 600_000, 3_600_000, 86_400_000)
LEAST_TOP_MS = 1_000
GAP = 1.0  # units between bars
TICK = 2.5  # units: the height of the mark of a maximum


def lateness_chart(series: Sequence[tuple[datetime, Lateness]], stretch: Stretch, label: str) -> Markup:
    """A bar for each slot: up to p50, up to p95, and a mark at the maximum."""
    top = _top(max(one.max_ms for _, one in series))
    half, most, maximum = [], [], []
    step = WIDTH / len(series)
    for place, (_, one) in enumerate(series):
        if not one.runs:
            continue
        x, wide = place * step, step - GAP
        middle, upper = _part(one.quantile(0.5), top), _part(one.quantile(0.95), top)
        half.append(bar(x, wide, middle))
        most.append(bar(x, wide, upper, middle))
        y = max(0.0, BOTTOM * (1 - _part(one.max_ms, top)) - TICK / 2)
        maximum.append(f"M{x:.1f} {y:.1f}h{wide:.1f}v{TICK}h-{wide:.1f}z")
    inner = "".join(
        f'<path class="late-{name}" d="{"".join(found)}"/>'
        for name, found in (("p95", most), ("p50", half), ("max", maximum))
    )
    return framed(inner, _lines(top), stretch, label)


def late_dots(runs: Sequence[tuple[int, str, str]], label: str) -> Markup:
    """The lateness of one event's runs, the oldest first: (ms, kind, the text that the pointer shows)."""
    top = _top(max(ms for ms, _, _ in runs))
    return dot_chart([(css_class(kind), _part(ms, top), text) for ms, kind, text in runs], _lines(top), label)


def _lines(top: int) -> list[tuple[float, str]]:
    """The lines of the scale: their heights, from 0 to 1, and their texts."""
    return [(_part(ms, top), duration(ms / 1000)) for ms in LINES_MS if ms <= top]


def _top(most_ms: int) -> int:
    """The line of the scale that is not below a lateness."""
    return next((ms for ms in LINES_MS if ms >= max(most_ms, LEAST_TOP_MS)), LINES_MS[-1])


def _part(ms: int, top: int) -> float:
    """The height of a lateness, from 0 (a ms or less) to 1."""
    return min(1.0, log10(max(1, ms)) / log10(top))
