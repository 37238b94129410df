"""Possible mistakes in a clock file that loads.

Every rule is a function that yields findings; `RULES` lists them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from clock.errors import NoEvents
from clock.job.context import JobClass
from clock.lint.finding import Finding, Look, Rule, of_each_event, warn
from clock.lint.trigger_rules import (
    cron_steps,
    dst_hazards,
    fixed_zones,
    looks_like_wall_time,
    moved_days,
    names_in,
    never_fires,
    quartz_weekdays,
    reads_the_time,
    refuses_everything,
)
from clock.rehearsal.coincidence import coincidences
from clock.rehearsal.event_job import job_class_of, push_of, queue_of
from clock.timetable import Event, Settings, Timetable
from clock.timetable.clock_file.loading.loading_work import work_while_loading
from clock.timetable.naming import LONGEST, shortened

LOOK_DAYS = 30  # events that fire together are looked for in so many days
THUNDERING = 4  # so many events at the start of an hour are a herd
SHOWN = 5  # names in one finding
_TASK_CALLS = {"create_task", "ensure_future", "get_running_loop"}
_NUMBER = re.compile(r" \(\d+\)$")  # of the second event with one made name
_LOOP_CALLS = {"run", "Runner", "run_until_complete"}
_CAMEL_CASE = re.compile(r"[A-Z][A-Za-z0-9]*")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*")
_CUSTOM = "name jobs VerbNounsJob, such as SendReminderJob"


def findings(look: Look) -> list[Finding]:
    """All findings, in the order of the rules."""
    return [finding for rule in RULES for finding in rule(look)]


def event_findings(event: Event, now: datetime) -> list[Finding]:
    """The findings about one event by itself, from `now` on. No code of the event is called."""
    look = Look(Timetable(Path(), [event], Settings(event.zone)), now.replace(microsecond=0))
    return [finding for rule in RULES_OF_ONE for finding in rule(look)]


def no_events(look: Look) -> Iterator[Finding]:
    """A file that declares nothing: `clock run` refuses it."""
    if look.timetable.is_empty:
        yield Finding("error", "empty", "", f"{look.timetable.path}:1", NoEvents.TEXT)


def coinciding_events(look: Look) -> Iterator[Finding]:
    """Several events at one instant, other than those that fire often anyway."""
    fires = ((event.name, dues) for event, dues in _in_look(look))
    for names, dues in coincidences(fires, LOOK_DAYS).items():
        first = look.timetable.event(names[0])
        times = f"{len(dues)} times in {LOOK_DAYS} days, first" if len(dues) > 1 else f"once in {LOOK_DAYS} days,"
        when = datetime.fromtimestamp(min(dues), first.zone)
        others = _some(names[1:])
        yield warn("together", first, f"it runs together with {others}: {times} {when:%a %d %b %Y %H:%M}", when)


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
        yield warn("thundering", events[0], text, when)


def _in_look(look: Look) -> Iterator[tuple[Event, list[int]]]:
    """Each event with its due instants in the days that are looked at."""
    first = int(look.start.timestamp())
    for event in look.timetable.events:
        yield event, list(event.due_between(first, first + LOOK_DAYS * 86400, anchor=look.start))


def differs(first: Timetable, second: Timetable) -> Iterator[Finding]:
    """Events that two loads of one clock file declare in two ways: by random numbers, the time, a set's order."""
    for event in first.events:
        other = second.by_name.get(event.name)
        if other is None or other.declaration != event.declaration:
            declared = f"{event.declaration!r} and {other.declaration!r}" if other else "once it is missing"
            text = (
                f"two loads of the file differ: {declared}. Each start gives it a new anchor, and other commands"
            )
            yield warn("differs", event, f"{text} show other runs; .spread(length, salt=...) is stable")


