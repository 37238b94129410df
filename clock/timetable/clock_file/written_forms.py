"""Schedules that are written as one text: `cron`, `rrule`, `sun`. `KINDS` has them all.

The functions of the clock file, rows of a database and YAML files read them here. A new kind of trigger needs a
function that checks its text, a line in `KINDS`, and a function for the clock file.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from functools import lru_cache, wraps
from importlib.util import find_spec
from typing import Never, ParamSpec, TypeVar

from clock.errors import DeclarationError
from clock.timetable.clock_file import draft
from clock.timetable.clock_file.builder import Builder
from clock.timetable.triggers.cron import CACHED, WORDS, cron_in, read
from clock.timetable.triggers.intervals import MakeTrigger
from clock.timetable.triggers.rrule import Rrule, has_days, parse_rrule
from clock.timetable.triggers.sun import parse_sun

P = ParamSpec("P")
R = TypeVar("R")
#: The fields of Celery's `crontab`, in the order of an expression.
_CRONTAB = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")


@dataclass(frozen=True, slots=True)
class Written:
    """A checked schedule. `zone`: the name of the zone in its text, if any; `has_time`: why it takes no `at`."""

    kind: str
    words: str
    trigger: MakeTrigger
    zone: str | None = None
    has_time: str = "the expression already gives the time"


def read_cron(where: str, expression: object) -> Written:
    """A cron expression. Raises DeclarationError, which starts with `where` and lists the accepted forms."""
    try:
        if not isinstance(expression, str):
            raise ValueError("it must be a string")
        if re.search(r"\d{10}", expression):
            raise ValueError("a number has more than 9 digits")
        return _cron(" ".join(expression.split()))
    except ValueError as error:
        raise DeclarationError(
            f"{where}cron is {expression!r:.100}: {error}. Write minute, hour, day of month, month, weekday, "
            f"as in '*/5 9-17 * * mon-fri', or {', '.join(WORDS)}"
        ) from None


@lru_cache(maxsize=CACHED)
def _cron(text: str) -> Written:
    """The schedule of an expression. Events of the same expression share it. Raises ValueError."""
    read(text)
    return Written("cron", f"cron {text}", lambda zone, _name, dst: cron_in(text, zone, dst))


def read_rrule(where: str, given: object) -> Written:
    """A recurrence rule of iCalendar. Raises DeclarationError, which starts with `where`."""
    _check_extra(where, "rrule", "dateutil", "python-dateutil")
    try:
        rule = parse_rrule(given)
        if not has_days(rule):
            raise ValueError("no day matches all of its parts")
    except ValueError as error:
        raise DeclarationError(
            f"{where}rrule is {given!r:.200}: {error}. Write a rule of iCalendar such as 'FREQ=MONTHLY;BYDAY=-1FR'"
        ) from None
    words, has_time = f"calendar rule {rule.text}", "write BYHOUR and BYMINUTE, or DTSTART"
    return Written("rrule", words, lambda zone, _name, dst: Rrule(rule, zone, dst), rule.zone, has_time)


def read_sun(where: str, given: object) -> Written:
    """An event of the sun at a place. Raises DeclarationError, which starts with `where`."""
    _check_extra(where, "sun", "astral", "astral")
    try:
        sun = parse_sun(given)
    except ValueError as error:
        raise DeclarationError(f"{where}sun is {given!r:.100}: {error}") from None
    return Written("sun", sun.words(), lambda _zone, _name, _dst: sun, has_time="the sun gives the time")


KINDS: Mapping[str, Callable[[str, object], Written]] = {"cron": read_cron, "rrule": read_rrule, "sun": read_sun}


def _check_extra(where: str, kind: str, module: str, package: str) -> None:
    if find_spec(module) is None:
        raise DeclarationError(f"{where}{kind} needs the package `{package}`: pip install 'clockd[calendars]'")


class WrittenJob(Builder):
    """The result of `cron`, `rrule` and `sun`: it has the methods of the fluent form, without units and times."""

    def __init__(self, written: Written, zone: tzinfo | None, source: str) -> None:
        self._written = written
        super().__init__(1, draft.current().scheduler, source)
        self._entry.zone = zone

    @property
    def _form(self) -> str:
        return f"{self._written.kind}(...)"

    def at(self, time_str: str, tz: str | None = None) -> Never:
        """Not supported: the text already gives the time. Raises DeclarationError."""
        raise self._error(f"{self._form} takes no at(...): {self._written.has_time}")

    def _schedule(self) -> tuple[str, MakeTrigger]:
        if self.unit is not None or self.latest is not None:
            raise self._error(f"{self._form} takes no unit and no to(...): {self._written.has_time}")
        return self._written.words, self._written.trigger


def _without_fields(function: Callable[P, R]) -> Callable[P, R]:
    """Refuse the fields of Celery's `crontab`, with the expression to write. Raises DeclarationError."""

    @wraps(function)
    def declare(*args: P.args, **kwargs: P.kwargs) -> R:
        given = [name for name in _CRONTAB if name in kwargs]
        if given:
            fields = [_field(kwargs.get(name, "*")) for name in _CRONTAB]
            both = "&" if {"day_of_month", "day_of_week"} <= kwargs.keys() else ""
            raise DeclarationError(
                f"{draft.where()}: cron takes one text, but got {', '.join(given)}; "
                f'write cron("{" ".join(fields)}{both}")'
            )
        return function(*args, **kwargs)

    vars(declare)["__signature__"] = inspect.signature(function)
    return declare


def _field(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, (list, tuple, set, range)) else str(value)


@_without_fields
def cron(expression: str, tz: str | tzinfo | None = None) -> WrittenJob:
    """Declare an event by a cron expression: five fields, six with seconds first, or `@hourly`, `@daily`...

    Raises DeclarationError.
    """
    return _declared("cron", expression, tz)


def rrule(rule: str, tz: str | tzinfo | None = None) -> WrittenJob:
    """Declare an event by a recurrence rule of iCalendar: `FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=18;BYMINUTE=0`.

    A DTSTART may precede it: `DTSTART;TZID=Europe/Berlin:20260105T090000 RRULE:FREQ=WEEKLY;INTERVAL=2`.
    Without it the rule starts when the event is first seen. Needs the extra `calendars`. Raises DeclarationError.
    """
    return _declared("rrule", rule, tz)


def sun(event: str, tz: str | tzinfo | None = None) -> WrittenJob:
    """Declare an event by the sun at a latitude and longitude: `30 minutes before sunset at 52.52, 13.405`.

    The events are `dawn`, `sunrise`, `noon`, `sunset` and `dusk`; dawn and dusk are civil. `tz` affects only
    `except_on` and output. Needs the extra `calendars`. Raises DeclarationError.
    """
    return _declared("sun", event, tz)


def _declared(kind: str, text: object, tz: str | tzinfo | None) -> WrittenJob:
    source = draft.where()
    where = f"{source}: "
    written = KINDS[kind](where, text)
    if written.zone is not None and tz is not None and str(tz) != written.zone:
        raise DeclarationError(f"{where}{kind} has the zone {written.zone}, and tz is {tz!r}; give one")
    zone = written.zone if tz is None else tz
    return WrittenJob(written, None if zone is None else draft.zone_named(zone), source)
