"""The firings of a clock file in a span, as data that can be compared, and sent to another process as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from clock.errors import ConfigurationError
from clock.lint.dst_hazards import hazards_of
from clock.rehearsal.rehearsal import run
from clock.timetable import Timetable

MOST_RUNS = 1_000_000  # of a file in the period: some seconds of work, and 0.3 GB


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
            event.was,
        )
        for event in timetable.events
    }
    return Described(history.start, history.end, str(timetable.settings.tz), events)
