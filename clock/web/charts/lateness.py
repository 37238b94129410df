"""How late runs started, as SVG on a logarithmic scale: over time for all events, and run by run for one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import log10

from markupsafe import Markup, escape

from clock.inspection.jobs.metrics import Lateness
from clock.printable import duration
from clock.web.charts.charts import BOTTOM as LOW
from clock.web.charts.charts import HEIGHT as TALL
from clock.web.charts.charts import LEFT, TOP
from clock.web.charts.charts import WIDTH as WIDE
from clock.web.charts.plot import BOTTOM, WIDTH, Stretch, framed

#: Lateness in ms at which the scale has lines.
LINES_MS = (1, 10, 100, 1_000, 10_000, 60_000, 600_000, 3_600_000, 86_400_000)
LEAST_TOP_MS = 1_000
GAP = 1.0  # units between bars
LEAST_GAP = 22.0  # units between lines whose texts do not touch
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
        half.append(_bar(x, wide, 0.0, _part(one.quantile(0.5), top)))
        most.append(_bar(x, wide, _part(one.quantile(0.5), top), _part(one.quantile(0.95), top)))
        y = max(0.0, BOTTOM * (1 - _part(one.max_ms, top)) - TICK / 2)
        maximum.append(f"M{x:.1f} {y:.1f}h{wide:.1f}v{TICK}h-{wide:.1f}z")
    inner = "".join(
        f'<path class="late-{name}" d="{"".join(found)}"/>'
        for name, found in (("p95", most), ("p50", half), ("max", maximum))
    )
    return framed(inner, [(_part(ms, top), duration(ms / 1000)) for ms in LINES_MS if ms <= top], stretch, label)


def late_dots(runs: Sequence[tuple[int, str, str]], label: str) -> Markup:
    """The lateness of one event's runs, the oldest first: (ms, kind, the text that the pointer shows)."""
    top = _top(max(ms for ms, _, _ in runs))
    step = (WIDE - LEFT - 8) / max(1, len(runs) - 1)
    drawn = "".join(
        f'<circle class="{"hollow" if kind == "missed" else "mark"} {kind}" cx="{LEFT + 4 + place * step:.1f}" '
        f'cy="{LOW - (LOW - TOP) * _part(ms, top):.1f}" r="2.5"><title>{escape(text)}</title></circle>'
        for place, (ms, kind, text) in enumerate(runs)
    )
    return Markup(  # noqa: S704  # numbers made here; texts are escaped
        f'<svg class="chart" viewBox="0 0 {WIDE} {TALL}" role="img" aria-label="{escape(label)}">'
        f"{_scale(top)}{drawn}</svg>"
    )


def _scale(top: int) -> str:
    lines: list[str] = []
    last = -LEAST_GAP
    for ms in sorted((ms for ms in LINES_MS if ms <= top), reverse=True):
        y = LOW - (LOW - TOP) * _part(ms, top)
        if y - last < LEAST_GAP:
            continue
        last = y
        lines.append(f'<path class="axis" d="M{LEFT} {y + 0.5:g}H{WIDE}"/>')
        lines.append(f'<text x="{LEFT - 6}" y="{y + 4:g}" text-anchor="end">{escape(duration(ms / 1000))}</text>')
    return "".join(lines)


def _top(most_ms: int) -> int:
    """The line of the scale that is not below a lateness."""
    return next((ms for ms in LINES_MS if ms >= max(most_ms, LEAST_TOP_MS)), LINES_MS[-1])


def _part(ms: int, top: int) -> float:
    """The height of a lateness, from 0 (a ms or less) to 1."""
    return min(1.0, log10(max(1, ms)) / log10(top))


def _bar(x: float, wide: float, low: float, high: float) -> str:
    y, end = BOTTOM * (1 - high), BOTTOM * (1 - low)
    return f"M{x:.1f} {y:.1f}h{wide:.1f}V{end:.1f}h-{wide:.1f}z"
