"""Possible mistakes in a clock file that loads: each finding has its place and, if there is one, a date.

Every rule is a function that yields findings; `RULES` lists them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path
from types import CodeType
from zoneinfo import ZoneInfo

from clock.errors import NoEvents, described
from clock.lint.dst_hazards import elapsed_periods, hazards_of
from clock.lint.job_names import naming_warning
from clock.lint.trigger_rules import asked_for_a_year, large_steps, moved_astray, quartz_weekday
from clock.rehearsal.coincidence import coincidences
from clock.rehearsal.event_job import job_class_of, push_of, queue_of
from clock.timetable import Event, Settings, Timetable
from clock.timetable.clock_file.loading.loading_work import work_while_loading
from clock.timetable.naming import LONGEST, shortened
from clock.timetable.triggers.zone_offsets import zone_changes

HAZARD_DAYS = 3 * 365
LOOK_DAYS = 30  # events that fire together are looked for in so many days
THUNDERING = 4  # so many events at the start of an hour are a herd
SHOWN = 5  # names in one finding
RARE = timedelta(days=366)
_FIXED = {
    "EST": "America/New_York", "MST": "America/Denver", "HST": "Pacific/Honolulu", "CET": "Europe/Berlin",
    "EET": "Europe/Helsinki", "WET": "Europe/Lisbon",
}  # fmt: skip
_MISTAKES = (TypeError, NameError, AttributeError, ArithmeticError, SystemExit)  # with any database or environment
_TIME_NAMES = {"now", "utcnow", "today", "time", "time_ns", "localtime", "gmtime"}
_TIME_MODULES = {"datetime", "date", "time", "dt", "timezone"}
_TASK_CALLS = {"create_task", "ensure_future", "get_running_loop"}
_NUMBER = re.compile(r" \(\d+\)$")  # of the second event with one made name
_LOOP_CALLS = {"run", "Runner", "run_until_complete"}


@dataclass(frozen=True, slots=True)
class Finding:
    """A possible mistake: an `error` or a `warning`, with its rule, its place (file:line), and its date."""

    level: str
    rule: str
    event: str
    source: str
    text: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """The subject of checks: the timetable, the first instant, and the workers' queues (None: unknown)."""

    timetable: Timetable
    start: datetime
    queues: Sequence[str] | None = None


def findings(look: Look) -> list[Finding]:
    """All findings, in the order of the rules."""
    return [finding for rule in RULES for finding in rule(look)]


def event_findings(event: Event, now: datetime) -> list[Finding]:
    """The findings about one event by itself, from `now` on. No code of the event is called."""
    look = Look(Timetable(Path(), [event], Settings(event.zone)), now.replace(microsecond=0))
    return [finding for rule in RULES_OF_ONE for finding in rule(look)]


def _warn(rule: str, event: Event, text: str, at: datetime | None = None) -> Finding:
    return Finding("warning", rule, event.name, event.source, text, at)


def no_events(look: Look) -> Iterator[Finding]:
    """A file that declares nothing: `clock run` refuses it."""
    if look.timetable.is_empty:
        yield Finding("error", "empty", "", f"{look.timetable.path}:1", NoEvents.TEXT)


def dst_hazards(look: Look) -> Iterator[Finding]:
    """Times of day that a night of changed clocks skips or has twice."""
    for event in look.timetable.events:
        for hazard in hazards_of(event, look.start, look.start + timedelta(days=HAZARD_DAYS)):
            yield _warn("dst", event, hazard.text, hazard.at)


def never_fires(look: Look) -> Iterator[Finding]:
    """Events that never fire, or hardly ever."""
    for event in look.timetable.events:
        due = event.next_after(look.start, anchor=look.start)
        if due is None:
            yield _warn("never", event, "it never runs")
        elif due - look.start > RARE:
            yield _warn("never", event, f"it does not run before {due.astimezone(event.zone):%a %d %b %Y}", due)


def coinciding_events(look: Look) -> Iterator[Finding]:
    """Several events at one instant, other than those that fire often anyway."""
    fires = ((event.name, dues) for event, dues in _in_look(look))
    for names, dues in coincidences(fires, LOOK_DAYS).items():
        first = look.timetable.event(names[0])
        times = f"{len(dues)} times in {LOOK_DAYS} days, first" if len(dues) > 1 else f"once in {LOOK_DAYS} days,"
        when = datetime.fromtimestamp(min(dues), first.zone)
        others = _some(names[1:])
        yield _warn("together", first, f"it runs together with {others}: {times} {when:%a %d %b %Y %H:%M}", when)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN:,} others"


