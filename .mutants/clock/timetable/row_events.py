"""The events of a timetable, together with the present rows of its databases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from clock.errors import SourceFailed
from clock.timetable.clock_file.rows.database_rows import read_rows
from clock.timetable.event import Event
from clock.timetable.timetable import SyncedEvents, Timetable


def find_event(timetable: Timetable, name: str) -> Event:
    """The event with this name: of the clock file, or else of a database row.

    Raises UnknownEvent, SourceFailed.
    """
    if name in timetable.by_name or not timetable.synced:
        return timetable.event(name)
    return with_rows(timetable).event(name)


def with_rows(timetable: Timetable) -> Timetable:
    """The timetable with the events of its databases' rows, which are read now. Raises SourceFailed."""
    found = {event.name: event for synced in timetable.synced for event in _rows(synced, timetable)}
    return replace(timetable, events=[*timetable.events, *found.values()]) if found else timetable


def _rows(synced: SyncedEvents, timetable: Timetable) -> Sequence[Event]:
    try:
        rows = list(synced.load())
    except Exception as error:
        raise SourceFailed(synced.source, error) from error
    return read_rows(synced, rows, timetable.settings, timetable.by_name).events
