"""Pages as HTML: the Jinja environment and what its templates may call."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from clock.clocks import from_ms
from clock.timetable.explanation import explain
from clock.web import formatting as shown
from clock.web.charts.bars import distribution, grid, sparkline, throughput
from clock.web.charts.charts import dots
from clock.web.charts.strips import KINDS, big_strip, kind_of, strip
from clock.web.charts.tracks import hour_axis, lane_track, load_track
from clock.web.job_rows import instant_of
from clock.web.texts import Texts

TEXTS = Texts()
HERE = Path(__file__).parent
STATIC = HERE / "static"
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


@cache
def environment() -> Environment:
    """The templates. Their output is escaped; an unknown name is an error."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown.finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"cut": shown.cut, "lines": shown.lines, "lasting": shown.length}
    made.globals |= {
        "KINDS": KINDS,
        "distribution": distribution,
        "grid": grid,
        "sparkline": sparkline,
        "throughput": throughput,
        "big_strip": big_strip,
        "dots": dots,
        "elsewhere": shown.elsewhere,
        "explain": explain,
        "from_ms": from_ms,
        "from_now": shown.from_now,
        "hour_axis": hour_axis,
        "instant_of": instant_of,
        "kind_of": kind_of,
        "lane_track": lane_track,
        "load_track": load_track,
        "local": shown.local,
        "raw": shown.raw,
        "strip": strip,
        "strip_label": strip_label,
        "t": TEXTS,
        "version_of": version_of,
    }
    return made


@cache
def static_file(name: str) -> tuple[bytes, str] | None:
    """The bytes and the media type of a static file; None: not found."""
    path = STATIC / name
    if path.parent != STATIC or not path.is_file():
        return None
    return path.read_bytes(), TYPES.get(path.suffix, "application/octet-stream")


@cache
def version_of(name: str) -> str:
    """A short digest of a static file: a link with it may be kept for ever."""
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def strip_label(records: Sequence[Mapping[str, Any]]) -> str:
    """The content of a strip in words."""
    counts = Counter(map(kind_of, records))
    words = ", ".join(f"{count} {TEXTS('decision.' + kind)}" for kind, count in counts.items())
    return TEXTS("schedules.strip_label", n=len(records), words=words)
