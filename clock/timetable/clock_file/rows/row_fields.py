"""The fields of declarations that are data, from a database or a YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clock.errors import ArgumentsError, DeclarationError
from clock.timetable.action import DUE_AT, Enqueue
from clock.timetable.clock_file.clockwork_form import OPTIONS, read_options
from clock.timetable.clock_file.cron_form import checked_cron
from clock.timetable.clock_file.draft import Entry
from clock.timetable.clock_file.options import check_option, take_options
from clock.timetable.periods import parse_period
from clock.timetable.triggers.cron import Cron

#: The fields of a row for when it is due and how it fires.
FIELDS = ("every", "cron", *OPTIONS)
_LENGTHS = {"catch_up_within", "spread", "jitter"}  # may be texts: "10 minutes"


def entry_of(name: str, values: Mapping[str, Any], source: str) -> Entry:
    """The entry, without an action, of a declaration whose fields are `values`.

    Raises DeclarationError, which starts with `source` and names the event.
    """
    entry = Entry(source, name=name)
    where = f"{source}: {name!r}: "
    check_option(f"{source}: ", "name", name)
    options = dict(values)
    period, cron = options.pop("every", None), options.pop("cron", None)
    if (period is None) == (cron is None):
        raise DeclarationError(f"{where}give either every or cron, not both")
    try:
        for length in _LENGTHS & options.keys():
            options[length] = parse_period(options[length])
        if period is not None:
            read_options(entry, parse_period(period), where, **{**options, "at": _times(options)})
            return entry
    except ValueError as error:
        raise DeclarationError(f"{where}{error}") from None
    _read_cron(entry, cron, where, options)
    return entry


def enqueue(job: Any, args: object, where: str) -> Enqueue:
    """The action that pushes `job` with `args`. The text "DUE_AT" is replaced by the due instant.

    Raises DeclarationError if the job does not accept the arguments.
    """
    listed = list(args) if isinstance(args, (list, tuple)) else [args]
    action = Enqueue(job, tuple(DUE_AT if arg == "DUE_AT" else arg for arg in listed))
    try:
        action.check()
    except ArgumentsError as error:
        raise DeclarationError(f"{where}{error}") from None
    return action


def _times(options: Mapping[str, Any]) -> object:
    """`at` as a list if it is a text of several times, "06:00, 18:00"."""
    at = options.get("at")
    return [text.strip() for text in at.split(",")] if isinstance(at, str) and "," in at else at


def _read_cron(entry: Entry, expression: str, where: str, options: dict[str, Any]) -> None:
    expression = checked_cron(where, expression)
    for name in ("at", "skip_first_run"):
        if options.pop(name, None):
            raise DeclarationError(f"{where}cron takes no {name}: the expression already gives the time")
    take_options(entry, where, options)
    entry.schedule = f"cron {expression}"
    entry.make_trigger = lambda zone, _name: Cron(expression, zone, entry.adjustments.dst)
