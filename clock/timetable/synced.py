"""Events whose declarations are rows of a database: what a clock file says of them, and what a row means.

Reading rows is a pure function here; asking for them every so often is the ticker's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clock.errors import DeclarationError
from clock.timetable.action import Action, Call, Enqueueable
from clock.timetable.event import Event
from clock.timetable.naming import name_of
from clock.timetable.rows import FIELDS, enqueue, entry_of
from clock.timetable.timetable import Settings, SyncedEvents

_FIELDS = ("id", "name", "enabled", "args", "frequency", *FIELDS)
_FLAGS = ("skip_first_run", "thread")  # SQLite, for one, has 0 and 1 for them


@dataclass(frozen=True, slots=True)
class RowsRead:
    """What rows have become: events, and an error for each row that could not be one."""

    events: tuple[Event, ...]
    errors: tuple[DeclarationError, ...]


def read_rows(
    synced: SyncedEvents, rows: Iterable[object], settings: Settings, taken: Collection[str] = ()
) -> RowsRead:
    """The events of `rows`. A row that is not enabled has none; a bad one becomes an error and blocks no other.

    `taken` holds the names of all other events: no row may have one of them.
    """
    events: dict[str, Event] = {}
    errors: list[DeclarationError] = []
    for row in rows:
        try:
            event = _read_row(synced, row, settings)
            if event is not None and (event.name in taken or event.name in events):
                raise DeclarationError(f"{synced.source}: another event is named {event.name!r} already")
        except DeclarationError as error:
            errors.append(error)
        except Exception as error:  # noqa: BLE001  # the row is the user's object: its attributes may raise anything
            errors.append(DeclarationError(f"{synced.source}: a {type(row).__name__} cannot be read: {error!r}"))
        else:
            if event is not None:
                events[event.name] = event
    return RowsRead(tuple(events.values()), tuple(errors))


def _read_row(synced: SyncedEvents, row: object, settings: Settings) -> Event | None:
    values = _values(row)
    if not values.pop("enabled", True):
        return None
    identity, name, args = values.pop("id", None), values.pop("name", None), values.pop("args", None)
    if name is None:
        if identity is None:
            raise DeclarationError(f"{synced.source}: a row has neither name nor id: {row!r:.80}")
        name = f"{name_of(synced.do)} {identity}"
    if "frequency" in values:
        values.setdefault("every", values["frequency"])
        del values["frequency"]
    entry = entry_of(str(name), values, synced.source)
    if args is None:
        args = [name if identity is None else identity]
    action = _action(synced, row, args, f"{synced.source}: {name!r}: ")
    return entry.event(str(name), action, settings)


def _action(synced: SyncedEvents, row: object, args: object, where: str) -> Action:
    if isinstance(synced.do, Enqueueable):
        return enqueue(synced.do, args, where)
    return Call(synced.do, (row,))


def _values(row: object) -> dict[str, Any]:
    """What the row says: its fields that are there, and neither None nor empty."""
    found = ((name, _field(row, name)) for name in _FIELDS)
    said = {name: value for name, value in found if value is not None and value != ""}
    return said | {name: bool(said[name]) for name in _FLAGS if said.get(name) in (0, 1)}


def _field(row: object, name: str) -> Any:
    value = row.get(name) if isinstance(row, Mapping) else getattr(row, name, None)
    return value() if callable(value) and name != "if_" else value
