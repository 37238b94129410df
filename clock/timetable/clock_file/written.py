"""Schedules that are written as one text: `cron`, `rrule`, `sun`. `KINDS` has them all.

The functions of the clock file, rows of a database and YAML files read them here. A new kind of trigger needs a
function that checks its text, a line in `KINDS`, and a function for the clock file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec

from clock.errors import DeclarationError
from clock.timetable.triggers.cron import CACHED, WORDS, cron_in, read
from clock.timetable.triggers.intervals import MakeTrigger
from clock.timetable.triggers.rrule import Rrule, has_days, parse_rrule
from clock.timetable.triggers.sun import parse_sun


@dataclass(frozen=True, slots=True)
class Written:
    """A checked schedule. `zone`: the name of the zone in its text, if any; `has_time`: why it takes no `at`."""

    kind: str
    words: str
    trigger: MakeTrigger
    zone: str | None = None
    has_time: str = "the expression already gives the time"


def read_cron(where: str, expression: object) -> Written:
    """A cron expression, with one space between its fields.

    Raises DeclarationError, which starts with `where` and lists the accepted forms.
    """
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
    words = f"calendar rule {rule.text}"
    return Written("rrule", words, lambda zone, _name, dst: Rrule(rule, zone, dst), rule.zone, _RULE_HAS_TIME)


def read_sun(where: str, given: object) -> Written:
    """An event of the sun at a place. Raises DeclarationError, which starts with `where`."""
    _check_extra(where, "sun", "astral", "astral")
    try:
        sun = parse_sun(given)
    except ValueError as error:
        raise DeclarationError(f"{where}sun is {given!r:.100}: {error}") from None
    return Written("sun", sun.words(), lambda _zone, _name, _dst: sun, has_time="the sun gives the time")


_RULE_HAS_TIME = "write BYHOUR and BYMINUTE, or DTSTART"

KINDS: Mapping[str, Callable[[str, object], Written]] = {"cron": read_cron, "rrule": read_rrule, "sun": read_sun}


def _check_extra(where: str, kind: str, module: str, package: str) -> None:
    if find_spec(module) is None:
        raise DeclarationError(f"{where}{kind} needs the package `{package}`: pip install 'clockd[calendars]'")
