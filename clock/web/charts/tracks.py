"""The tracks of the timeline as SVG, drawn in a width of 960 that the browser stretches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from clock.web.charts.marks import css_class
from clock.web.charts.plot import box, paths

if TYPE_CHECKING:
    from clock.web.pages.timeline import Day, Lane, Mark

WIDTH, HEIGHT, LOAD_HEIGHT = 960, 32, 64
LEAST = 3.0  # units: what lasts a moment is still seen
TOP, TALL = {"planned": 11, "missed": 5}, {"planned": 10, "missed": 22}  # others: 8 and 16


def lane_track(lane: Lane, day: Day, at: float, label: str) -> Markup:
    """The marks of an event on its day; `at` is the present, in seconds from the start of the day."""
    found: dict[str, list[str]] = {}
    for mark in lane.marks:
        name = "planned-mark" if mark.kind == "planned" else css_class(mark.kind)
        found.setdefault(name, []).append(_box(mark, day))
    return _track(day, at, HEIGHT, paths(found), label)


def load_track(load: Sequence[float], slots: int, day: Day, at: float, label: str) -> Markup:
    """The number of threads that are needed, next to the number that exists."""
    top = max(1.0, slots * 1.25, *load)
    scale, width = (LOAD_HEIGHT - 2) / top, WIDTH / max(1, len(load))
    fits, over = [], []
    for place, need in enumerate(load):
        x, inside = place * width, min(need, slots) if slots else need
        if inside:
            fits.append(box(x, LOAD_HEIGHT - inside * scale, width - 1, LOAD_HEIGHT))
        if slots and need > slots:
            over.append(box(x, LOAD_HEIGHT - need * scale, width - 1, LOAD_HEIGHT - slots * scale))
    bars = paths({"load-mark": fits, "over-mark": over})
    line = f'<path class="slots-line" d="M0 {LOAD_HEIGHT - slots * scale:.1f}h{WIDTH}"/>' if slots else ""
    return _track(day, at, LOAD_HEIGHT, bars + line, label)


def hour_axis(day: Day) -> Markup:
    """The hours above the tracks; the text is not stretched."""
    texts = "".join(
        f'<text x="{100 * place / day.seconds:.2f}%" y="16">{hour}<tspan class="hide-small">:00</tspan></text>'
        for hour, place in day.hours()
    )
    return Markup(f'<svg aria-hidden="true">{texts}</svg>')  # noqa: S704  # the dashboard's own numbers


def _track(day: Day, at: float, height: int, inner: str, label: str) -> Markup:
    now = max(0.0, min(WIDTH, _x(at, day)))
    lines = "".join(f"M{_x(place, day):.0f} 0v{height}" for _, place in day.hours()[1:])
    change = ""
    if day.change is not None:
        change = f'<rect class="dst" x="{_x(day.change, day) - 8:.0f}" width="16" height="{height}"/>'
    line = f'<path class="now-line" d="M{now:.1f} 0v{height}"/>' if 0 < now < WIDTH else ""
    return Markup(  # noqa: S704  # the dashboard's own numbers and names; the label is escaped
        f'<svg viewBox="0 0 {WIDTH} {height}" preserveAspectRatio="none" role="img" aria-label="{escape(label)}">'
        f'<rect class="past" width="{now:.0f}" height="{height}"/>{change}'
        f'<path class="grid-line" d="{lines}"/>{inner}{line}</svg>'
    )


def _x(seconds: float, day: Day) -> float:
    return WIDTH * seconds / day.seconds


def _box(mark: Mark, day: Day) -> str:
    width = min(max(LEAST, _x(mark.seconds, day)), WIDTH - _x(mark.start, day))
    top, tall = TOP.get(mark.kind, 8), TALL.get(mark.kind, 16)
    return box(_x(mark.start, day), top, width, top + tall)
