"""Declarations that are data, from a database or a YAML file: what their fields mean."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from clock.errors import ArgumentsError, DeclarationError
from clock.timetable import clockwork_form
from clock.timetable.action import DUE_AT, Enqueue
from clock.timetable.cron import Cron
from clock.timetable.cron_form import check_cron
from clock.timetable.draft import Entry, zone_named
from clock.timetable.options import check_option
from clock.timetable.periods import parse_period

#: What a row may say of when it is due, and how it fires.
FIELDS = ("every", "cron", *clockwork_form.OPTIONS)


def entry_of(name: str, values: Mapping[str, Any], source: str) -> Entry:
    """The entry, without an action, of a declaration whose fields are `values`.

    Raises DeclarationError, which begins with `source` and names the event.
    """
    entry = Entry(source, name=name)
    where = f"{source}: {name!r}: "
    options = dict(values)
    period, cron = options.pop("every", None), options.pop("cron", None)
    if (period is None) == (cron is None):
        raise DeclarationError(f"{where}either every or cron is wanted, and not both")
    try:
        if "catch_up_within" in options:
            options["catch_up_within"] = parse_period(options["catch_up_within"])
        if period is not None:
            clockwork_form.read_options(entry, parse_period(period), where, **{**options, "at": _times(options)})
        else:
            _read_cron(entry, cron, where, **options)
    except ValueError as error:
        raise DeclarationError(f"{where}{error}") from None
    return entry


def enqueue(job: Any, args: object, where: str) -> Enqueue:
    """The action that pushes `job` with `args`, where a text "DUE_AT" stands for the due instant.

    Raises DeclarationError where the job does not take them.
    """
    listed = list(args) if isinstance(args, (list, tuple)) else [args]
    action = Enqueue(job, tuple(DUE_AT if arg == DUE_AT.value else arg for arg in listed))
    try:
        action.check()
    except ArgumentsError as error:
        raise DeclarationError(f"{where}{error}") from None
    return action


def _times(options: Mapping[str, Any]) -> object:
    """`at` as a list where it is a text of several times, "06:00, 18:00"."""
    at = options.get("at")
    return [text.strip() for text in at.split(",")] if isinstance(at, str) and "," in at else at


def _read_cron(
    entry: Entry, expression: str, where: str, *, tz: str | tzinfo | None = None, if_: Any = None, **others: Any
) -> None:
    check_cron(where, expression, seconds=True)
    for name in ("at", "skip_first_run"):
        if others.pop(name, None):
            raise DeclarationError(f"{where}cron says when by itself; it takes no {name}")
    for name, value in {**others, **({} if if_ is None else {"if_": if_})}.items():
        check_option(where, name, value)
    entry.zone = None if tz is None else zone_named(tz, where)
    entry.condition = if_
    for name, value in others.items():
        setattr(entry, name, value)
    entry.schedule = f"cron {expression}"
    entry.make_trigger = lambda zone, _name: Cron(expression, zone, entry.adjustments.dst)
