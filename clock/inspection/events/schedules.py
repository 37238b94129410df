"""Schedules made at run time, as events: what a stored schedule means, and the timetable with all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

from clock.clocks import from_ms, to_ms
from clock.errors import DeclarationError
from clock.job import registry
from clock.job.registry import look_at_jobs
from clock.printable import brief, closest, is_utf8
from clock.store import Redis, listing
from clock.store.ledger import schedules
from clock.store.ledger.event_rows import known_names
from clock.timetable import Event, Settings, SyncedEvents, Timetable, read_rows

READ_EVERY = timedelta(seconds=5)  # a change takes effect within this time
SOURCE = "schedule in Redis"
DEFAULT_ZONE = "UTC"
_KINDS = ("cron", "rrule", "sun", "every", "at", "tz", "until")
_SETS = ("except_on", "tags")  # which JSON stores as lists
TIMING = (*_KINDS, "except_on", "otherwise", "spread", "salt", "jitter", "gap", "fold")
REST = ("job", "args", "queue", "catch_up", "catch_up_within", "overlap", "description", "tags", "monitor")
FIELDS = (*TIMING, *REST)
YEARS = timedelta(days=366 * 100)

ImportJobs = Callable[..., object]


def with_schedules(
    timetable: Timetable, redis: Redis, require: Sequence[Path] = (), import_jobs: ImportJobs = look_at_jobs
) -> Timetable:
    """The timetable with one more source of events: the schedules in Redis. Nothing is read yet.

    `require`: the folders of jobs, imported by `import_jobs` if there is a schedule. By default, jobs that these
    modules push are dropped.
    """
    others = [synced for synced in timetable.synced if synced.source != SOURCE]
    rows = partial(_rows, redis, tuple(require), import_jobs)
    return replace(timetable, synced=[*others, _source(rows, partial(schedules.version, redis))])


def with_stored_events(timetable: Timetable, redis: Redis, require: Sequence[Path] = ()) -> Timetable:
    """The timetable with the events of the schedules in Redis, which are read now. Raises StoreError."""
    rows = _rows(redis, tuple(require))
    found = read_rows(_source(lambda: rows), rows, timetable.settings, timetable.by_name).events
    return replace(timetable, events=[*timetable.events, *found]) if found else timetable


def unlisted_rows(redis: Redis, timetable: Timetable) -> int:
    """How many events of database rows, whose sources `timetable` has, the clock runs. Raises StoreError."""
    if all(synced.source == SOURCE for synced in timetable.synced):
        return 0
    return len(set(known_names(redis)) - timetable.by_name.keys() - listing.orphaned(redis).keys())


def _source(load: Callable[[], Sequence[Any]], version: Callable[[], object] | None = None) -> SyncedEvents:
    return SyncedEvents(
        load, READ_EVERY, print, SOURCE, job_of=job_of, is_optional=True, version=version, check_row=_check_row
    )


def job_of(row: Any) -> Any:
    """The job of a stored schedule, with its queue. Raises UnknownJobClass."""
    job: Any = registry.lookup(str(row["job"]))
    return job.set(queue=row["queue"]) if row.get("queue") else job


def event_of(name: str, fields: Mapping[str, Any]) -> Event:
    """The event of a schedule, whose job is checked. Raises DeclarationError with all names that are close."""
    check_name(name)
    job = fields.get("job")
    if isinstance(job, str) and not registry.knows(job):
        hint = closest(job, registry.names(), "import its module first")
        raise DeclarationError(f"no job class is named {job!r}; {hint}")
    read = read_rows(_source(list), [_row_of(name, fields)], Settings(tz=UTC))
    if read.errors:
        raise DeclarationError(str(read.errors[0]).removeprefix(f"{SOURCE}: "))
    return read.events[0]


def check_not_encrypted(name: str, job_class: str) -> None:
    """Check that the job encrypts no argument: a schedule holds arguments as they are. Raises DeclarationError."""
    if registry.lookup(job_class).encrypt:
        raise DeclarationError(
            f"{name!r}: {job_class} encrypts its last argument, which a schedule in Redis would hold as it is; "
            "declare the event in the clock file"
        )


def check_name(name: object) -> None:
    """Check the name of a schedule. Raises DeclarationError."""
    if not is_utf8(name) or not str(name).strip():
        raise DeclarationError(f"the name of the schedule is {brief(name)}; it must be a text that is not empty")


def next_runs(event: Event, now: datetime, count: int = 10) -> list[datetime]:
    """The next due instants of an event that starts now."""
    after = to_ms(now) // 1000
    found = event.due_between(after, after + int(YEARS.total_seconds()), anchor=now.replace(microsecond=0))
    return [from_ms(seconds * 1000) for seconds in islice(found, count)]


def split(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The timing, whose change starts the event again, and the other fields, both with values that JSON has."""
    given = {name: _listed(value) if name in _SETS else value for name, value in fields.items()}
    plain = {name: _plain(value) for name, value in given.items() if value is not None}
    timing = {name: value for name, value in plain.items() if name in TIMING}
    return timing, {name: value for name, value in plain.items() if name not in TIMING}


def _listed(value: object) -> object:
    """The items of a list or a set as JSON has them: dates as texts."""
    if isinstance(value, (list, tuple)):
        return list(map(_plain, value))
    return sorted(map(_plain, value), key=str) if isinstance(value, (set, frozenset)) else value


def _plain(value: object) -> object:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, date):  # a datetime is one, too
        return value.isoformat()
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _rows(redis: Redis, require: tuple[Path, ...], import_jobs: ImportJobs = look_at_jobs) -> list[dict[str, Any]]:
    stored = schedules.read(redis)
    if stored and require:
        _imported(require, import_jobs)
    return [{**_row_of(one.name, one.fields), "attributes": {"since": one.since}} for one in stored]


def _row_of(name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The row that a schedule means. An empty field counts as missing; a clock file's zone has no effect.

    A period runs first after it has passed: an edit must not fire. `fields` are the fields as they are stored.
    """
    given = {field: value for field, value in fields.items() if value not in ("", None)}
    first = {"skip_first_run": True} if "every" in given and "at" not in given else {}
    return {"args": [], "tz": DEFAULT_ZONE, **given, **first, "name": name, "fields": fields}


def _check_row(row: Mapping[str, Any]) -> None:
    """Refuse an unknown field, and a job that is not a name. Raises DeclarationError."""
    where, fields = f"{SOURCE}: {row['name']!r}: ", row["fields"]
    unknown = [field for field in fields if field not in FIELDS]
    if unknown:
        hint = closest(unknown[0], FIELDS, f"the fields are {', '.join(FIELDS)}")
        raise DeclarationError(f"{where}unknown field {brief(unknown[0])}; {hint}")
    if not isinstance(fields.get("job"), str):
        raise DeclarationError(f"{where}job is {brief(fields.get('job'))}; it must be the name of a job class")


@cache
def _imported(require: tuple[Path, ...], import_jobs: ImportJobs) -> None:
    import_jobs(*(path for path in require if path.exists()))
