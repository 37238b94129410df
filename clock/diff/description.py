"""The firings of a clock file in a span, as data that can be compared.

A clock file of another revision, `REV:lib/clock.py`, is read through git. The whole revision is unpacked into a
separate folder, and another process describes its clock file. So its jobs, its YAML files and its imports are from
that revision too, not from the modules of this process.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from itertools import islice
from pathlib import Path

import msgspec

from clock.errors import ConfigurationError
from clock.lint.dst_hazards import hazards_of
from clock.rehearsal.rehearsal import run
from clock.timetable import Timetable

MOST_RUNS = 1_000_000  # of a file in the period: some seconds of work, and 0.3 GB

logger = logging.getLogger("clock.cli")

_PROGRAM = """
import sys
from datetime import datetime
from pathlib import Path
import msgspec
from clock.errors import ClockError
from clock.import_path import add_application
from clock.diff.description import describe
from clock.rehearsal.sources import load_application
add_application(Path(sys.argv[1]))  # conditions may import modules, too
try:
    start, end = map(datetime.fromisoformat, sys.argv[2:])
    described = describe(load_application(sys.argv[1]), start, end)
    sys.stdout.buffer.write(b"\\0" + msgspec.json.encode(described))
except ClockError as error:
    sys.exit(str(error))
"""


@dataclass(frozen=True, slots=True)
class EventFacts:
    """An event: schedule and action in words, when it fires (seconds since 1970), what zone changes do to it.

    `was` are the names that it had before.
    """

    name: str
    schedule: str
    action: str
    fires: tuple[int, ...]
    hazards: tuple[str, ...] = ()
    was: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Described:
    """A clock file's events and firings from `start` to before `end`; `zone` is the name of its zone."""

    start: datetime
    end: datetime
    zone: str
    events: Mapping[str, EventFacts]


def describe(timetable: Timetable, start: datetime, end: datetime) -> Described:
    """Rehearse the clock file between two aware datetimes. Raises ConfigurationError for more than `MOST_RUNS`."""
    if any(islice(timetable.due_between(start, end), MOST_RUNS, None)):
        raise ConfigurationError(
            f"{timetable.path} has more than {MOST_RUNS:,} runs until {end:%Y-%m-%d}; use an earlier --to"
        )
    history = run(timetable, start_time=start, end_time=end)
    events = {
        event.name: EventFacts(
            event.name,
            event.declaration,
            str(event.action),
            tuple(int(at.timestamp()) for at in history.fires(event.name)),
            tuple(hazard.text for hazard in hazards_of(event, history.start, history.end)),
            event.options.was,
        )
        for event in timetable.events
    }
    return Described(history.start, history.end, str(timetable.settings.tz), events)


def is_revision(name: str) -> bool:
    """Whether `name` is REV:PATH, and no file of that name is there."""
    return ":" in name and not Path(name).exists()


def describe_revision(name: str, start: datetime, end: datetime) -> Described:
    """The clock file `REV:PATH` described; PATH is from the current folder.

    The output of that process, about a failed condition for example, is logged. Raises ConfigurationError with
    git's message or with the clock file's error.
    """
    revision, _, path = name.partition(":")
    if not path or Path(path).is_absolute():
        raise ConfigurationError(f"{name!r}: it must be a revision and a path from this folder: main:lib/clock.py")
    with tempfile.TemporaryDirectory() as folder:
        top, here = _git(name, "rev-parse", "--show-toplevel", "--show-prefix").decode().split("\n")[:2]
        archive = _git(name, "-C", top, "archive", "--format=tar", "--end-of-options", revision or "HEAD")
        with tarfile.open(fileobj=BytesIO(archive)) as tar:
            tar.extraction_filter = getattr(tarfile, "data_filter", None)  # older 3.11 has none
            tar.extractall(folder)  # noqa: S202  # it is the user's own repository
        if not (Path(folder) / here).is_dir():
            raise ConfigurationError(f"{name}: that revision has no folder {here}")
        if not (Path(folder) / here / path).resolve().is_relative_to(Path(folder).resolve()):
            raise ConfigurationError(f"{name}: {path} is outside of the repository")
        command = [sys.executable, "-P", "-c", _PROGRAM, path, start.isoformat(), end.isoformat()]
        done = subprocess.run(command, cwd=Path(folder) / here, capture_output=True, check=False)  # noqa: S603  # our own program
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        if done.returncode:
            raise ConfigurationError(f"{name}: {lines[-1] if lines else 'it exited without output'}")
        for line in lines:
            logger.warning("%s: %s", name, line)
        return msgspec.json.decode(done.stdout.rpartition(b"\0")[2], type=Described)


def _git(name: str, *words: str) -> bytes:
    """The output of a git command. Raises ConfigurationError."""
    try:
        done = subprocess.run(["git", *words], capture_output=True, check=False)  # noqa: S603, S607  # no shell
    except OSError as error:
        raise ConfigurationError(f"{name}: git cannot be run: {error.strerror}") from error
    if done.returncode:
        raise ConfigurationError(f"{name}: {done.stderr.decode(errors='replace').strip().splitlines()[-1]}")
    return done.stdout
