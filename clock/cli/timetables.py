"""The timetable that a command reads or runs."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

from clock.cli.opening import patiently
from clock.config import Config
from clock.errors import NoEvents
from clock.import_path import add_application
from clock.inspection.events.schedules import with_schedules
from clock.rehearsal import sources
from clock.store import Redis
from clock.store.ledger import schedules
from clock.store.server.opening import connected
from clock.timetable import Timetable
from clock.timetable.clock_file.loading.loader import make_importable


def load_timetable(config: Config) -> Timetable:
    """The timetable of the clock file and YAML. Actions can still import modules. Raises DeclarationError."""
    add_application(config.clock_file)
    return sources.timetable_of(config)


def all_events(config: Config, redis: Redis) -> Timetable:
    """The timetable with the schedules in Redis as one more source. Raises DeclarationError."""
    return with_schedules(load_timetable(config), redis, config.require)


def in_its_folder(timetable: Timetable) -> Timetable:
    """The timetable, in the folder that its file sets. Connect first: the embedded Valkey belongs to a folder."""
    found = replace(timetable, path=timetable.path.absolute())
    os.chdir(timetable.folder)
    return found


def timetable_to_run(config: Config) -> Timetable:
    """The timetable of a starting clock; prepares the process for its functions.

    Raises DeclarationError; NoEvents if neither the file nor Redis has events; StoreError if Redis is asked.
    """
    add_application(config.clock_file)
    timetable = sources.timetable_to_run(config)
    if timetable.is_empty and not patiently(lambda: _has_schedules(config)):
        raise NoEvents(timetable.path)
    make_importable(timetable)
    sys.argv = [str(config.clock_file)]  # for its functions, as for `python FILE`
    return timetable


def _has_schedules(config: Config) -> bool:
    """Whether schedules were made at run time. Raises StoreUnavailable."""
    with connected(config) as redis:
        return bool(schedules.read(redis))


def timetable_if_any(config: Config, *, is_named: bool) -> Timetable | None:
    """The timetable; None: nothing is declared, and no file was given. Raises DeclarationError."""
    return load_timetable(config) if is_named or config.clock_file.exists() or config.schedule else None
