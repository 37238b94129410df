"""Small charts as SVG, drawn by the server. Each has a label that describes it in words."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from markupsafe import Markup, escape

from clock.printable import duration

WIDTH, HEIGHT = 348, 120
LEFT, TOP, BOTTOM = 52, 8, 104
LEAST_HALVED = 0.002  # seconds: half of a shorter time would be written as 0 ms


def dots(runs: Sequence[tuple[float, bool]], label: str) -> Markup:
    """Run times in seconds, oldest first, each a dot; a hollow one has failed."""
    top = nice_top(max(took for took, _ in runs))
    step = (WIDTH - LEFT - 8) / max(1, len(runs) - 1)
    drawn = "".join(
        f'<circle class="dot{" failed" if failed else ""}" cx="{LEFT + 4 + place * step:.1f}" '
        f'cy="{BOTTOM - (BOTTOM - TOP) * took / top:.1f}" r="2.5"/>'
        for place, (took, failed) in enumerate(runs)
    )
    middle = median(took for took, _ in runs)
    words = escape(f"{label}: {duration(middle)} / {duration(max(took for took, _ in runs))}")
    return Markup(  # noqa: S704  # the dashboard's own numbers; the label is escaped
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{words}">'
        f"{_scale(top)}{drawn}</svg>"
    )


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


def _scale(top: float) -> str:
    lines = []
    for part in (1.0, 0.5, 0.0) if top >= LEAST_HALVED else (1.0, 0.0):
        y = BOTTOM - (BOTTOM - TOP) * part
        lines.append(f'<path class="axis" d="M{LEFT} {y + 0.5:g}H{WIDTH}"/>')
        lines.append(f'<text x="{LEFT - 6}" y="{y + 4:g}" text-anchor="end">{escape(duration(top * part))}</text>')
    return "".join(lines)
