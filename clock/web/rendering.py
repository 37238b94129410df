"""Pages as HTML: the Jinja environment, and what its templates may call to show values, which may be anything."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, tzinfo
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from clock.clocks import from_ms
from clock.printable import UNPRINTABLE, duration, printable
from clock.web.charts.bars import distribution, forecast_chart, grid, sparkline, throughput
from clock.web.charts.marks import KINDS, big_strip, kind_of, mark_icons, mark_styles, strip
from clock.web.charts.times import dots, late_dots, lateness_chart
from clock.web.charts.tracks import hour_axis, lane_track, load_track
from clock.web.job_lists import LONGEST_BLOCK, instant_of
from clock.web.texts import TEXTS

LONGEST_TEXT = 300  # characters of a value in a list
HERE = Path(__file__).parent
STATIC = HERE / "static"
STYLES = "dashboard.css"
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


@cache
def environment() -> Environment:
    """The templates. Their output is escaped; an unknown name is an error."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalized,
        auto_reload=False,  # else each page looks at the times of its files
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"cut": cut, "lines": lines, "lasting": duration, "number": "{:,}".format}
    made.globals |= {"KINDS": KINDS, "t": TEXTS} | {function.__name__: function for function in _FUNCTIONS}
    return made


@cache
def static_files() -> Mapping[str, tuple[bytes, str]]:
    """All static files by name: bytes and media type. No name of a request is ever a path of a file."""
    found = {
        path.name: (path.read_bytes(), TYPES[path.suffix]) for path in STATIC.iterdir() if path.suffix in TYPES
    }
    styles, kind = found[STYLES]
    return {**found, STYLES: (styles + mark_styles().encode(), kind)}


@cache
def version_of(name: str) -> str:
    """A short digest of a static file: a link with it may be kept for ever."""
    return hashlib.sha256(static_files()[name][0]).hexdigest()[:12]


def strip_label(records: Sequence[Mapping[str, Any]]) -> str:
    """The content of a strip in words."""
    counts = Counter(map(kind_of, records))
    words = ", ".join(f"{count} {TEXTS('decision.' + kind)}" for kind, count in counts.items())
    return TEXTS("schedules.strip_label", n=len(records), words=words)


def finalized(value: object) -> object:
    """A value on its way into HTML: control characters are shown as escapes; None is empty."""
    return value if isinstance(value, Markup) else printable(value)


def raw(value: object) -> Markup:
    """A text as the value of a form's field, sent back unchanged: control characters become references."""
    text = str(escape("" if value is None else str(value)))
    return Markup(UNPRINTABLE.sub(_reference, text))  # noqa: S704  # it is escaped


def _reference(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"&#{code};" if code and not 0xD800 <= code <= 0xDFFF else "\ufffd"


def cut(value: object, most: int = LONGEST_TEXT) -> str:
    """The start of a text, and the number of characters that are left out."""
    text = "" if value is None else str(value)
    return text if len(text) <= most else f"{text[:most]}… ({len(text) - most:,} more characters)"


def lines(value: object, most: int = LONGEST_BLOCK) -> Markup:
    """A text of several lines: their ends stay, all other control characters are shown as escapes."""
    return Markup("\n").join(printable(line.expandtabs()) for line in cut(value, most).splitlines())


def from_now(instant: datetime, now: datetime) -> str:
    """How far an instant is from now, to the minute: so a page that is read again soon has not changed.

    >>> from datetime import UTC, timedelta
    >>> now = datetime(2026, 3, 29, tzinfo=UTC)
    >>> [from_now(now + timedelta(seconds=seconds), now) for seconds in (5, -5, 3_700, -90_000)]
    ['in under 1 min', 'under 1 min ago', 'in 1 h 1 min', '1 d 1 h ago']
    """
    seconds = (instant - now).total_seconds()
    text = duration(abs(seconds) // 60 * 60) if abs(seconds) >= 60 else "under 1 min"
    return f"in {text}" if seconds > 0 else f"{text} ago"


def local(instant: datetime, zone: tzinfo, now: datetime, *, exact: bool = False) -> str:
    """An instant on the clock of a zone. The day is left out today, the year this year; `exact`: with seconds.

    >>> from datetime import UTC
    >>> now = datetime(2026, 3, 29, 12, tzinfo=UTC)
    >>> local(datetime(2026, 3, 29, 6, tzinfo=UTC), UTC, now), local(datetime(2027, 1, 1, tzinfo=UTC), UTC, now)
    ('06:00 UTC', 'Fri 1 Jan 2027, 00:00 UTC')
    """
    there, today = instant.astimezone(zone), now.astimezone(zone)
    time = f"{there:%H:%M:%S}" if exact or there.second else f"{there:%H:%M}"
    if there.date() == today.date():
        return f"{time} {there.tzname()}"
    year = f" {there.year}" if there.year != today.year else ""
    return f"{there:%a} {there.day} {there:%b}{year}, {time} {there.tzname()}"


def elsewhere(instant: datetime, zone: tzinfo, viewer: tzinfo) -> str:
    """An instant on the viewer's clock, with the weekday if it differs; empty if both clocks agree.

    >>> from datetime import UTC, timedelta, timezone
    >>> tokyo = timezone(timedelta(hours=9), "JST")
    >>> elsewhere(datetime(2026, 3, 29, 20, tzinfo=UTC), UTC, tokyo)
    'Mon 05:00 JST'
    """
    there, here = instant.astimezone(zone), instant.astimezone(viewer)
    if there.utcoffset() == here.utcoffset():
        return ""
    day = f"{here:%a} " if here.date() != there.date() else ""
    time = f"{here:%H:%M:%S}" if here.second else f"{here:%H:%M}"
    return f"{day}{time} {here.tzname()}"


#: The functions that templates call by their names.
_FUNCTIONS: Sequence[Callable[..., object]] = (
    *(big_strip, distribution, dots, forecast_chart, grid, hour_axis, lane_track, late_dots, lateness_chart),
    *(load_track, mark_icons, sparkline, strip, strip_label, throughput),
    *(elsewhere, from_now, local, raw, from_ms, instant_of, kind_of, version_of),
)
