"""The options that Clockwork's form, rows of a database and YAML files have alike, put into an entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clock.errors import DeclarationError
from clock.timetable.clock_file import adjusting
from clock.timetable.clock_file.callable_checks import check_called
from clock.timetable.clock_file.draft import Entry, zone_named
from clock.timetable.clock_file.options import check_option
from clock.timetable.triggers.until import parse_until

#: Those that are kept as they are, under their own name.
_PLAIN = ("thread", "catch_up", "catch_up_within", "overlap", "description")
OPTIONS = ("tz", "if_", "until", "tags", *_PLAIN, *adjusting.OPTIONS)


def take_options(entry: Entry, where: str, options: Mapping[str, Any]) -> None:
    """Put the options, all of them among `OPTIONS`, into `entry`; None is one that is not given.

    Raises DeclarationError, which begins with `where`.
    """
    given = {name: value for name, value in options.items() if value is not None}
    entry.adjustments = adjusting.take_adjustments(where, given)
    for name in ("if_", "tags", *_PLAIN):
        if name in given:
            check_option(where, name, given[name])
    if "if_" in given:
        check_called(where, "if_", given["if_"], "due")
    if "tz" in given:
        entry.zone = zone_named(given["tz"], where)
    if "until" in given:
        try:
            entry.until = parse_until(given["until"])
        except ValueError as error:
            raise DeclarationError(f"{where}{error}") from None
    entry.condition = given.get("if_")
    entry.tags = set(given.get("tags", ()))
    for name in _PLAIN:
        if name in given:
            setattr(entry, name, given[name])
