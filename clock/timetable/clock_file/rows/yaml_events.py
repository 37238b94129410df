"""Events of YAML files: their fields, with our names and with those of sidekiq-cron and sidekiq-scheduler.

Our fields are `every`, `cron`, `rrule` or `sun`, `at`, `tz`, `job`, `args`, `queue`, `description`, `enabled`, and
the options of Clockwork's form that are data. `every` alone is first due after one period, as in the fluent form:
deploying a file fires nothing. A Ruby field that is not supported here is an error, so nothing is lost silently.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, timezone
from typing import Any

from clock.config import Declared
from clock.errors import DeclarationError
from clock.timetable.action import DUE_METADATA, DUE_TIMESTAMP
from clock.timetable.clock_file.checks import check_option, hint
from clock.timetable.clock_file.draft import Entry
from clock.timetable.clock_file.rows.row_fields import FIELDS, enqueue, entry_of, errors_of
from clock.timetable.clock_file.written_forms import KINDS
from clock.timetable.periods import listed
from clock.timetable.triggers.cron import WORDS, split_zone

_OURS = (*(name for name in FIELDS if name not in ("if_", "thread")), "job", "args", "queue", "retry", "enabled")
#: Ruby's names for our fields. An `interval` counts from the end of a run; here it counts from its start.
_RENAMED = {"class": "job", "klass": "job", "interval": "every", "status": "enabled"}
#: Fields that matter only to Ruby, or that are read together with others.
_ASIDE = {"source", "namespace", "symbolize_args", "active_job", "date_as_argument", "include_metadata"}
_ONCE = "an event must recur; for a single run, push the job with perform_at or perform_in"
_REFUSED = {
    "in": _ONCE,
    "first_in": "a first delay is not supported; remove it",
    "first_at": "a first time is not supported; remove it",
    "queue_name_prefix": "it belongs to Active Job; write the full queue name",
    "queue_name_delimiter": "it belongs to Active Job; write the full queue name",
}


_EVERY_DAY = ("*", "*/1", "/1", "1-31")
#: Finds a job class by its name in payloads; raises ClockError if the class is unknown.
FindJob = Callable[[str], Any]


def entry_in_yaml(declared: Declared, find_job: FindJob) -> Entry | None:
    """The entry of an event declared in YAML; None if it is not enabled. Raises DeclarationError."""
    where = f"{declared.where}: {declared.name!r}: "
    values = _once_each(where, _in_our_words(where, declared.values, is_rubys=declared.is_rubys))
    is_enabled = values.pop("enabled", True)
    check_option(where, "enabled", is_enabled)
    if not is_enabled:
        return None
    name = values.pop("job", declared.name)
    if not isinstance(name, str):
        raise DeclarationError(f"{where}job is {name!r}; it must be the name of a job class")
    with errors_of(where):
        job = find_job(name)
    options = {name: values.pop(name) for name in ("queue", "retry") if name in values}
    if isinstance(retry := options.get("retry"), str) and retry.isdecimal():  # sidekiq-cron takes a text
        options["retry"] = int(retry)
    args = _arguments(values.pop("args", None), declared.values)
    for found in _dates_in(args):
        raise DeclarationError(f"{where}args has the date {found}, which JSON lacks; write it in quotes")
    if "every" in values and "at" not in values:
        values.setdefault("skip_first_run", True)
    entry = entry_of(declared.name, values, declared.where)
    with errors_of(where):
        entry.action = enqueue(job.set(**options) if options else job, args, where)
    return entry


def _once_each(where: str, fields: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The fields by name. Raises DeclarationError for two values of one field: `class` and `klass`, `tz` twice."""
    found: dict[str, Any] = {}
    for name, value in fields:
        if found.setdefault(name, value) != value:
            others = [given for given, ours in _RENAMED.items() if ours == name]
            under = f" (as {listed([*others, name])})" if others else ""
            raise DeclarationError(f"{where}{name}{under} is both {found[name]!r} and {value!r}; give it once")
    return found


