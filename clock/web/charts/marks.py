"""The mark of each decision: its shape, icon and colours; and the strip of an event's latest decisions, as SVG.

Shape and colour show the decision, height the lateness. A kind without a mark gets a plain bar.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log10
from typing import Any

from markupsafe import Markup, escape

from clock.inspection.events.event_rows import DecisionKind
from clock.web.charts.plot import paths, svg

KINDS = tuple(kind.value for kind in DecisionKind)
FLOOR = 25  # the marks of a strip stand on this line, counted from its top
PITCH, WIDTH, HEIGHT = 7, 5, FLOOR + 1
LOWEST, HIGHEST = 7.0, 23.0
LATEST_MS = 3_600_000  # an hour late, or more, has full height

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Mark:
    """How a decision is drawn: the path of its icon in a box of 9 x 16, and its path at (x, height) in a strip."""

    icon: str
    shape: Callable[[int, float], str]


def css_class(kind: str) -> str:
    """The classes of a decision's mark: only what did not run is hollow."""
    return f"{'hollow' if kind in ('missed', 'planned') else 'mark'} {kind}"


def mark_icons() -> Markup:
    """The symbols of all decisions, and of a run that is planned."""
    paths = {
        kind: f'<path d="{_MARKS.get(kind, _BAR).icon}" class="{css_class(kind)}"/>'
        for kind in (*KINDS, "planned")
    }
    symbols = (f'<symbol id="m-{kind}" viewBox="0 0 9 16">{path}</symbol>' for kind, path in paths.items())
    return Markup("\n".join(symbols))  # noqa: S704  # the dashboard's own names and paths


def mark_styles() -> str:
    """The style sheet of the decisions' colours."""
    colours = "".join(f"--{kind}: light-dark({', '.join(kind.colours)}); " for kind in DecisionKind)
    tones = "\n".join(f".{kind} {{ --tone: var(--{kind}); }}" for kind in KINDS)
    return f":root {{ {colours}}}\n{tones}\n.planned {{ --tone: var(--muted); }}\n"


def strip(records: Sequence[Record], most: int, label: str) -> Markup:
    """A strip of up to `most` decisions, the latest at its right end; one path for each kind keeps it small."""
    width = most * PITCH - PITCH + WIDTH
    found = {"base": [f"M0 {FLOOR}.5H{width}"]}
    for place, record in enumerate(records, most - len(records)):
        found.setdefault(css_class(kind_of(record)), []).append(_drawn(record, place))
    return svg("strip", f"0 0 {width} {HEIGHT}", paths(found), label)


def big_strip(marks: Sequence[tuple[Record, str, str]], most: int, label: str) -> Markup:
    """A strip whose marks are links. Each mark: record, link, text that the pointer shows."""
    width = most * PITCH - PITCH + WIDTH
    drawn = [f'<path class="base" d="M0 {FLOOR}.5H{width}"/>']
    for place, (record, link, title) in enumerate(marks, most - len(marks)):
        drawn.append(
            f'<a href="{escape(link)}" aria-label="{escape(title)}"><title>{escape(title)}</title>'
            f'<rect class="hit" x="{place * PITCH - 1}" y="0" width="{PITCH}" height="{HEIGHT}"/>'
            f'<path class="{css_class(kind_of(record))}" d="{_drawn(record, place)}"/></a>'
        )
    return svg("chart", f"-1 0 {width + 2} {HEIGHT}", "".join(drawn), label, role="group")


def kind_of(record: Record) -> str:
    """The decision of a record as a known kind. An unknown kind gets the mark of an error."""
    kind = record.get("decision")
    return kind if kind in KINDS else "error"


def _drawn(record: Record, place: int) -> str:
    return _shape(kind_of(record), place * PITCH, _height(record.get("late_ms", 0)))


@lru_cache(maxsize=4096)
def _shape(kind: str, x: int, height: float) -> str:
    """The path of a mark; the same few are drawn again and again."""
    return _MARKS.get(kind, _BAR).shape(x, height)


@lru_cache(maxsize=4096)
def _height(late_ms: int) -> float:
    """The height of a mark: on a logarithmic scale, from on time to an hour late."""
    late = min(max(1, late_ms), LATEST_MS)
    return round(LOWEST + (HIGHEST - LOWEST) * max(0.0, log10(late) - 1) / (log10(LATEST_MS) - 1), 1)


_BAR = Mark("M1.5 4h6v10h-6z", lambda x, height: f"M{x} {FLOOR - height:g}h5V25h-5z")


def _caught_up(x: int, height: float) -> str:
    top = FLOOR - max(height, 12)
    return f"M{x} {top:g}h5v3h-5zM{x} {top + 5:g}h5V25h-5z"


_MARKS: Mapping[str, Mark] = {
    "caught_up": Mark("M1.5 2h6v3h-6zM1.5 7h6v7h-6z", _caught_up),
    "missed": Mark("M2.25 2.75h4.5v10.5h-4.5z", lambda x, _: f"M{x}.75 2.75h3.5v21.5h-3.5z"),
    "refused": Mark("M1.5 11.5h6V14h-6z", lambda x, _: f"M{x} 22h5v3h-5z"),
    "paused": Mark(
        "M1.5 4H3.5v10H1.5zM5.5 4H7.5v10H5.5z", lambda x, _: f"M{x} 15h1.8v10h-1.8zM{x + 3}.2 15h1.8v10h-1.8z"
    ),
    "overlap": Mark(
        "M1.5 11h6v3h-6zM1.5 6.5h6v3h-6zM1.5 2h6v3h-6z",
        lambda x, _: f"M{x} 21h5v4h-5zM{x} 15h5v4h-5zM{x} 9h5v4h-5z",
    ),
    "error": Mark(
        "M1.5 2h6L6 10H3zM3 11.5h3V14H3z", lambda x, _: f"M{x} 2h5l-1.2 15h-2.6zM{x + 1}.2 20h2.6v5h-2.6z"
    ),
    "manual": Mark("m4.5 4 4 5-4 5-4-5z", lambda x, _: f"M{x} 18l2.5-6 2.5 6-2.5 6z"),
    "backfilled": Mark("M8 4v10L1 9z", lambda x, _: f"M{x + 5} 12v12l-5-6z"),
    "planned": Mark("M2.25 4.75h4.5v8.5h-4.5z", _BAR.shape),
}