def thundering(look: Look) -> Iterator[Finding]:
    """Many events on the hour."""
    on_hour: dict[int, list[Event]] = defaultdict(list)
    for event, fires in _in_look(look):
        for due in fires:
            if due % 3600 == 0:
                on_hour[due].append(event)
    due, events = max(on_hour.items(), key=lambda item: (len(item[1]), -item[0]), default=(0, []))
    if len(events) >= THUNDERING:
        when = datetime.fromtimestamp(due, events[0].zone)
        text = f"{len(events)} events run on the hour at {when:%a %d %b %Y %H:%M}; .spread(...) spreads them"
        yield _warn("thundering", events[0], text, when)


def cron_steps(look: Look) -> Iterator[Finding]:
    """Steps of cron expressions that leave one value."""
    for event in look.timetable.events:
        for step in large_steps(event):
            text = f"{step.term!r} is {step.field} {step.value} alone, because the step is larger than the field"
            hint = "; every 90 minutes is every(90).minutes" if step.field == "minute" else ""
            yield _warn("step", event, text + hint)


def quartz_weekdays(look: Look) -> Iterator[Finding]:
    """Numbers of weekdays in a cron expression that may be from Quartz."""
    for event in look.timetable.events:
        if weekday := quartz_weekday(event):
            text = (
                f"weekday {weekday!r}: Monday is 1 here, and 2 in Quartz, which '?' comes from; write names: mon"
            )
            yield _warn("weekday", event, text)


def moved_days(look: Look) -> Iterator[Finding]:
    """Events that holidays move to a day which their own rule excludes."""
    for event in look.timetable.events:
        at = moved_astray(event, look.start)
        if at is not None:
            text = f"except_on moves it to {at:%A %d %b %Y}, a weekday on which its own rule never runs it"
            yield _warn("moved", event, f"{text}; .weekday moves to weekdays only", at)


def refuses_everything(look: Look) -> Iterator[Finding]:
    """Events whose condition is never true in a year, or has a mistake.

    Skips conditions that read the time or environment variables. Other errors may come from a missing database,
    file or variable, so they are not reported.
    """
    for event in look.timetable.events:
        if event.condition is None or _asks_the_time(event) or _reads_the_environment(event):
            continue
        count, error = asked_for_a_year(event, event.condition, look.start)
        if count:
            yield _warn(
                "if", event, f"its condition is false at each of its next {count} due instants: it never runs"
            )
        elif isinstance(error, _MISTAKES):
            yield _warn("if", event, f"its condition failed at its next due instant: {described(error)}")


def differs(first: Timetable, second: Timetable) -> Iterator[Finding]:
    """Events that two loads of one clock file declare in two ways: by random numbers, the time, a set's order."""
    for event in first.events:
        other = second.by_name.get(event.name)
        if other is None or other.declaration != event.declaration:
            declared = f"{event.declaration!r} and {other.declaration!r}" if other else "once it is missing"
            text = (
                f"two loads of the file differ: {declared}. Each start gives it a new anchor, and other commands"
            )
            yield _warn("differs", event, f"{text} show other runs; .spread(length, salt=...) is stable")


def looks_like_wall_time(look: Look) -> Iterator[Finding]:
    """Intervals of elapsed time that are taken for times of day."""
    for event in look.timetable.events:
        periods = [period for period in elapsed_periods(event.trigger) if not period % timedelta(hours=12)]
        change = next(zone_changes(event.zone, look.start, look.start + RARE), None)
        if periods and change:
            text = (
                f"every {periods[0] // timedelta(hours=1)} hours is elapsed time: from {change.shown:%a %d %b %Y} "
                "on it runs at another time of day; count in days to keep it"
            )
            yield _warn("elapsed", event, text, change.at)


def fixed_zones(look: Look) -> Iterator[Finding]:
    """Zones with one offset for the whole year, if a zone with summer time may be meant."""
    for event in look.timetable.events:
        name = _fixed(event.zone)
        if name:
            near = f"; did you mean {_FIXED[name]!r}?" if name in _FIXED else ""
            yield _warn("zone", event, f"the zone {name} is a fixed offset or rule, not a place{near}")


def _fixed(zone: tzinfo) -> str | None:
    if isinstance(zone, timezone):
        return str(zone) if zone.utcoffset(None) else None
    key = zone.key if isinstance(zone, ZoneInfo) else ""
    return key if key in _FIXED or (key.startswith("Etc/GMT") and key[7:] not in ("", "0", "+0", "-0")) else None


def names(look: Look) -> Iterator[Finding]:
    """Jobs that are not named as is the custom: VerbNounsJob."""
    seen: set[object] = set()
    for event in look.timetable.events:
        job = job_class_of(event)
        text = naming_warning(job) if job is not None and job not in seen else None
        if job is not None and text:
            seen.add(job)
            yield _warn("name", event, text)


def unserved_queues(look: Look) -> Iterator[Finding]:
    """Jobs whose queue no worker takes."""
    if look.queues is None:
        return
    for event in look.timetable.events:
        queue = queue_of(event)
        if queue is not None and queue not in look.queues:
            taken = ", ".join(look.queues)
            text = f"its job goes to the queue {queue!r}, but workers with these settings process only {taken}"
            yield _warn("queue", event, f"{text}; add it to the setting queues, or start a worker with -q {queue}")