def _in_our_words(where: str, values: Mapping[str, Any], *, is_rubys: bool) -> Iterator[tuple[str, Any]]:
    """The fields under our names. Raises DeclarationError for an unknown field."""
    if "at" in values and not {"every", "interval", *KINDS} & set(values):
        raise DeclarationError(f"{where}give one of every, {', '.join(KINDS)}; {_ONCE}")
    for given, value in values.items():
        name = _RENAMED.get(given, given)
        if name in _REFUSED:
            raise DeclarationError(f"{where}{name} is {value!r}: {_REFUSED[name]}")
        if given == "status":
            yield name, _is_enabled(where, value)
        elif name in ("every", "cron") and isinstance(value, list) and value:
            yield from _with_options(where, name, *value, is_rubys=is_rubys)
        elif name == "cron" and isinstance(value, str):
            yield from _cron(where, " ".join(value.split()), is_rubys=is_rubys)
        elif name in _OURS:
            if value is not None:
                yield name, value
        elif name not in _ASIDE:
            raise DeclarationError(f"{where}unknown field {given!r}; {hint(given, _OURS)}")


def _is_enabled(where: str, status: object) -> bool:
    if status not in ("enabled", "disabled"):
        raise DeclarationError(f"{where}status is {status!r}; it must be 'enabled' or 'disabled'")
    return status == "enabled"


def _with_options(
    where: str, name: str, value: object, *options: object, is_rubys: bool
) -> Iterator[tuple[str, Any]]:
    """sidekiq-scheduler's list of a period or a cron expression, and options. Raises DeclarationError."""
    for option in options:
        if not isinstance(option, dict):
            raise DeclarationError(f"{where}{name} has several values; write an event for each of them")
        yield from _in_our_words(where, option, is_rubys=is_rubys)
    yield from _in_our_words(where, {name: value}, is_rubys=is_rubys)


def _cron(where: str, text: str, *, is_rubys: bool) -> Iterator[tuple[str, Any]]:
    """A cron expression, which may end with its zone; with fugit's rules if it is from a Ruby file."""
    expression, zone = split_zone(text)
    if zone:
        yield "tz", _zone(where, zone)
    yield "cron", as_debians(expression) if is_rubys else expression


def as_debians(expression: str) -> str:
    """A cron expression by Debian cron's rules with the same due instants as by fugit's, which Ruby's files have.

    If both day fields are restricted, fugit accepts either, even if one starts with a star (`0 0 */2 * 1-5`). To
    fugit a weekday with a step (`3/2`) is that weekday alone.
    """
    fields = WORDS.get(expression.lower(), expression).split()
    if len(fields) not in (5, 6):
        return expression
    day, weekday = fields[-3], ",".join(re.sub(r"^(\w+)/\d+$", r"\1", term) for term in fields[-1].split(","))
    if day in _EVERY_DAY:
        day = "*"
    elif weekday != "*":
        day, weekday = re.sub(r"^\*?/", "1-31/", day), re.sub(r"^\*?/", "0-6/", weekday)
    fields[-3], fields[-1] = day, weekday
    return expression if expression.startswith("@") else " ".join(fields)


def _zone(where: str, text: str) -> str | timezone:
    """The zone's name, or an offset from UTC: Z, +09:00. Raises DeclarationError."""
    if not text.startswith(("+", "-")):
        return "UTC" if text == "Z" else text
    try:
        found = datetime.strptime(text, "%z").tzinfo
    except ValueError:
        raise DeclarationError(f"{where}unknown time zone {text!r}; write an offset as +09:00") from None
    assert isinstance(found, timezone)  # noqa: S101  # %z always gives this type
    return found


def _dates_in(args: object) -> Iterator[date]:
    """The dates and times that YAML reads without quotes, at any depth."""
    if isinstance(args, date):  # a datetime is one, too
        yield args
    for inner in args.values() if isinstance(args, dict) else args if isinstance(args, list) else ():
        yield from _dates_in(inner)


def _arguments(args: object, values: Mapping[str, Any]) -> list[object]:
    """The arguments as a list. Ruby's files may add the due instant as the last one."""
    listed = [] if args is None else list(args) if isinstance(args, list) else [args]
    listed += [DUE_TIMESTAMP] if values.get("date_as_argument") is True else []
    return listed + ([DUE_METADATA] if values.get("include_metadata") is True else [])
