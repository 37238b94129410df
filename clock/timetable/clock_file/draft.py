"""A clock file that is being loaded, with its declarations so far."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import Any

import schedule

from clock.errors import DeclarationError, DuplicateEvent
from clock.timetable.action import Action, Enqueue, Handle, monitored
from clock.timetable.clock_file import at_run_time
from clock.timetable.clock_file.loading.ending import Ending
from clock.timetable.clock_file.machine_zone import MachineZone
from clock.timetable.clock_file.zone_names import find_zone, hint_of_zone, zone_name
from clock.timetable.event import CatchUp, Event, EventOptions, Overlap, wrong_rename
from clock.timetable.monitor import Monitor, monitor_of
from clock.timetable.naming import name_of, numbered, shortened
from clock.timetable.timetable import Callbacks, Settings, SyncedEvents, Timetable
from clock.timetable.triggers.adjustments import NONE, Adjustments
from clock.timetable.triggers.intervals import MakeTrigger, Union

_NO_TAGS: frozenset[Hashable] = frozenset()  # each empty set takes 200 bytes
_PACKAGE = str(Path(__file__).parents[2]) + os.sep


@dataclass(slots=True)
class Draft:
    """Collects declarations. Events are built after the file has been read, as `configure` may come last."""

    path: Path
    machine_zone: Callable[[], MachineZone]  # asked if the file names no zone
    scheduler: schedule.Scheduler
    ending: Ending
    settings: dict[str, Any] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    callbacks: dict[str, list[Callable[..., object]]] = field(default_factory=dict)
    error_handlers: list[Callable[[BaseException], object]] = field(default_factory=list)
    handler: Callable[[str, datetime], object] | None = None
    synced: list[SyncedEvents] = field(default_factory=list)
    modules: set[str] = field(default_factory=set)  # those that declared something

    def finish(self) -> Timetable:
        """The timetable of all declarations. Raises DeclarationError."""
        source = "from configure"
        if "tz" not in self.settings:
            machine = self.machine_zone()
            self.settings["tz"], source = machine.zone, machine.source
        settings = Settings(**self.settings)
        events = tuple(self._events(settings))
        _check_renames(events)
        callbacks = Callbacks(**{name: tuple(functions) for name, functions in self.callbacks.items()})
        handlers, synced = tuple(self.error_handlers), tuple(self.synced)
        return Timetable(
            self.path, events, settings, callbacks, handlers, synced, zone_source=source, scheduler=self.scheduler
        )

    def _events(self, settings: Settings) -> Iterator[Event]:
        """The events. Their entries, and declarations that nothing can ask for, are dropped one by one."""
        entries = self._standing()
        sources: dict[str, str] = {}
        for entry in entries:
            if entry.name is not None:
                if entry.name in sources:
                    raise DuplicateEvent(entry.name, sources[entry.name], entry.source)
                sources[entry.name] = entry.source
        actions = [entry.action_in(self) for entry in entries]
        names = _names(entries, actions, settings, sources)
        if not self.synced and all(isinstance(action, Enqueue) and action.is_prepared for action in actions):
            self.scheduler.jobs.clear()  # no code of the file runs in the clock, which could ask for them
        self.entries.clear()
        entries.reverse()
        shared: dict[object, EventOptions] = {}
        for action, name in zip(actions, names, strict=True):
            entry = entries.pop()
            entry.event_name, entry.job = name, None  # no cycle: both go without a garbage collection
            yield entry.event(name, action, settings, shared)

    def _standing(self) -> list[Entry]:
        """The entries that `cancel_job` and `clear` have not removed."""
        done = [entry.job for entry in self.entries if entry.job and entry.action]
        schedulers = {id(job.scheduler): job.scheduler for job in done if job.scheduler}
        kept = {id(job) for scheduler in schedulers.values() for job in scheduler.jobs}
        cancelled = {id(job) for job in done} - kept
        return [entry for entry in self.entries if id(entry.job) not in cancelled]


@dataclass(slots=True)
class Entry:
    """One declaration of an event, so far."""

    source: str
    job: schedule.Job | None = None  # of the fluent form: the entry is valid while its scheduler has this job
    name: str | None = None
    was: tuple[str, ...] = ()
    zone: tzinfo | None = None
    if_: Callable[[datetime], object] | None = None
    thread: bool | None = None
    catch_up: CatchUp | None = None
    catch_up_within: timedelta | None = None
    overlap: Overlap | None = None
    description: str | None = None
    tags: Collection[Hashable] = ()
    adjustments: Adjustments = NONE
    monitor: object = None  # as it was given
    is_clockworks: bool = False
    schedule: str = ""
    make_trigger: MakeTrigger = lambda zone, name, dst: Union(())
    action: Action | None = None
    event_name: str = ""  # the event's, once the file has been read

    def action_in(self, draft: Draft) -> Action:
        """The action; the default is the file's handler. Raises DeclarationError if it is missing."""
        if self.action is not None:
            return self.action
        if not self.is_clockworks:
            raise DeclarationError(f"{self.source}: this event has no action; end it with .do(...)")
        if draft.handler is None:
            raise DeclarationError(
                f"{self.source}: {self.name!r} has no action; use it to decorate a function (name, due), "
                "or declare a general action with @handler"
            )
        return Handle(draft.handler, str(self.name))

    def declaration(self, zone: tzinfo) -> str:
        """All that the due instants depend on, in words."""
        return _shared(f"{self.schedule} in {zone_name(zone)}{self.adjustments.words()}")

    def event(
        self, name: str, action: Action, settings: Settings, shared: dict[object, EventOptions] | None = None
    ) -> Event:
        """The finished event; `shared` are the options of earlier ones. Raises DeclarationError."""
        zone = self.zone or settings.tz
        drawn_from = next(iter(self.was), name)  # so a rename does not move its spread, jitter or random gap
        try:
            plain = self.make_trigger(zone, drawn_from, self.adjustments.dst)
            trigger = self.adjustments.around(plain, zone, name, drawn_from)
        except ValueError as error:
            raise DeclarationError(f"{self.source}: {error}") from None
        try:
            monitor = monitor_of(self.monitor, name)
        except ValueError as error:
            raise DeclarationError(f"{self.source}: {name!r}: {error}") from None
        return Event(
            name=name,
            schedule=self.schedule,
            declaration=self.declaration(zone),
            zone=zone,
            trigger=trigger,
            action=monitored(action, monitor.slug) if monitor else action,
            source=self.source,
            options=self._options(settings, monitor, {} if shared is None else shared),
        )

    def _options(
        self, settings: Settings, monitor: Monitor | None, shared: dict[object, EventOptions]
    ) -> EventOptions:
        given = (
            self.if_,
            settings.thread if self.thread is None else self.thread,
            self.catch_up or settings.catch_up,
            settings.catch_up_within if self.catch_up_within is None else self.catch_up_within,
            self.overlap or "allow",
            self.description,
            frozenset(self.tags) if self.tags else _NO_TAGS,
            self.adjustments,
            self.is_clockworks and self.if_ is not None,
            self.was,
            monitor,
        )
        key = (given, repr(self.adjustments.until), frozenset((tag, type(tag)) for tag in self.tags))
        try:
            return shared.get(key) or shared.setdefault(key, EventOptions(*given))
        except TypeError:  # an option has no hash
            return EventOptions(*given)


