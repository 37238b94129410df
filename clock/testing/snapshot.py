"""A clock file's timeline in a file next to the tests, so a review shows the effect of a change.

The snapshot's first line names the file, the start and the end. It is compared as text, and written by
`pytest --clock-update`.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
from contextlib import suppress
from datetime import datetime, time, timedelta
from pathlib import Path

from clock.clocks import SystemClock
from clock.errors import ConfigurationError
from clock.rehearsal.rehearsal import run
from clock.timetable import Timetable, load

_HEAD = re.compile(r"# What fires from (\S+ \S+) to (\S+ \S+) \((.+)\)\.")
_FORMAT = "%Y-%m-%d %H:%M"


def assert_timeline(
    snapshot: str | os.PathLike[str],
    file: str | os.PathLike[str] | Timetable = "lib/clock.py",
    *,
    start_time: datetime | None = None,
    end_time: datetime | None = None,
) -> None:
    """Assert that the clock file fires as in the snapshot; the error shows the changes.

    Without `start_time` and `end_time` (naive: in the clock file's zone) they are the snapshot's own; a new one is
    of the next whole month. With `pytest --clock-update` the snapshot is written. Raises ConfigurationError if the
    file is not a snapshot.
    """
    path = Path(snapshot)
    timetable = file if isinstance(file, Timetable) else load(file)
    known = path.read_text(encoding="utf-8") if path.exists() else None
    start, end = _span(path, known, timetable)
    start, end = start_time or start, end_time or end
    timeline = run(timetable, start_time=start, end_time=end).timeline
    head = f"# What fires from {timeline.start:{_FORMAT}} to {timeline.end:{_FORMAT}} ({timeline.zone})."
    found = f"{head}\n\n{timeline.listing()}"
    if getattr(sys.modules.get("_clock_pytest"), "is_updating", False):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(found, encoding="utf-8")
    elif known is None:
        raise AssertionError(f"no snapshot {path} yet; write it with: pytest --clock-update")
    elif found != known:
        changes = difflib.unified_diff(known.splitlines(), found.splitlines(), str(path), "now", lineterm="")
        raise AssertionError(
            "The schedule changed. If intended, run pytest --clock-update.\n" + "\n".join(changes)
        )


def _span(path: Path, known: str | None, timetable: Timetable) -> tuple[datetime, datetime]:
    if known is None:
        today = SystemClock().now().astimezone(timetable.settings.tz).date()
        first = datetime.combine(today.replace(day=1) + timedelta(days=32), time()).replace(day=1)
        return first, (first + timedelta(days=32)).replace(day=1)
    head = _HEAD.match(known)
    with suppress(ValueError):
        if head is not None:
            return datetime.strptime(head[1], _FORMAT), datetime.strptime(head[2], _FORMAT)  # in the file's zone
    raise ConfigurationError(f"{path}:1: not a snapshot of assert_timeline; remove it, or use another path")
