"""The rows of `DatabaseEvent` as events of the clock.

# lib/clock.py
from clock.django import database_events

database_events(every=timedelta(seconds=10))
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, timedelta
from typing import Any

from django.apps import apps

from clock.errors import ClockError
from clock.job.registry import lookup
from clock.timetable import Settings, SyncedEvents, read_rows, sync_events

EVERY = timedelta(minutes=1)  # how often a clock reads the rows


def database_events(every: timedelta = EVERY) -> None:
    """Declare the enabled rows of `DatabaseEvent` as events: call it in the clock file.

    The clock reads them again `every` so often. A row whose schedule is invalid is logged, and stops no other.
    """
    sync_events(rows, every=every, do=enqueue)


def rows() -> Iterable[Any]:
    """The rows, as they are now."""
    return list(apps.get_model("clock", "DatabaseEvent").objects.all())


def enqueue(row: Any) -> str:
    """Push the job of a row; its jid. Raises UnknownJobClass, ArgumentsError."""
    return str(pusher(row.job).perform_async(*arguments(row)))


def pusher(name: str) -> Any:
    """The function that pushes the job of that name: a job class or a task. Raises UnknownJobClass."""
    job = lookup(name)
    return getattr(job, "task", job)


def arguments(row: Any) -> list[Any]:
    """The arguments of a row; a value that is not a list is the only argument."""
    return row.args if isinstance(row.args, list) else [row.args]


def problem_of(row: Any) -> str | None:
    """The error in a row in words, also if the row is not enabled; None if it is valid."""
    values = {name: getattr(row, name) for name in ("name", "every", "at", "cron", "tz")}
    declared = SyncedEvents(lambda: [values], EVERY, enqueue, "this event")
    try:
        read = read_rows(declared, [values], Settings(tz=UTC))
        if read.errors:
            return str(read.errors[0]).removeprefix("this event: ")
        pusher(row.job).check_arguments(*arguments(row))
    except ClockError as error:
        return str(error)
    return None
