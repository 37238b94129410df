"""The timetable: all that a clock file declares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta, tzinfo
from difflib import get_close_matches
from pathlib import Path

from clock.errors import UnknownEvent
from clock.timetable.event import CatchUp, Event


@dataclass(frozen=True, slots=True)
class Settings:
    """What `configure` sets: the zone of events without their own, and how the clock runs."""

    tz: tzinfo
    sleep_timeout: float = 1.0
    max_threads: int = 10
    thread: bool = False
    catch_up: CatchUp = "latest"
    catch_up_within: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What `on` has registered."""

    before_tick: Sequence[Callable[..., object]] = ()
    after_tick: Sequence[Callable[..., object]] = ()
    before_run: Sequence[Callable[..., object]] = ()
    after_run: Sequence[Callable[..., object]] = ()


@dataclass(frozen=True, slots=True)
class Timetable:
    """The events of the clock file at `path`, in its order, and what goes for all of them."""

    path: Path
    events: Sequence[Event]
    settings: Settings
    callbacks: Callbacks = field(default_factory=Callbacks)
    error_handlers: Sequence[Callable[[BaseException], object]] = ()

    def event(self, name: str) -> Event:
        """The event of that name. Raises UnknownEvent, which lists those that there are."""
        for event in self.events:
            if event.name == name:
                return event
        names = [event.name for event in self.events]
        raise UnknownEvent(name, names, get_close_matches(name, names, 1))