def _check_renames(events: Sequence[Event]) -> None:
    """Check that no event has a name that another event had before. Raises DeclarationError."""
    renamed = {old: event for event in reversed(events) for old in event.options.was}
    for event in filter(lambda event: event.options.was, events):
        names = {other.name for other in events} | {old for old, first in renamed.items() if first is not event}
        problem = wrong_rename(event, names)
        if problem:
            raise DeclarationError(f"{event.source}: {event.name!r}: {problem}")


def _names(
    entries: Sequence[Entry], actions: Sequence[Action], settings: Settings, taken: Mapping[str, object]
) -> list[str]:
    """The events' names. Equal names get numbers, in an order that does not depend on the file's.

    Otherwise two events that swap places in the file would swap their anchors and histories.
    """
    names = [entry.name or "" for entry in entries]
    known = dict(taken)

    def distinct(place: int) -> tuple[str, ...]:
        entry = entries[place]
        others = (entry.if_ and name_of(entry.if_), entry.catch_up, entry.overlap, entry.description)
        return (entry.declaration(settings.tz), *(str(other or "") for other in others))

    for place in sorted((place for place, name in enumerate(names) if not name), key=distinct):
        entry = entries[place]
        zone = "" if entry.zone is None else f" in {entry.zone}"
        names[place] = numbered(shortened(f"{actions[place]} {entry.schedule}{zone}"), known)
        known[names[place]] = None
    return names


