"""Pages as HTML: the Jinja environment and what its templates may call."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from clock.clocks import from_ms
from clock.printable import duration
from clock.web import formatting as shown
from clock.web.charts.bars import distribution, forecast_chart, grid, sparkline, throughput
from clock.web.charts.marks import KINDS, big_strip, kind_of, mark_icons, mark_styles, strip
from clock.web.charts.times import dots, late_dots, lateness_chart
from clock.web.charts.tracks import hour_axis, lane_track, load_track
from clock.web.job_lists import instant_of
from clock.web.texts import TEXTS

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
        finalize=shown.finalized,
        auto_reload=False,  # else each page looks at the times of its files
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"cut": shown.cut, "lines": shown.lines, "lasting": duration, "number": "{:,}".format}
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


#: The functions that templates call by their names.
_FUNCTIONS: Sequence[Callable[..., object]] = (
    *(big_strip, distribution, dots, forecast_chart, grid, hour_axis, lane_track, late_dots, lateness_chart),
    *(load_track, mark_icons, sparkline, strip, strip_label, throughput),
    *(shown.elsewhere, shown.from_now, shown.local, shown.raw, from_ms, instant_of, kind_of, version_of),
)
