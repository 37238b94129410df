"""Cron's form: `cron("*/5 9-17 * * mon-fri").do(SomeJob)`."""

from __future__ import annotations

from datetime import tzinfo
from typing import Never

from clock.errors import DeclarationError
from clock.timetable.clock_file import draft
from clock.timetable.clock_file.builder import Builder
from clock.timetable.triggers.cron import WORDS, Cron, read
from clock.timetable.triggers.intervals import Trigger


class CronJob(Builder):
    """The result of `cron(...)`. It has the methods of the fluent form, except those for units and times."""

    def __init__(self, expression: str, zone: tzinfo | None) -> None:
        super().__init__(1, draft.current().scheduler)
        self._expression = expression
        self._entry.zone = zone

    def at(self, time_str: str, tz: str | None = None) -> Never:
        """Not supported for cron events. Raises DeclarationError."""
        raise self._error("cron(...) takes no at(...): the expression already gives the time")

    def _check(self) -> None:
        if self.unit is not None or self.latest is not None:
            raise self._error("cron(...) takes no unit and no to(...): the expression already gives the time")

    def _words(self) -> str:
        return f"cron {self._expression}"

    def _trigger(self, zone: tzinfo, name: str) -> Trigger:
        return Cron(self._expression, zone, self._entry.adjustments.dst)


def cron(expression: str, tz: str | tzinfo | None = None) -> CronJob:
    """Declare an event by a cron expression: five fields, six with seconds first, or `@hourly`, `@daily`...

    Raises DeclarationError.
    """
    return CronJob(checked_cron(f"{draft.where()}: ", expression), None if tz is None else draft.zone_named(tz))


def checked_cron(where: str, expression: str) -> str:
    """The cron expression with one space between its fields, as it appears in names.

    Raises DeclarationError, which starts with `where` and lists the accepted forms.
    """
    try:
        if not isinstance(expression, str):
            raise ValueError("it must be a string")
        expression = " ".join(expression.split())
        read(expression)
    except ValueError as error:
        raise DeclarationError(
            f"{where}cron is {expression!r:.100}: {error}. Write minute, hour, day of month, month, weekday, "
            f"as in '*/5 9-17 * * mon-fri', or {', '.join(WORDS)}"
        ) from None
    return expression
