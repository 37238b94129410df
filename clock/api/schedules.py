"""Schedules made at run time: events that a program or a person adds, edits and deletes without a deploy."""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypedDict, Unpack

from clock.api.objects import awaitable, connected, instant
from clock.errors import DeclarationError
from clock.inspection.audit import Change, note_if_possible, user_of_process
from clock.inspection.events.schedules import (
    DEFAULT_ZONE,
    check_name,
    check_not_encrypted,
    event_of,
    next_runs,
    split,
)
from clock.job.flow.limits import LARGEST
from clock.job.options import Order
from clock.printable import brief
from clock.store import Redis
from clock.store.ledger import schedules, timetable_changes
from clock.store.ledger.schedules import StoredSchedule
from clock.timetable import Event

#: The types of fields: no ZoneInfo, for instance. The check of the event covers the items of a list or a mapping.
_STORED_AS_JSON = (str, int, float, timedelta, date, Mapping, Collection)


class ScheduleFields(TypedDict, total=False):
    """When a schedule is due, and how its job is pushed. Give one of `cron`, `every`, `rrule` and `sun`.

    `every` is a timedelta, seconds, or a text like "10 minutes". `at` is a time of day or a list. The default
    of `tz` is UTC. Nothing is due after `until`: a datetime or a text, in `tz` if it has no offset. `except_on`
    is a code such as "DE-BY", a date, or a list of them. `args` is a list; "DUE_AT" in it is replaced by the due
    instant. `monitor` is True, a slug, or a dict of slug, grace and max_runtime.
    """

    cron: str
    every: timedelta | float | str
    rrule: str
    sun: str
    at: str | Sequence[str]
    tz: str
    until: datetime | str
    except_on: str | date | Sequence[str | date] | Set[str | date]
    otherwise: str
    spread: timedelta | float | str
    salt: str
    jitter: timedelta | float | str
    gap: str
    fold: str
    args: Sequence[Any]
    queue: str
    catch_up: str
    catch_up_within: timedelta | float | str
    overlap: str
    description: str
    tags: Sequence[str] | Set[str]
    monitor: bool | str | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Schedule:
    """A stored schedule. `version` changes with each edit; `fields` has its timing, job, arguments and options."""

    name: str
    version: int
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ScheduleChange:
    """The effect of a put. `before` and `after` have the fields that differ; a new schedule has no `before`.

    `next_runs` are the next ten due instants of the schedule, as of now. `restarts`: its timing changes, so it
    starts again, and missed runs are not caught up.
    """

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    next_runs: Sequence[datetime]
    restarts: bool


