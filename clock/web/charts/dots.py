"""Charts of runs as SVG, drawn by the server: a dot for each run. Each has a label that describes it in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from markupsafe import Markup, escape

from clock.printable import duration

WIDTH, HEIGHT = 348, 120
LEFT, TOP, BOTTOM = 52, 8, 104
LEAST_HALVED = 0.002  # seconds: half of a shorter time would be written as 0 ms
LEAST_GAP = 22.0  # units between lines whose texts do not touch


def dots(runs: Sequence[tuple[float, bool]], label: str) -> Markup:
    """Run times in seconds, oldest first, each a dot; a hollow one has failed."""
    longest = max(took for took, _ in runs)
    top = nice_top(longest)
    words = f"{label}: {duration(median(took for took, _ in runs))} / {duration(longest)}"
    parts = (0.0, 0.5, 1.0) if top >= LEAST_HALVED else (0.0, 1.0)
    lines = [(part, duration(top * part)) for part in parts]
    return dot_chart([(f"dot{' failed' * failed}", took / top, "") for took, failed in runs], lines, words)


def dot_chart(runs: Sequence[tuple[str, float, str]], lines: Sequence[tuple[float, str]], label: str) -> Markup:
    """Runs, oldest first: (CSS class, height from 0 to 1, text of the pointer). `lines` are (height, text).

    A line whose text would touch the one above it is left out.
    """
    step = (WIDTH - LEFT - 8) / max(1, len(runs) - 1)
    drawn = "".join(
        f'<circle class="{css_class}" cx="{LEFT + 4 + place * step:.1f}" cy="{_y(height):.1f}" r="2.5">'
        f"{f'<title>{escape(text)}</title>' if text else ''}</circle>"
        for place, (css_class, height, text) in enumerate(runs)
    )
    return Markup(  # noqa: S704  # numbers and classes made here; texts are escaped
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">'
        f"{''.join(_scale(lines))}{drawn}</svg>"
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


def _scale(lines: Sequence[tuple[float, str]]) -> Iterator[str]:
    last = -LEAST_GAP
    for height, text in sorted(lines, reverse=True):
        y = _y(height)
        if y - last >= LEAST_GAP:
            last = y
            yield f'<path class="axis" d="M{LEFT} {y + 0.5:g}H{WIDTH}"/>'
            yield f'<text x="{LEFT - 6}" y="{y + 4:g}" text-anchor="end">{escape(text)}</text>'


def _y(height: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * height
