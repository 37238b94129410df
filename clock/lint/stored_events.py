"""Events that this checkout lacks: of the clock file that runs now, and of schedules in Redis."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from clock.errors import DeclarationError
from clock.inspection.events.schedules import event_of
from clock.lint.finding import Finding
from clock.store import Redis
from clock.store.ledger import schedules, timetable_changes
from clock.timetable import Timetable

ALIKE = 0.6  # of difflib: names that differ in a word


def stored_events(redis: Redis, timetable: Timetable) -> Iterator[Finding]:
    """Events that were removed, each with its new name: of the same schedule, or else of a similar name.

    Raises StoreUnavailable, WrongType.
    """
    running = timetable_changes.declared(redis)
    renamed = {old for event in timetable.events for old in event.was}
    removed = [name for name in running if name not in timetable.by_name and name not in renamed]
    added = {name: event.declaration for name, event in timetable.by_name.items() if name not in running}
    for name in removed:
        same = [new for new, words in added.items() if words == running[name]]
        near = get_close_matches(name, same or list(added), 1, 0.0 if same else ALIKE)
        text = "it runs now and is not in the clock file: its runs end with the deploy"
        for new in near:
            text += f". If it is {new!r} now, declare .named({new!r}, was={name!r}): it keeps its last run"
        yield Finding("warning", "removed-event", name, str(timetable.path), text)


def stored_schedules(redis: Redis, timetable: Timetable) -> Iterator[Finding]:
    """Schedules in Redis that this code skips: their class or arguments do not fit, or the file has their name.

    Raises StoreUnavailable, WrongType.
    """
    for schedule in schedules.read(redis):
        text = ""
        if schedule.name in timetable.by_name:
            text = "the clock file declares an event of this name, so the schedule in Redis never runs"
        else:
            try:
                event_of(schedule.name, schedule.fields)
            except DeclarationError as error:
                text = f"this schedule in Redis would never run: {error}"
        if text:
            yield Finding("error", "stored-schedule", schedule.name, "clock:schedules", text)