class Schedules:
    """The schedules in Redis. Clocks read them every 5 seconds; an edit never fires an event by itself.

    Its methods raise StoreUnavailable. Each has an awaitable twin, with the prefix `a`. `redis` is a connection of
    `api.connect`; without it the process's own connection is used. The audit log shows `by`, the name of the user,
    and `source`, the program. `declared` are the events of a clock file by name (`load(path).by_name`):
    a schedule cannot have their names. Names of events that a clock has run are refused without it.
    """

    def __init__(
        self,
        *,
        redis: Redis | None = None,
        by: str | None = None,
        source: str | None = None,
        declared: Mapping[str, Event] | None = None,
    ) -> None:
        self._redis = connected(redis)
        self._by = by or user_of_process()
        self._declared = declared or {}
        self._source = source or f"api on {socket.gethostname()}"

    def stored(self) -> list[Schedule]:
        """All schedules, in the order of their names."""
        return list(map(_shown, schedules.read(self._redis)))

    def get(self, name: str) -> Schedule | None:
        """The schedule of that name; None: missing. Raises DeclarationError for an invalid name."""
        check_name(name)
        found = schedules.read_one(self._redis, name)
        return _shown(found) if found else None

    def put(self, name: str, *, job: Any, version: int | None = None, **fields: Unpack[ScheduleFields]) -> int:
        """Create or replace a schedule; returns its new version.

        `job` is a job class, or the name of a class that this process has imported. `version` is the version to be
        replaced: 0 only creates, None replaces any. Raises DeclarationError for invalid fields, for an unknown job
        class, and for the name of an event in the clock file; ScheduleConflict if the version is another one.
        """
        timing, rest, _ = self._checked(name, job, fields)
        _check_version(name, version)
        made = schedules.put(self._redis, name, timing, rest, version)
        self._audit("put_schedule", name)
        return made

    def preview(self, name: str, *, job: Any, **fields: Unpack[ScheduleFields]) -> ScheduleChange:
        """The effect that a put would have; changes nothing. Raises DeclarationError."""
        timing, rest, event = self._checked(name, job, fields)
        stored = schedules.read_one(self._redis, name)
        old, new = stored.fields if stored else {}, {**timing, **rest}
        differ = [field for field in {**old, **new} if old.get(field) != new.get(field)]
        return ScheduleChange(
            {field: old[field] for field in differ if field in old},
            {field: new[field] for field in differ if field in new},
            next_runs(event, instant()),
            restarts=stored is not None and dict(stored.timing) != timing,
        )

    def event(self, name: str, *, job: Any, **fields: Unpack[ScheduleFields]) -> Event:
        """The event that a schedule with these fields would be. Raises DeclarationError."""
        return self._checked(name, job, fields)[2]

    def delete(self, name: str, *, version: int | None = None) -> bool:
        """Delete a schedule; False: it was missing. `version` is the version that it must have; None: any.

        Raises ScheduleConflict, DeclarationError for an invalid name.
        """
        check_name(name)
        _check_version(name, version)
        is_deleted = schedules.delete(self._redis, name, version)
        if is_deleted:
            self._audit("delete_schedule", name)
        return is_deleted

    def _checked(
        self, name: str, job: Any, fields: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any], Event]:
        """The timing and the other fields, as they are stored, and the event. Raises DeclarationError."""
        check_name(name)
        timing, rest = split({**_given(name, fields), "job": _job_name(name, job)})
        event = event_of(name, {**timing, **rest})
        check_not_encrypted(name, str(rest["job"]))
        declared = self._declared.get(name)
        if declared or name in timetable_changes.declared(self._redis):
            where = declared.source if declared else "the clock file"
            raise DeclarationError(f"{where} declares an event {name!r}: choose another name")
        return timing, rest, event

    def _audit(self, what: str, name: str) -> None:
        note_if_possible(self._redis, Change(self._by, what, name, 1, self._source))

    astored = awaitable(stored)
    aget = awaitable(get)
    aput = awaitable(put)
    apreview = awaitable(preview)
    adelete = awaitable(delete)


def _given(name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that have a value, and the zone. Raises DeclarationError."""
    given = {field: value for field, value in fields.items() if value is not None}
    for field, value in given.items():
        if value == "":
            raise DeclarationError(f"{name!r}: {field} is empty; give a value, or leave it out")
        if not isinstance(value, _STORED_AS_JSON):
            raise DeclarationError(f"{name!r}: {field} is {brief(value)}; pass it as text")
        if field == "until" and not isinstance(value, (datetime, str)):
            raise DeclarationError(f"{name!r}: until is {brief(value)}; pass a datetime or a text")
    if not isinstance(given.get("args", []), (list, tuple)):
        raise DeclarationError(f"{name!r}: args is {brief(given['args'])}; it must be a list")
    return {"tz": DEFAULT_ZONE, **given}


def _job_name(name: str, job: Any) -> str:
    if isinstance(job, Order):
        raise DeclarationError(f"{name!r}: job has options of .set(...); pass the class, and its queue as queue=")
    return job if isinstance(job, str) else getattr(job, "wire_name", brief(job))


def _check_version(name: str, version: object) -> None:
    if version is not None and not (type(version) is int and 0 <= version <= LARGEST):
        raise DeclarationError(f"{name!r}: version is {brief(version)}; it must be a whole number, 0 or more")


def _shown(stored: StoredSchedule) -> Schedule:
    return Schedule(stored.name, stored.version, stored.fields)
