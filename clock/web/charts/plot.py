"""The frame of a chart over time: values at the left, times below, lines for releases. Browsers stretch it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from markupsafe import Markup, escape

WIDTH, BOTTOM = 960, 140
TIMES = 5  # written below


@dataclass(frozen=True, slots=True)
class Stretch:
    """The time that a chart shows, in a zone; `marks` are (when, text): each is a line with a text."""

    first: datetime
    last: datetime
    zone: tzinfo
    marks: Sequence[tuple[datetime, str]] = ()

    @property
    def seconds(self) -> float:
        """How long it is."""
        return max(1.0, (self.last - self.first).total_seconds())

    def place(self, at: datetime) -> float:
        """The position of an instant, from 0 to 1."""
        return (at - self.first).total_seconds() / self.seconds


def framed(inner: str, values: Sequence[tuple[float, str]], stretch: Stretch, label: str) -> Markup:
    """A chart: `inner` is its marks, in a box of `WIDTH` by `BOTTOM`; `values` are (place from 0 to 1, text)."""
    grid = "".join(f"M0 {BOTTOM * (1 - place):.1f}h{WIDTH}" for place, _ in values)
    texts = "".join(
        f'<text x="100%" y="{100 * (1 - place):.1f}%" dy="{_shift(place)}" text-anchor="end">{escape(text)}</text>'
        for place, text in values
    )
    return Markup(  # noqa: S704  # numbers made here; texts are escaped
        f'<div class="plot"><svg class="axis-texts" aria-hidden="true">{texts}</svg>'
        f'<svg class="bars" viewBox="0 0 {WIDTH} {BOTTOM}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}"><path class="grid-line" d="{grid}"/>{inner}{_lines(stretch)}</svg>'
        f'<svg class="axis-texts times" aria-hidden="true">{_times(stretch)}</svg></div>'
    )


def _shift(place: float) -> str:
    """The offset of a text from its line: the highest text is below the edge, the lowest one above it."""
    return "0.9em" if place > 0.9 else "0" if place < 0.1 else "0.35em"


def _lines(stretch: Stretch) -> str:
    return "".join(
        f'<path class="release-line" d="M{WIDTH * stretch.place(at):.1f} 0v{BOTTOM}">'
        f"<title>{escape(text)}</title></path>"
        for at, text in stretch.marks
    )


def _times(stretch: Stretch) -> str:
    length, texts = stretch.last - stretch.first, []
    for number in range(TIMES):
        part = number / (TIMES - 1)
        anchor = "start" if number == 0 else "end" if number == TIMES - 1 else "middle"
        at = (stretch.first + length * part).astimezone(stretch.zone)
        hidden = ' class="hide-small"' if number % 2 else ""
        texts.append(f'<text x="{100 * part:g}%" y="13" text-anchor="{anchor}"{hidden}>{at:%H:%M}</text>')
    return "".join(texts)
