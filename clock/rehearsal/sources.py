"""The starting points of a rehearsal: an application's clock file and YAML, a text, and production's ledger."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from pathlib import Path

from clock.config import Config, load_config
from clock.errors import ConfigurationError
from clock.job.registry import import_jobs, lookup
from clock.rehearsal.ledger import MemoryLedger
from clock.store import listing
from clock.store.ledger import pauses
from clock.store.ledger.held_pushes import dropping
from clock.store.server.connection import connect
from clock.timetable import Timetable, load


def load_application(
    clock_file: str | os.PathLike[str] = "lib/clock.py", *, config: str | os.PathLike[str] | None = None
) -> Timetable:
    """The timetable of the application in the current folder: events of the clock file and of YAML.

    `config` are the settings, by default those of `config/clock.yml`. If an event is declared in YAML, the modules
    of the jobs (`require`) are imported. Raises ConfigurationError, DeclarationError.
    """
    return timetable_of(load_config({"clock_file": clock_file}, file=None if config is None else Path(config)))


def timetable_of(settings: Config) -> Timetable:
    """The timetable of the clock file and of the YAML files, to look at. Raises DeclarationError.

    Drops the jobs that the file pushes while it is loaded. Only the start of a clock pushes them.
    """
    with dropping():
        return timetable_to_run(settings)


def timetable_to_run(settings: Config) -> Timetable:
    """The timetable of the clock file and of the YAML files, whose jobs are imported. Raises DeclarationError.

    Raises ConfigurationError if the clock file is missing, and the YAML files have no events for this environment.
    """
    if settings.schedule:
        import_jobs(*settings.require)
    elif settings.schedule_file is not None and not settings.clock_file.exists():
        raise ConfigurationError(
            f"{settings.schedule_file} has no events for this environment (CLOCK_ENV), "
            f"and the clock file {settings.clock_file} is missing"
        )
    return load(settings.clock_file, declared=settings.schedule, find_job=lookup)


def loads(text: str) -> Timetable:
    """The timetable of the text of a clock file in the current folder. Raises DeclarationError.

    >>> loads("from clock import every; every().day.at('06:00').do(print).named('daily')").event("daily").name
    'daily'
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clock.py"
        path.write_text(text, encoding="utf-8")
        return load(path, root=Path.cwd())


def read_ledger(url: str) -> MemoryLedger:
    """The ledger in the Redis at `url`, for `run(ledger=...)`. Raises ConfigurationError, StoreUnavailable."""
    with closing(connect(url)) as redis:
        found = MemoryLedger(listing.ledger(redis))
        for event, pause in pauses.read(redis).items():
            found.pause(event, pause)
    return found
