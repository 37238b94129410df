"""The forms of the clock file whose schedule is one text: `cron("*/5 9-17 * * mon-fri").do(SomeJob)`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import tzinfo
from functools import wraps
from typing import Never, ParamSpec, TypeVar

from clock.errors import DeclarationError
from clock.timetable.clock_file import draft
from clock.timetable.clock_file.builder import Builder
from clock.timetable.clock_file.written import KINDS, Written
from clock.timetable.triggers.intervals import MakeTrigger

P = ParamSpec("P")
R = TypeVar("R")
#: The fields of Celery's `crontab`, in the order of an expression.
_CRONTAB = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")


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

    def _check(self) -> None:
        if self.unit is not None or self.latest is not None:
            raise self._error(f"{self._form} takes no unit and no to(...): {self._written.has_time}")

    def _words(self) -> str:
        return self._written.words

    def _make_trigger(self) -> MakeTrigger:
        return self._written.trigger


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