def reads_the_time(look: Look) -> Iterator[Finding]:
    """Conditions that ask what time it is, instead of looking at the due instant."""
    for event in look.timetable.events:
        call = _asks_the_time(event)
        if call:
            text = f"its if_ reads the current time ({call}), which is later if the run is caught up; use due"
            yield _warn("if", event, text)


def _asks_the_time(event: Event) -> str | None:
    code = getattr(event.condition, "__code__", None)
    return _time_call(code) if isinstance(code, CodeType) else None


def _reads_the_environment(event: Event) -> bool:
    """Whether the condition reads environment variables, which differ in production."""
    code = getattr(event.condition, "__code__", None)
    return isinstance(code, CodeType) and bool({"environ", "getenv"} & set(code.co_names))


def _time_call(code: CodeType) -> str | None:
    """The functions by which the code reads the time, also within its inner functions."""
    asks, modules = _TIME_NAMES & set(code.co_names), _TIME_MODULES & set(code.co_names)
    if asks and modules:
        return f"{sorted(modules)[0]}.{sorted(asks - modules or asks)[0]}"
    nested = (_time_call(part) for part in code.co_consts if isinstance(part, CodeType))
    return next((found for found in nested if found), None)


def needs_an_event_loop(look: Look) -> Iterator[Finding]:
    """Functions that start asyncio tasks, which never run: the clock has no event loop."""
    for event in look.timetable.events:
        code = getattr(getattr(event.action, "function", None), "__code__", None)
        called = set(code.co_names) if isinstance(code, CodeType) else set[str]()
        if called & _TASK_CALLS and not called & _LOOP_CALLS:
            text = f"it calls {min(called & _TASK_CALLS)}, but the clock has no event loop, so the task never runs"
            yield _warn("loop", event, f"{text}; use asyncio.run(work()), or a job with async def perform")


def pushed_by_a_function(look: Look) -> Iterator[Finding]:
    """Pushing methods of a job as the event's function: its arguments are first checked when it fires."""
    for event in look.timetable.events:
        push = push_of(event)
        if push is not None:
            text = (
                f"{push.method} is a function for the clock, so the job's arguments and queue are not checked here"
            )
            yield _warn("push", event, f"{text}; write do({push.instead})")


def declared_twice(look: Look) -> Iterator[Finding]:
    """Events without a given name that repeat an earlier event: the second one gets a number."""
    for event in look.timetable.events:
        first = look.timetable.by_name.get(_NUMBER.sub("", event.name))
        if first is not None and first is not event and _is_repeated(first, event):
            text = f"it repeats the event of {first.source}, so its action runs twice at each due instant"
            yield _warn("twice", event, f"{text}; remove one of them, or give each a name: .named(...)")


def _is_repeated(first: Event, second: Event) -> bool:
    """Whether both have one declaration, action and options, and names that clock has made."""
    made = shortened(f"{first.action} {first.schedule}")[: LONGEST - 10]
    same = (first.declaration, first.action, first.options) == (second.declaration, second.action, second.options)
    return same and first.name.startswith(made)


def _in_look(look: Look) -> Iterator[tuple[Event, list[int]]]:
    """Each event with its due instants in the days that are looked at."""
    first = int(look.start.timestamp())
    for event in look.timetable.events:
        yield event, list(event.due_between(first, first + LOOK_DAYS * 86400, anchor=look.start))


def works_while_loading(look: Look) -> Iterator[Finding]:
    """Calls that do work each time that the clock file is loaded, and those in its loop, which are not run."""
    path = look.timetable.path
    for work in work_while_loading(path) if path.suffix == ".py" and path.is_file() else ():
        text = f"this runs each time that the file is loaded, by every command: {work.text}"
        if work.is_in_loop:
            text = f"the clock does not run the file's own loop, so it does not run {work.text}: make it an event"
        yield Finding("warning", "loading", "", f"{path}:{work.line}", text)


RULES: tuple[Callable[[Look], Iterator[Finding]], ...] = (
    no_events,
    works_while_loading,
    never_fires,
    cron_steps,
    quartz_weekdays,
    moved_days,
    refuses_everything,
    dst_hazards,
    looks_like_wall_time,
    fixed_zones,
    coinciding_events,
    thundering,
    reads_the_time,
    needs_an_event_loop,
    pushed_by_a_function,
    declared_twice,
    unserved_queues,
    names,
)

#: Rules that need no other event, and call no code of the event.
RULES_OF_ONE: tuple[Callable[[Look], Iterator[Finding]], ...] = (
    never_fires,
    cron_steps,
    quartz_weekdays,
    moved_days,
    dst_hazards,
    looks_like_wall_time,
    fixed_zones,
    reads_the_time,
    needs_an_event_loop,
    pushed_by_a_function,
)
