"""The rows of `DatabaseEvent` as events of the clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

from django.apps import apps
from django.db import DatabaseError, connections

from clock.django.project import import_jobs_of_applications
from clock.errors import ClockError, ConfigurationError
from clock.job.registry import knows, lookup
from clock.store import listing
from clock.store.ledger.event_rows import known_names
from clock.store.ledger.held_pushes import dropping
from clock.store.server.connection import default
from clock.timetable import Settings, SyncedEvents, read_rows, sync_events
from clock.timetable.clock_file import draft

EVERY = timedelta(minutes=1)  # how often a clock reads the rows


def database_events(every: timedelta = EVERY) -> None:
    """Declare the enabled rows of `DatabaseEvent` as events: call it in the clock file.

    The clock reads them again `every` so often. A row whose schedule is invalid is logged, and stops no other.
    """
    sync_events(rows, every=every, do=enqueue)
    synced = draft.current().synced
    synced[-1] = replace(synced[-1], job_of=lambda row: pusher(row.job))


def rows() -> Iterable[Any]:
    """The rows, as they are now. Raises ConfigurationError if the application or its table is missing."""
    try:
        model = apps.get_model("clock", "DatabaseEvent")
    except LookupError:
        raise ConfigurationError("'clock.django' is missing in INSTALLED_APPS") from None
    try:
        return list(model.objects.all())
    except DatabaseError as error:
        if model._meta.db_table in connections[model.objects.db].introspection.table_names():
            raise
        raise ConfigurationError(f"{error}; create the table with: manage.py migrate") from error


def enqueue(row: Any) -> str:
    """Push the job of a row; its jid. Raises UnknownJobClass, ArgumentsError."""
    return str(pusher(row.job).perform_async(*arguments(row)))


def pusher(name: str) -> Any:
    """The job class or task of that name. Raises UnknownJobClass, and ConfigurationError for a broken module."""
    if not knows(name):
        with dropping():
            import_jobs_of_applications()  # a web process has not imported them
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


def is_taken(name: str) -> bool:
    """Whether the clock has an event of that name. False if Redis does not answer: the clock checks it, too."""
    try:
        redis = default()
        return name in known_names(redis) and name not in listing.orphaned(redis)
    except ClockError:
        return False
