"""Events whose declarations are rows of a database: the clock file's part, and the meaning of a row.

Reading rows is a pure function here. The ticker fetches them at intervals.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast, runtime_checkable

import msgspec

from clock.errors import DeclarationError, SourceFailed
from clock.printable import brief
from clock.timetable.action import Action, Call, is_enqueueable
from clock.timetable.clock_file.rows.row_fields import FIELDS, enqueue, entry_of, errors_of
from clock.timetable.event import Event, wrong_rename
from clock.timetable.naming import name_of
from clock.timetable.timetable import Settings, SyncedEvents, Timetable

_FIELDS = ("id", "name", "enabled", "args", "frequency", "attributes", "ignored_attributes", *FIELDS)
_FLAGS = ("skip_first_run", "thread")  # SQLite, for example, stores 0 and 1 for them


@dataclass(frozen=True, slots=True)
class RowsRead:
    """The result of reading rows: events, and an error for each bad row."""

    events: tuple[Event, ...]
    errors: tuple[DeclarationError, ...]


def read_rows(
    synced: SyncedEvents, rows: Iterable[object], settings: Settings, taken: Collection[str] = ()
) -> RowsRead:
    """The events of the enabled rows, none with a `taken` name. A bad row is an error, and affects no other."""
    events: dict[str, Event] = {}
    errors: list[DeclarationError] = []
    for row in rows:
        try:
            event = _read_row(synced, row, settings)
            if event is not None and (event.name in taken or event.name in events):
                raise DeclarationError(f"{synced.source}: another event already has the name {event.name!r}")
        except DeclarationError as error:
            errors.append(error)
        except Exception as error:  # noqa: BLE001  # the row is the user's object: its attributes may raise anything
            errors.append(DeclarationError(f"{synced.source}: a {type(row).__name__} cannot be read: {error!r}"))
        else:
            if event is not None:
                events[event.name] = event
    for event in [event for event in events.values() if event.options.was]:
        problem = wrong_rename(event, {*taken, *events})
        if problem:
            errors.append(DeclarationError(f"{synced.source}: {event.name!r}: {problem}"))
            del events[event.name]
    return RowsRead(tuple(events.values()), tuple(errors))


@runtime_checkable
class Select(Protocol):
    """A select of SQLAlchemy's."""

    def with_only_columns(self, *entities: Any) -> Any:
        """Another one."""


def selected(source: Any, session: object, where: str) -> Callable[[], Iterable[object]]:
    """A function that loads the rows of a SQLAlchemy select: its entities, or mappings if it names columns."""
    if not callable(session):
        raise DeclarationError(f"{where}: sync_events: session is {session!r:.80}; it must be a sessionmaker")
    if not isinstance(source, Select):
        raise DeclarationError(f"{where}: sync_events got {source!r:.80}; session= works only with a select")

    def load() -> Iterable[object]:
        with session() as opened:
            found = opened.execute(source)
            rows: Iterable[object] = (found.scalars() if len(found.keys()) == 1 else found.mappings()).all()
            return rows

    return load


def _read_row(synced: SyncedEvents, row: object, settings: Settings) -> Event | None:
    if synced.check_row:
        synced.check_row(row)
    values = _values(row)
    enabled, identity, name = values.pop("enabled", True), values.pop("id", None), values.pop("name", None)
    if enabled not in (True, False):  # a text such as "false" would count as true
        shown = _shown(identity, name)
        raise DeclarationError(f"{synced.source}: {shown}: enabled is {brief(enabled)}; it must be True or False")
    if not enabled:
        return None
    if name is None and identity is None:
        given = ", ".join(values) or "fields that clock does not read"
        raise DeclarationError(f"{synced.source}: a row needs a name or an id; it has only {given}")
    args = values.pop("args", None)
    if name is None:
        name = f"{name_of(synced.do)} {identity}"
    if (frequency := values.pop("frequency", None)) is not None:
        values.setdefault("every", frequency)
    counting = _counting(values, f"{synced.source}: {name!r}: ")
    entry = entry_of(str(name), values, synced.source)
    if args is None:
        args = [name if identity is None else identity]
    action = _action(synced, row, args, f"{synced.source}: {name!r}: ")
    event = entry.event(str(name), action, settings)
    if counting:
        event = replace(event, declaration=f"{event.declaration} with attributes {counting}")
    return synced.adjust_event(event) if synced.adjust_event else event


def _shown(identity: object, name: object) -> str:
    """The row in an error: its other fields may hold secrets."""
    if name is not None:
        return brief(name)
    return "a row without name and id" if identity is None else f"the row with id {brief(identity)}"


def _counting(values: dict[str, Any], where: str) -> str:
    """A digest of the attributes whose change starts the event again; they are removed from `values`. Empty: none.

    As in Clockwork, they are the `attributes` that are not named in `ignored_attributes`.
    """
    attributes, ignored = values.pop("attributes", None), values.pop("ignored_attributes", ())
    if isinstance(ignored, str) or not isinstance(ignored, Collection):
        raise DeclarationError(f"{where}ignored_attributes is {ignored!r:.80}; it must be a list of names")
    if attributes is None:
        return ""
    if not isinstance(attributes, Mapping):
        raise DeclarationError(f"{where}attributes is {attributes!r:.80}; it must be a mapping of names to values")
    kept = {name: value for name, value in attributes.items() if name not in ignored}
    try:
        text = msgspec.json.encode(kept, order="deterministic")
    except (TypeError, ValueError, RecursionError) as error:
        raise DeclarationError(
            f"{where}attributes cannot be compared: {error}; ignore them, or use strings"
        ) from None
    return hashlib.blake2b(text, digest_size=8).hexdigest()


def _action(synced: SyncedEvents, row: object, args: object, where: str) -> Action:
    with errors_of(where):
        job = synced.job_of(row) if synced.job_of else synced.do
    if is_enqueueable(job):
        return enqueue(job, args, where)
    return Call(cast("Callable[..., object]", synced.do), (row,))


def _values(row: object) -> dict[str, Any]:
    """The fields of the row that are neither None nor empty."""
    given = {}
    for name in _FIELDS:
        value = row.get(name) if isinstance(row, Mapping) else getattr(row, name, None)
        if callable(value) and name != "if_":
            value = value()
        if value is not None and value != "":
            given[name] = bool(value) if name in _FLAGS and value in (0, 1) else value
    return given


def find_event(timetable: Timetable, name: str) -> Event:
    """The event of the file or else of a database row with this name. Raises UnknownEvent, SourceFailed."""
    if name in timetable.by_name or not timetable.synced:
        return timetable.event(name)
    return with_rows(timetable).event(name)


def with_rows(timetable: Timetable) -> Timetable:
    """The timetable with the events of its databases' rows, which are read now. Raises SourceFailed."""
    found: dict[str, Event] = {}
    for synced in timetable.synced:
        try:
            rows = list(synced.load())
        except Exception as error:
            raise SourceFailed(synced.source, error) from error
        events = read_rows(synced, rows, timetable.settings, timetable.by_name).events
        found |= {event.name: event for event in events}
    return replace(timetable, events=[*timetable.events, *found.values()]) if found else timetable
