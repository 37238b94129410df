"""Schedules that were made at run time: events that are neither in the clock file nor in a database.

Each function that takes a connection raises StoreUnavailable, and WrongType.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis

from clock.errors import ScheduleConflict
from clock.store import keys
from clock.store.invalid_values import text
from clock.store.scripts import run
from clock.store.server.sending import ask_all, checked
from clock.store.wrong_type import typed

_COUNTER = b""  # the field of the latest version


@dataclass(frozen=True, slots=True)
class StoredSchedule:
    """A schedule: its `version`, the version that changed its timing last (`since`), and its fields."""

    name: str
    version: int
    since: int
    timing: Mapping[str, Any]
    rest: Mapping[str, Any]

    @property
    def fields(self) -> dict[str, Any]:
        """All its fields: timing, job, arguments, options."""
        return {**self.timing, **self.rest}


def read(redis: Redis) -> list[StoredSchedule]:
    """All schedules, in the order of their names. Invalid entries are skipped."""
    with typed(redis, keys.SCHEDULES, "hash"):
        found: Any = redis.hgetall(keys.SCHEDULES) if redis.hlen(keys.SCHEDULES) else {}  # most have none
    named = ((text(name), raw) for name, raw in sorted(found.items()) if name != _COUNTER)
    return [schedule for name, raw in named if (schedule := _decoded(name, raw))]


def version(redis: Redis) -> tuple[int, bytes]:
    """A mark that each change changes: a put gives a new version, a deletion lowers the number of schedules."""
    commands = [("HLEN", keys.SCHEDULES), ("HGET", keys.SCHEDULES, _COUNTER)]
    with typed(redis, keys.SCHEDULES, "hash"):
        count, latest = checked(ask_all(redis, commands))
    return count, latest or b""


def read_one(redis: Redis, name: str) -> StoredSchedule | None:
    """The schedule of that name; None: missing or invalid."""
    with typed(redis, keys.SCHEDULES, "hash"):
        raw: Any = redis.hget(keys.SCHEDULES, name)
    return _decoded(name, raw) if isinstance(raw, bytes) and name else None


def put(redis: Redis, name: str, timing: Mapping[str, Any], rest: Mapping[str, Any], version: int | None) -> int:
    """Write a schedule that has this version (0: missing, None: any); its new version. Raises ScheduleConflict."""
    timing_text, rest_text = (json.dumps(fields, sort_keys=True) for fields in (timing, rest))
    return _set(redis, name, version, timing_text, rest_text)


def delete(redis: Redis, name: str, version: int | None) -> bool:
    """Delete a schedule; False: it was missing. Raises ScheduleConflict."""
    return bool(_set(redis, name, version, "", ""))


def _set(redis: Redis, name: str, version: int | None, timing: str, rest: str) -> int:
    args = [name, "" if version is None else version, timing, rest]
    answer = run(redis, "set_schedule", [keys.SCHEDULES], args)
    if answer < 0:
        raise ScheduleConflict(name, wanted=int(version or 0), found=-1 - answer)
    return int(answer)


def _decoded(name: str, raw: bytes) -> StoredSchedule | None:
    try:
        numbers, timing, rest = raw.decode().split("\n")
        version, since = map(int, numbers.split())
        fields = json.loads(timing), json.loads(rest)
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(one, dict) for one in fields):
        return None
    return StoredSchedule(name, version, since, *fields)
