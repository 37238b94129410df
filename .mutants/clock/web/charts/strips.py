"""The strip of an event's latest decisions, as SVG: shape and colour show the decision, height the lateness."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from math import log10
from typing import Any

from markupsafe import Markup, escape

Record = Mapping[str, Any]

PITCH, WIDTH, HEIGHT = 7, 5, 26
FLOOR = HEIGHT - 1
KINDS = ("fired", "caught_up", "missed", "refused", "paused", "overlap", "error", "manual", "backfilled")
LOWEST, HIGHEST = 7.0, 23.0
LATEST_MS = 3_600_000  # an hour late, or more, has full height


def strip(records: Sequence[Record], most: int, label: str) -> Markup:
    """A strip of up to `most` decisions, the latest at its right end; one path for each kind keeps it small."""
    paths: dict[str, list[str]] = {}
    left = most - len(records)
    for place, record in enumerate(records, left):
        kind = kind_of(record)
        paths.setdefault(kind, []).append(_shape(kind, place * PITCH, _height(record.get("late_ms", 0))))
    width = most * PITCH - PITCH + WIDTH
    marks = "".join(f'<path class="{_class(kind)}" d="{"".join(found)}"/>' for kind, found in paths.items())
    return Markup(  # noqa: S704  # the dashboard's own numbers and names; the label is escaped
        f'<svg class="strip" viewBox="0 0 {width} {HEIGHT}" role="img" aria-label="{escape(label)}">'
        f'<path class="base" d="M0 {FLOOR}.5H{width}"/>{marks}</svg>'
    )


def big_strip(marks: Sequence[tuple[Record, str, str]], most: int, label: str) -> Markup:
    """A strip whose marks are links. Each mark: record, link, text that the pointer shows."""
    left = most - len(marks)
    drawn = []
    for place, (record, link, title) in enumerate(marks, left):
        kind, x = kind_of(record), place * PITCH
        drawn.append(
            f'<a href="{escape(link)}" aria-label="{escape(title)}"><title>{escape(title)}</title>'
            f'<rect class="hit" x="{x - 1}" y="0" width="{PITCH}" height="{HEIGHT}"/>'
            f'<path class="{_class(kind)}" d="{_shape(kind, x, _height(record.get("late_ms", 0)))}"/></a>'
        )
    width = most * PITCH - PITCH + WIDTH
    return Markup(  # noqa: S704  # the dashboard's own numbers and names; links and titles are escaped
        f'<svg class="chart" viewBox="-1 0 {width + 2} {HEIGHT}" role="group" aria-label="{escape(label)}">'
        f'<path class="base" d="M0 {FLOOR}.5H{width}"/>{"".join(drawn)}</svg>'
    )


def kind_of(record: Record) -> str:
    """The decision of a record as a known kind. An unknown kind gets the mark of an error."""
    kind = record.get("decision")
    return kind if kind in KINDS else "error"


def _class(kind: str) -> str:
    return f"{'hollow' if kind == 'missed' else 'mark'} {kind}"


@lru_cache(maxsize=4096)
def _shape(kind: str, x: int, height: float) -> str:
    """The path of a mark; the same few are drawn again and again."""
    return _SHAPES[kind](x, height)


@lru_cache(maxsize=4096)
def _height(late_ms: int) -> float:
    """The height of a mark: on a logarithmic scale, from on time to an hour late."""
    late = min(max(1, late_ms), LATEST_MS)
    return round(LOWEST + (HIGHEST - LOWEST) * max(0.0, log10(late) - 1) / (log10(LATEST_MS) - 1), 1)


def _fired(x: int, height: float) -> str:
    return f"M{x} {FLOOR - height:g}h5V25h-5z"


def _caught_up(x: int, height: float) -> str:
    top = FLOOR - max(height, 12)
    return f"M{x} {top:g}h5v3h-5zM{x} {top + 5:g}h5V25h-5z"


def _missed(x: int, height: float) -> str:
    return f"M{x}.75 2.75h3.5v21.5h-3.5z"


def _refused(x: int, height: float) -> str:
    return f"M{x} 22h5v3h-5z"


def _paused(x: int, height: float) -> str:
    return f"M{x} 15h1.8v10h-1.8zM{x + 3}.2 15h1.8v10h-1.8z"


def _overlap(x: int, height: float) -> str:
    return f"M{x} 21h5v4h-5zM{x} 15h5v4h-5zM{x} 9h5v4h-5z"


def _error(x: int, height: float) -> str:
    return f"M{x} 2h5l-1.2 15h-2.6zM{x + 1}.2 20h2.6v5h-2.6z"


def _manual(x: int, height: float) -> str:
    return f"M{x} 18l2.5-6 2.5 6-2.5 6z"


def _backfilled(x: int, height: float) -> str:
    return f"M{x + 5} 12v12l-5-6z"


_SHAPES: Mapping[str, Callable[[int, float], str]] = {
    "fired": _fired,
    "caught_up": _caught_up,
    "missed": _missed,
    "refused": _refused,
    "paused": _paused,
    "overlap": _overlap,
    "error": _error,
    "manual": _manual,
    "backfilled": _backfilled,
}
