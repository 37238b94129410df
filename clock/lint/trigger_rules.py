"""Rules of `check` about triggers and conditions: DST, cron expressions, holidays, refused instants."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone, tzinfo
from itertools import islice
from types import CodeType
from zoneinfo import ZoneInfo

from clock.errors import described
from clock.lint.condition_trial import ask
from clock.lint.dst_hazards import elapsed_periods, hazards_of
from clock.lint.finding import Finding, Look, of_each_event, warn
from clock.timetable import Event
from clock.timetable.explanation import CRON
from clock.timetable.triggers.cron import fields_of
from clock.timetable.triggers.cron_fields import FIELDS, numbers
from clock.timetable.triggers.holidays import Except
from clock.timetable.triggers.intervals import Trigger
from clock.timetable.triggers.zone_offsets import zone_changes

HAZARD_DAYS = 3 * 365
YEAR_SECONDS = 366 * 86_400
RARE = timedelta(days=366)
MOST_ASKED = 600_000  # due instants for which a condition is asked: a year of minutes
MOST_MOVED = 2_000  # due instants that are compared with those without holidays
_FIXED = {
    "EST": "America/New_York", "MST": "America/Denver", "HST": "Pacific/Honolulu", "CET": "Europe/Berlin",
    "EET": "Europe/Helsinki", "WET": "Europe/Lisbon",
}  # fmt: skip
_MISTAKES = (TypeError, NameError, AttributeError, ArithmeticError, SystemExit)  # with any database or environment
_TIME_NAMES = {"now", "utcnow", "today", "time", "time_ns", "localtime", "gmtime"}
_TIME_MODULES = {"datetime", "date", "time", "dt", "timezone"}


@of_each_event
def dst_hazards(event: Event, look: Look) -> Iterator[Finding]:
    """Times of day that a night of changed clocks skips or has twice."""
    for hazard in hazards_of(event, look.start, look.start + timedelta(days=HAZARD_DAYS)):
        yield warn("dst", event, hazard.text, hazard.at)


@of_each_event
def never_fires(event: Event, look: Look) -> Iterator[Finding]:
    """Events that never fire, or hardly ever."""
    due = event.next_after(look.start, anchor=look.start)
    if due is None:
        yield warn("never", event, "it never runs")
    elif due - look.start > RARE:
        yield warn("never", event, f"it does not run before {due.astimezone(event.zone):%a %d %b %Y}", due)


@of_each_event
def cron_steps(event: Event, look: Look) -> Iterator[Finding]:
    """Steps of cron expressions that leave one value: `*/90` of the minutes is minute 0."""
    for field, terms in zip(FIELDS, _cron_fields(event), strict=False):
        for term in terms.removesuffix("&").split(","):
            _, _, step = term.partition("/")
            if step.isdecimal() and int(step) > field.high - field.low:
                [value] = numbers(field, term)
                text = f"{term!r} is {field.name} {value} alone, because the step is larger than the field"
                hint = "; every 90 minutes is every(90).minutes" if field.name == "minute" else ""
                yield warn("step", event, text + hint)


@of_each_event
def quartz_weekdays(event: Event, look: Look) -> Iterator[Finding]:
    """Numbers of weekdays in a cron expression that may be from Quartz, which counts from Sunday as 1.

    Only Quartz requires a `?` in one of the day fields.
    """
    *_, day, _, weekday = _cron_fields(event) or ["", "", ""]
    if day == "?" and re.search(r"(?<![#/])\d", weekday):
        text = f"weekday {weekday!r}: Monday is 1 here, and 2 in Quartz, which '?' comes from; write names: mon"
        yield warn("weekday", event, text)


def _cron_fields(event: Event) -> list[str]:
    """The six fields of the event's cron expression; none of another trigger."""
    return fields_of(event.schedule.removeprefix(CRON)) if event.schedule.startswith(CRON) else []


@of_each_event
def moved_days(event: Event, look: Look) -> Iterator[Finding]:
    """Events that holidays move to a weekday which their own rule excludes; in a year."""
    moving: Trigger | None = event.trigger
    while moving is not None and not (isinstance(moving, Except) and moving.otherwise != "skip"):
        moving = getattr(moving, "trigger", None)
    if not isinstance(moving, Except):
        return
    first = int(look.start.timestamp())
    own = {_local(due, event).weekday() for due in _dues(moving.trigger, first)}
    moved = (_local(due, event) for due in _dues(moving, first))
    at = next((due for due in moved if due.weekday() not in own), None) if len(own) > 1 else None
    if at is not None:
        text = f"except_on moves it to {at:%A %d %b %Y}, a weekday on which its own rule never runs it"
        yield warn("moved", event, f"{text}; .weekday moves to weekdays only", at)


