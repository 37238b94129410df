"""The fields of declarations that are data, from a database or a YAML file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from clock.errors import ClockError, DeclarationError
from clock.timetable.action import DUE_AT, Enqueue
from clock.timetable.clock_file.checks import check_option, take_options
from clock.timetable.clock_file.clockwork_form import OPTIONS, checked_period, read_options
from clock.timetable.clock_file.draft import Entry
from clock.timetable.clock_file.written_forms import KINDS
from clock.timetable.periods import parse_period

#: The fields of a row for when it is due and how it fires.
FIELDS = ("every", *KINDS, *OPTIONS)
_LENGTHS = {"catch_up_within", "spread", "jitter"}  # may be texts: "10 minutes"


def entry_of(name: str, values: Mapping[str, Any], source: str) -> Entry:
    """The entry of a declaration with these fields, without an action. Raises DeclarationError."""
    entry = Entry(source, name=name)
    where = f"{source}: {name!r}: "
    check_option(f"{source}: ", "name", name)
    options = dict(values)
    given = {kind: options.pop(kind) for kind in ("every", *KINDS) if options.get(kind) is not None}
    if len(given) != 1:
        raise DeclarationError(f"{where}give one of every, {', '.join(KINDS)}")
    [(kind, text)] = given.items()
    for length in _LENGTHS & options.keys():
        with errors_of(f"{where}{length}: "):
            period = parse_period(options[length])
        check_option(where, length, period, options[length])
        options[length] = period
    if kind == "every":
        with errors_of(where):
            period = checked_period(where, parse_period(text), text)
        if isinstance(at := options.get("at"), str) and "," in at:  # "06:00, 18:00"
            options["at"] = [text.strip() for text in at.split(",")]
        read_options(entry, period, where, **options)
        return entry
    written = KINDS[kind](where, text)
    for name in ("at", "skip_first_run"):
        if options.pop(name, None):
            raise DeclarationError(f"{where}{kind} takes no {name}: {written.has_time}")
    if written.zone is not None and options.setdefault("tz", written.zone) != written.zone:
        raise DeclarationError(f"{where}{kind} has the zone {written.zone}, and tz is {options['tz']!r}")
    take_options(where, entry, options)
    entry.schedule, entry.make_trigger = written.words, written.trigger
    return entry


@contextmanager
def errors_of(where: str) -> Iterator[None]:
    """Raise DeclarationError, which starts with `where`, for errors in the block."""
    try:
        yield
    except (ClockError, ValueError) as error:
        raise DeclarationError(str(error) if str(error).startswith(where) else f"{where}{error}") from None


def enqueue(job: Any, args: object, where: str) -> Enqueue:
    """The action that pushes `job` with `args`, in which "DUE_AT" is the due instant. Raises DeclarationError."""
    listed = list(args) if isinstance(args, (list, tuple)) else [args]
    action = Enqueue(job, tuple(DUE_AT if arg == "DUE_AT" else arg for arg in listed))
    with errors_of(where):
        action.check()
    return action