_current: ContextVar[Draft | None] = ContextVar("clock_draft", default=None)
_loading: list[Draft] = []  # for threads that the file starts; one load at a time


@contextmanager
def drafting(draft: Draft) -> Iterator[Draft]:
    """Add the declarations inside the block to `draft`."""
    token = _current.set(draft)
    _loading.append(draft)
    try:
        yield draft
    finally:
        _loading.remove(draft)
        _current.reset(token)


def being_loaded() -> Draft | None:
    """The clock file that the caller's thread, or the thread that started it, is loading."""
    return _current.get() or next((draft for draft in _loading if draft.ending.is_thread_of_file()), None)


def current() -> Draft:
    """The clock file that is being loaded. Without one, raises SystemExit in a script, else DeclarationError."""
    draft = being_loaded()
    if draft is None:
        raise not_loading()
    draft.modules.add(str(_caller().f_globals.get("__name__")))
    return draft


def not_loading() -> SystemExit | DeclarationError:
    """The error of a call that needs a clock file that is being loaded."""
    if at_run_time.current():
        return DeclarationError(
            f"{where()}: events cannot be declared while the clock runs: a restart would lose them. "
            "Declare this one in the clock file, with .if_(...) for its condition, or as a row of sync_events"
        )
    frame = _caller()
    file = frame.f_code.co_filename
    program = "clockd" if Path("clock.py").exists() else "clock"  # `python -m clock` would run that file
    advice = f"{where()}: events work only in a clock file; run it with: python -m {program} {shown(file)}"
    if frame.f_globals.get("__name__") == "__main__" and Path(file).is_file():
        return SystemExit(f"clock: {advice}")
    return DeclarationError(advice)


def is_caller_the_file() -> bool:
    """Whether the nearest caller outside this package is the clock file that is being loaded."""
    draft = being_loaded()
    return draft is not None and _caller().f_code.co_filename == draft.ending.source.file


def where() -> str:
    """File and line of the present declaration: the nearest caller outside this package."""
    frame = _caller()
    return _shared(f"{shown(frame.f_code.co_filename)}:{frame.f_lineno}")


_shared = lru_cache(maxsize=4096)(str)  # one string for all events: thousands may be declared in one line


def _caller() -> FrameType:
    frame = sys._getframe()
    while frame.f_back is not None and _is_ours(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


@lru_cache(maxsize=1024)  # each declaration looks at a dozen frames
def _is_ours(filename: str) -> bool:
    return filename.startswith(_PACKAGE) or filename == schedule.__file__


def shown(filename: str) -> str:
    """The path of a file, relative to the current folder if it is under it."""
    return filename.removeprefix(os.getcwd().rstrip(os.sep) + os.sep)  # noqa: PTH109  # this runs for each declaration


def zone_named(name: object, at: str | None = None) -> tzinfo:
    """The zone with this name. Raises DeclarationError with the closest name; `at` starts its text."""
    if isinstance(name, tzinfo):
        pytz_name = getattr(name, "zone", None)  # its objects do not work as others do
        if not isinstance(pytz_name, str):
            return name
        name = pytz_name
    zone = find_zone(str(name))
    if zone is None:
        raise DeclarationError(f"{at or f'{where()}: '}unknown time zone {name!r:.100}{hint_of_zone(str(name))}")
    return zone