def _dues(trigger: Trigger, first: int) -> Iterator[int]:
    return islice(iter(trigger.due_between(first, first + YEAR_SECONDS, first, None)), MOST_MOVED)


def _local(due: int, event: Event) -> datetime:
    return datetime.fromtimestamp(due, event.zone)


@of_each_event
def looks_like_wall_time(event: Event, look: Look) -> Iterator[Finding]:
    """Intervals of elapsed time that are taken for times of day."""
    periods = [period for period in elapsed_periods(event.trigger) if not period % timedelta(hours=12)]
    change = next(zone_changes(event.zone, look.start, look.start + RARE), None)
    if periods and change:
        text = (
            f"every {periods[0] // timedelta(hours=1)} hours is elapsed time: from {change.shown:%a %d %b %Y} "
            "on it runs at another time of day; count in days to keep it"
        )
        yield warn("elapsed", event, text, change.at)


@of_each_event
def fixed_zones(event: Event, look: Look) -> Iterator[Finding]:
    """Zones with one offset for the whole year, if a zone with summer time may be meant."""
    if name := _fixed(event.zone):
        near = f"; did you mean {_FIXED[name]!r}?" if name in _FIXED else ""
        yield warn("zone", event, f"the zone {name} is a fixed offset or rule, not a place{near}")


def _fixed(zone: tzinfo) -> str | None:
    if isinstance(zone, timezone):
        return str(zone) if zone.utcoffset(None) else None
    key = zone.key if isinstance(zone, ZoneInfo) else ""
    return key if key in _FIXED or (key.startswith("Etc/GMT") and key[7:] not in ("", "0", "+0", "-0")) else None


@of_each_event
def refuses_everything(event: Event, look: Look) -> Iterator[Finding]:
    """Events whose condition is never true in a year, or has a mistake.

    Skips conditions that read the time or environment variables. Other errors may come from a missing database,
    file or variable, so they are not reported. A condition that would be asked more often than every minute is not
    judged.
    """
    if event.condition is None or _asks_the_time(event) or {"environ", "getenv"} & names_in(event.condition):
        return
    asked = islice(_asked(event, look.start), MOST_ASKED)
    count, error = ask(event.condition, (_local(due, event) for due in asked))
    if 0 < count < MOST_ASKED:
        text = f"its condition is false at each of its next {count} due instants: it never runs"
        yield warn("if", event, text)
    elif isinstance(error, _MISTAKES):
        yield warn("if", event, f"its condition failed at its next due instant: {described(error)}")


def _asked(event: Event, start: datetime) -> Iterable[int]:
    """The instants of a year at which the condition is asked, as long as it refuses."""
    first, anchor = int(start.timestamp()), start.replace(microsecond=0)
    if event.options.asks_again:
        counted = event.counted_from("", anchor=anchor, previous=None)
        return event.asked_between(first - 1, first + YEAR_SECONDS, anchor=anchor, counted=counted)
    return event.due_between(first, first + YEAR_SECONDS, anchor=anchor)


def names_in(function: object) -> set[str]:
    """The global names and attributes in the code of a function."""
    code = getattr(function, "__code__", None)
    return set(code.co_names) if isinstance(code, CodeType) else set()


@of_each_event
def reads_the_time(event: Event, look: Look) -> Iterator[Finding]:
    """Conditions that ask what time it is, instead of looking at the due instant."""
    if call := _asks_the_time(event):
        text = f"its if_ reads the current time ({call}), which is later if the run is caught up; use due"
        yield warn("if", event, text)


def _asks_the_time(event: Event) -> str | None:
    code = getattr(event.condition, "__code__", None)
    return _time_call(code) if isinstance(code, CodeType) else None


def _time_call(code: CodeType) -> str | None:
    """The functions by which the code reads the time, also within its inner functions."""
    asks, modules = _TIME_NAMES & set(code.co_names), _TIME_MODULES & set(code.co_names)
    if asks and modules:
        return f"{sorted(modules)[0]}.{sorted(asks - modules or asks)[0]}"
    nested = (_time_call(part) for part in code.co_consts if isinstance(part, CodeType))
    return next((found for found in nested if found), None)
