"""The timetable: all declarations of a clock file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from schedule import Scheduler

from clock.errors import UnknownEvent
from clock.timetable.action import Enqueueable
from clock.timetable.event import CatchUp, Event
from clock.timetable.triggers.zone_offsets import DAY, to_seconds

_WINDOW = 32 * DAY  # due instants are sorted in windows of this many seconds, which limits the memory


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of `configure`: the zone of events without their own, and how the clock runs."""

    tz: tzinfo
    sleep_timeout: float = 1.0
    max_threads: int = 10
    thread: bool = False
    catch_up: CatchUp = "latest"
    catch_up_within: timedelta = timedelta(hours=1)
    logger: logging.Logger | None = None


@dataclass(frozen=True, slots=True)
class Callbacks:
    """The callbacks that `on` has registered."""

    before_tick: Sequence[Callable[..., object]] = ()
    after_tick: Sequence[Callable[..., object]] = ()
    before_run: Sequence[Callable[..., object]] = ()
    after_run: Sequence[Callable[..., object]] = ()


@dataclass(frozen=True, slots=True)
class SyncedEvents:
    """Events that live in a database."""

    load: Callable[[], Iterable[object]]  # returns their rows
    every: timedelta  # how often it is called again
    do: Callable[..., object] | Enqueueable  # their action: a job class, or a function of the row
    source: str  # file and line of the declaration
    job_of: Callable[[Any], Enqueueable] | None = None  # the job class of a row; may raise ClockError
    is_optional: bool = False  # the log does not mention that it has no rows
    version: Callable[[], object] | None = None  # the rows are read again only if its result has changed
    adjust_event: Callable[[Event], Event] | None = None  # changes the event of a row before the clock uses it
    check_row: Callable[[Any], object] | None = None  # raises DeclarationError for a row that is refused


@dataclass(frozen=True, slots=True)
class Timetable:
    """The events of the clock file at `path`, in its order, and the settings of the file."""

    path: Path
    events: Sequence[Event]
    settings: Settings
    callbacks: Callbacks = field(default_factory=Callbacks)
    error_handlers: Sequence[Callable[[BaseException], object]] = ()
    synced: Sequence[SyncedEvents] = ()
    zone_source: str = ""  # in words: the source of the zone in `settings`
    names: Mapping[str, object] = field(default_factory=dict, repr=False, compare=False)  # that the file defines
    folder: Path = field(default=Path(), repr=False, compare=False)  # the current folder that the file has set
    scheduler: Scheduler | None = field(default=None, repr=False, compare=False)  # holds the fluent declarations
    by_name: Mapping[str, Event] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {event.name: event for event in self.events})

    @property
    def is_empty(self) -> bool:
        """Whether a clock would have nothing to do: no events, no database events, no tick callbacks."""
        return not (self.events or self.synced or self.callbacks.before_tick or self.callbacks.after_tick)

    def event(self, name: str) -> Event:
        """The event with this name. Raises UnknownEvent with the closest names, or all names if they are few."""
        try:
            return self.by_name[name]
        except KeyError:
            now = next((event.name for event in self.events if name in event.options.was), None)
            raise UnknownEvent(name, list(self.by_name), now=now) from None

    def due_between(
        self, start: datetime, end: datetime, *, anchors: Mapping[str, datetime] | None = None
    ) -> Iterator[tuple[int, Event]]:
        """The due instants in (start, end]: (seconds since 1970 in UTC, event), in file order at one instant.

        `anchors` are by the events' names; an event without one is anchored at `start`.
        """
        anchors = {} if anchors is None else anchors
        anchored = [(event.trigger, to_seconds(anchors.get(event.name, start))) for event in self.events]
        previous: list[int | None] = [None] * len(anchored)
        low, last = to_seconds(start), to_seconds(end)
        while low < last:
            high = min(low + _WINDOW, last)
            found: list[int] = []
            for place, (trigger, anchor) in enumerate(anchored):
                dues = list(iter(trigger.due_between(low, high, anchor, previous[place])))  # iter: not len first
                if dues:
                    previous[place] = dues[-1]
                    found += [due * len(anchored) + place for due in dues]
            found.sort()  # one whole number each, instant before place: rows that are in order merge fast
            for number in found:
                due, place = divmod(number, len(anchored))
                yield due, self.events[place]
            low = high