def names(look: Look) -> Iterator[Finding]:
    """Jobs that are not named as is the custom: VerbNounsJob."""
    seen: set[object] = set()
    for event in look.timetable.events:
        job = job_class_of(event)
        text = naming_warning(job) if job is not None and job not in seen else None
        if text:
            seen.add(job)
            yield warn("name", event, text)


def naming_warning(job: JobClass) -> str | None:
    """The unusual thing in the name of a job class, or None. It is a custom, so another name is a warning."""
    name = job.__name__
    if job.perform.__qualname__ == job.__qualname__:
        return None  # a function with @job has a function's name
    words = _WORD.findall(name)
    if not _CAMEL_CASE.fullmatch(name):
        return f"{name} is not in CamelCase; {_CUSTOM}"
    if words[-1] != "Job":
        return f"{name} does not end in Job; {_CUSTOM}"
    if len(words) < 3:
        return f"{name} has {'one word' if len(words) == 2 else 'no words'} before Job; {_CUSTOM}"
    return None


@of_each_event
def unserved_queues(event: Event, look: Look) -> Iterator[Finding]:
    """Jobs whose queue no worker takes."""
    queue = queue_of(event)
    if queue is not None and look.queues is not None and queue not in look.queues:
        taken = ", ".join(look.queues)
        text = f"its job goes to the queue {queue!r}, but workers with these settings process only {taken}"
        yield warn("queue", event, f"{text}; add it to the setting queues, or start a worker with -q {queue}")


@of_each_event
def needs_an_event_loop(event: Event, look: Look) -> Iterator[Finding]:
    """Functions that start asyncio tasks, which never run: the clock has no event loop."""
    called = names_in(getattr(event.action, "function", None))
    if called & _TASK_CALLS and not called & _LOOP_CALLS:
        text = f"it calls {min(called & _TASK_CALLS)}, but the clock has no event loop, so the task never runs"
        yield warn("loop", event, f"{text}; use asyncio.run(work()), or a job with async def perform")


@of_each_event
def pushed_by_a_function(event: Event, look: Look) -> Iterator[Finding]:
    """Pushing methods of a job as the event's function: its arguments are first checked when it fires."""
    push = push_of(event)
    if push is not None:
        text = f"{push.method} is a function for the clock, so the job's arguments and queue are not checked here"
        yield warn("push", event, f"{text}; write do({push.instead})")


@of_each_event
def declared_twice(event: Event, look: Look) -> Iterator[Finding]:
    """Events without a given name that repeat an earlier event: the second one gets a number."""
    first = look.timetable.by_name.get(_NUMBER.sub("", event.name))
    if first is not None and first is not event and _is_repeated(first, event):
        text = f"it repeats the event of {first.source}, so its action runs twice at each due instant"
        yield warn("twice", event, f"{text}; remove one of them, or give each a name: .named(...)")


def _is_repeated(first: Event, second: Event) -> bool:
    """Whether both have one declaration, action and options, and names that clock has made."""
    made = shortened(f"{first.action} {first.schedule}")[: LONGEST - 10]
    same = (first.declaration, first.action, first.options) == (second.declaration, second.action, second.options)
    return same and first.name.startswith(made)


def works_while_loading(look: Look) -> Iterator[Finding]:
    """Calls that do work each time that the clock file is loaded, and those in its loop, which are not run."""
    path = look.timetable.path
    for work in work_while_loading(path) if path.suffix == ".py" and path.is_file() else ():
        text = f"this runs each time that the file is loaded, by every command: {work.text}"
        if work.is_in_loop:
            text = f"the clock does not run the file's own loop, so it does not run {work.text}: make it an event"
        yield Finding("warning", "loading", "", f"{path}:{work.line}", text)


RULES: tuple[Rule, ...] = (
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

#: Rules that need other events or the workers' queues, or call code of the event.
_OF_FILES = {no_events, works_while_loading, refuses_everything, coinciding_events, thundering, declared_twice}
RULES_OF_ONE = [rule for rule in RULES if rule not in {*_OF_FILES, unserved_queues, names}]
