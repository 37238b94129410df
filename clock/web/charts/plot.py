"""The frame of a chart over time: values at the left, times below, lines for releases. Browsers stretch it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from markupsafe import Markup, escape

from clock.printable import printable

WIDTH, BOTTOM = 960, 140
TIMES = 8  # at most, below the chart; every second one is hidden in a small window
MOST_WITH_TIMES = 2  # days; a longer chart has days below it
LONGEST_MARK = 14  # characters of a text above a line; the whole text is its title
ROOM, SMALL_ROOM = 0.12, 0.4  # of the width, for such a text: in a large window, in a small one
STEPS = (300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600)  # seconds between the times below
DAY_STEPS = (1, 2, 7)
DAY = 86_400


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
        f'<div class="plot">{_mark_texts(stretch)}<svg class="axis-texts" aria-hidden="true">{texts}</svg>'
        f'<svg class="bars" viewBox="0 0 {WIDTH} {BOTTOM}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}"><path class="grid-line" d="{grid}"/>{inner}{_lines(stretch)}</svg>'
        f'<svg class="axis-texts times" aria-hidden="true">{_times(stretch)}</svg></div>'
    )


def svg(css_class: str, box: str, inner: str, label: str, role: str = "img") -> Markup:
    """A drawing: `box` is its viewBox, `inner` its content, whose texts are escaped."""
    return Markup(  # noqa: S704  # numbers and classes made here; texts are escaped
        f'<svg class="{css_class}" viewBox="{box}" role="{role}" aria-label="{escape(label)}">{inner}</svg>'
    )


def paths(found: Mapping[str, Iterable[str]]) -> str:
    """An element for each CSS class, with the paths of the class."""
    return "".join(f'<path class="{css_class}" d="{"".join(each)}"/>' for css_class, each in found.items())


def bar(x: float, wide: float, high: float, low: float = 0.0) -> str:
    """The path of a bar from `low` to `high`, which are from 0 to 1."""
    return box(x, BOTTOM * (1 - high), wide, BOTTOM * (1 - low))


def box(x: float, top: float, wide: float, bottom: float) -> str:
    """The path of a box, in units."""
    return f"M{x:.1f} {top:.1f}h{wide:.1f}V{bottom:.1f}h-{wide:.1f}z"


def _shift(place: float) -> str:
    """The offset of a text from its line: the highest text is below the edge, the lowest one above it."""
    return "0.9em" if place > 0.9 else "0" if place < 0.1 else "0.35em"


def _lines(stretch: Stretch) -> str:
    return "".join(
        f'<path class="release-line" d="M{WIDTH * stretch.place(at):.1f} 0v{BOTTOM}">'
        f"<title>{escape(printable(text))}</title></path>"
        for at, text in stretch.marks
    )


def _mark_texts(stretch: Stretch) -> str:
    """The texts of the lines, above the chart; those without room are left out, their lines are not."""
    texts, end, small_end = list[str](), 0.0, 0.0  # of the last text, from the right
    for at, text in sorted(stretch.marks, key=lambda mark: mark[0], reverse=True):
        place = stretch.place(at)
        anchor = "start" if place < SMALL_ROOM else "end"  # no text runs over an edge
        right = 1 - place - (ROOM if anchor == "start" else 0.0)
        small_right = 1 - place - (SMALL_ROOM if anchor == "start" else 0.0)
        if right < end:
            continue
        cut = text if len(text) <= LONGEST_MARK else text[: LONGEST_MARK - 1] + "\N{HORIZONTAL ELLIPSIS}"
        is_hidden = small_right < small_end
        texts.append(_text(place, escape(printable(cut)), anchor, is_hidden=is_hidden))
        end, small_end = right + ROOM, small_end if is_hidden else small_right + SMALL_ROOM
    return f'<svg class="axis-texts mark-texts" aria-hidden="true">{"".join(texts)}</svg>' if texts else ""


def _times(stretch: Stretch) -> str:
    """Times of day, or days if the chart shows several, on the clock of the zone."""
    texts = []
    found = _days(stretch) if stretch.seconds > MOST_WITH_TIMES * DAY else _times_of_day(stretch)
    for number, (at, text) in enumerate(found):
        place = stretch.place(at)
        anchor = "start" if place < 0.03 else "end" if place > 0.97 else "middle"
        texts.append(_text(place, text, anchor, is_hidden=number % 2 == 1))
    return "".join(texts)


def _text(place: float, text: str, anchor: str, *, is_hidden: bool) -> str:
    hidden = ' class="hide-small"' if is_hidden else ""
    return f'<text x="{100 * place:.2f}%" y="13" text-anchor="{anchor}"{hidden}>{text}</text>'


def _times_of_day(stretch: Stretch) -> Iterator[tuple[datetime, str]]:
    step = next((step for step in STEPS if stretch.seconds / step <= TIMES), STEPS[-1])
    shift = (stretch.first.astimezone(stretch.zone).utcoffset() or timedelta(0)).total_seconds()
    begin = -(-(stretch.first.timestamp() + shift) // step) * step - shift
    while begin <= stretch.last.timestamp():
        at = datetime.fromtimestamp(begin, stretch.zone)
        yield at, f"{at:%H:%M}"
        begin += step


def _days(stretch: Stretch) -> Iterator[tuple[datetime, str]]:
    """The midnights of the zone: every day, every second one, or every Monday."""
    step = next((step for step in DAY_STEPS if stretch.seconds / DAY / step <= TIMES), DAY_STEPS[-1])
    first, last = (at.astimezone(stretch.zone).date().toordinal() for at in (stretch.first, stretch.last))
    for day in map(date.fromordinal, range(first, last + 1)):
        at = datetime.combine(day, time(), stretch.zone).astimezone(UTC)
        if at >= stretch.first and (day.toordinal() - 1) % step == 0:  # day 1 is a Monday
            yield at, f"{day:%a %d}"
