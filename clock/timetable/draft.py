"""A clock file while it is being loaded: what it has declared so far."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from clock.errors import DeclarationError, DuplicateEvent
from clock.timetable.action import Action
from clock.timetable.event import CatchUp, Event, Overlap
from clock.timetable.timetable import Callbacks, Settings, SyncedEvents, Timetable
from clock.timetable.triggers import Trigger

_PACKAGE = str(Path(__file__).parent.parent)


@dataclass(slots=True)
class Draft:
    """Collects declarations. An event becomes whole when the file has been read: `configure` may come late."""

    path: Path
    now: datetime
    machine_zone: tzinfo
    settings: dict[str, Any] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    callbacks: dict[str, list[Callable[..., object]]] = field(default_factory=dict)
    error_handlers: list[Callable[[BaseException], object]] = field(default_factory=list)
    handler: Callable[[str, datetime], object] | None = None
    synced: list[SyncedEvents] = field(default_factory=list)

    def finish(self) -> Timetable:
        """The timetable of all that was declared. Raises DeclarationError."""
        settings = Settings(**{"tz": self.machine_zone, **self.settings})
        sources: dict[str, str] = {}
        events = []
        for entry in self.entries:
            event = entry.event(self, settings)
            if event.name in sources:
                if entry.name is not None:
                    raise DuplicateEvent(event.name, sources[event.name], event.source)
                event = replace(event, name=_numbered(event.name, sources))
            sources[event.name] = event.source
            events.append(event)
        callbacks = Callbacks(**{name: tuple(functions) for name, functions in self.callbacks.items()})
        return Timetable(
            self.path, tuple(events), settings, callbacks, tuple(self.error_handlers), tuple(self.synced)
        )


@dataclass(slots=True)
class Entry:
    """What one declaration has said of its event so far."""

    source: str
    name: str | None = None
    zone: tzinfo | None = None
    condition: Callable[[datetime], object] | None = None
    thread: bool | None = None
    catch_up: CatchUp | None = None
    catch_up_within: timedelta | None = None
    overlap: Overlap | None = None
    description: str | None = None
    tags: set[Hashable] = field(default_factory=set)
    until: datetime | None = None
    schedule: str = ""
    make_trigger: Callable[[tzinfo, str], Trigger] | None = None
    action: Callable[[Draft], Action] | None = None

    def event(self, draft: Draft, settings: Settings) -> Event:
        """The finished event. Raises DeclarationError where something is missing."""
        if self.action is None:
            raise DeclarationError(f"{self.source}: this event does nothing; end it with .do(...)")
        return self.event_of(self.action(draft), settings)

    def event_of(self, action: Action, settings: Settings) -> Event:
        """The event that has `action`."""
        if self.make_trigger is None:
            raise DeclarationError(f"{self.source}: this event does not say when")
        zone = self.zone or settings.tz
        name = self.name or f"{action} {self.schedule}"
        return Event(
            name=name,
            declaration=f"{self.schedule} in {zone}" + (f" until {self.until.isoformat()}" if self.until else ""),
            zone=zone,
            trigger=self.make_trigger(zone, name),
            action=action,
            source=self.source,
            condition=self.condition,
            thread=settings.thread if self.thread is None else self.thread,
            catch_up=self.catch_up or settings.catch_up,
            catch_up_within=settings.catch_up_within if self.catch_up_within is None else self.catch_up_within,
            overlap=self.overlap or "allow",
            description=self.description,
            tags=frozenset(self.tags),
        )


_current: ContextVar[Draft | None] = ContextVar("clock_draft", default=None)


@contextmanager
def drafting(draft: Draft) -> Iterator[Draft]:
    """Let declarations inside the block go into `draft`."""
    token = _current.set(draft)
    try:
        yield draft
    finally:
        _current.reset(token)


def current() -> Draft:
    """The clock file that is being loaded. Raises DeclarationError where none is."""
    draft = _current.get()
    if draft is None:
        raise DeclarationError(
            f"{where()}: events are declared in a clock file; run it with: python -m clock {_caller().co_filename}"
        )
    return draft


def where() -> str:
    """File and line of the declaration under way: the nearest caller outside this package."""
    frame = _caller_frame()
    return f"{_shown(frame.f_code.co_filename)}:{frame.f_lineno}"


def _caller() -> Any:
    return _caller_frame().f_code


def _caller_frame() -> Any:
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def _is_ours(filename: str) -> bool:
    return filename.startswith(_PACKAGE) or filename.endswith("schedule/__init__.py")


def _shown(filename: str) -> str:
    path = Path(filename)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else filename


def zone_named(name: object, at: str | None = None) -> tzinfo:
    """The zone of that name. Raises DeclarationError, with the near name; `at` begins its text."""
    if isinstance(name, tzinfo):
        return name
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = get_close_matches(str(name), _zone_names(), 1)
        hint = f"; did you mean {near[0]!r}?" if near else "; names are those of the tz database: 'Europe/Berlin'"
        raise DeclarationError(f"{at or f'{where()}: '}unknown time zone {name!r}{hint}") from None


def _zone_names() -> list[str]:
    return sorted(available_timezones())


def _numbered(name: str, taken: dict[str, str]) -> str:
    number = 2
    while f"{name} ({number})" in taken:
        number += 1
    return f"{name} ({number})"
