"""Rules of `check` about triggers: large steps, days moved astray, conditions that are never true."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from clock.lint.condition_trial import Answers, ask
from clock.timetable import Event
from clock.timetable.explanation import CRON
from clock.timetable.triggers.cron import fields_of
from clock.timetable.triggers.cron_fields import DAY, HOUR, MINUTE, MONTH, SECOND, WEEKDAY, numbers
from clock.timetable.triggers.holidays import Except
from clock.timetable.triggers.intervals import Trigger

YEAR_SECONDS = 366 * 86_400
MOST_ASKED = 600_000  # due instants for which a condition is asked: a year of minutes
MOST_MOVED = 2_000  # due instants that are compared with those without holidays


@dataclass(frozen=True, slots=True)
class LargeStep:
    """A step of a cron field that leaves one value: `*/90` of the minutes is minute 0."""

    term: str
    field: str
    value: int


def large_steps(event: Event) -> Iterator[LargeStep]:
    """The steps of the event's cron expression that are larger than their field."""
    if not event.schedule.startswith(CRON):
        return
    texts = fields_of(event.schedule.removeprefix(CRON))
    for field, text in zip((SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY), texts, strict=True):
        for term in text.removesuffix("&").split(","):
            _, _, step = term.partition("/")
            if step.isdecimal() and int(step) > field.high - field.low:
                [value] = numbers(field, term)
                yield LargeStep(term, field.name, value)


def quartz_weekday(event: Event) -> str:
    """The weekday field of the event's cron expression, if it may be from Quartz, which counts from Sunday as 1.

    Only Quartz requires a `?` in one of the day fields. Empty: another expression, or no number in the field.
    """
    if not event.schedule.startswith(CRON):
        return ""
    *_, day, _, weekday = fields_of(event.schedule.removeprefix(CRON))
    return weekday if day == "?" and re.search(r"(?<![#/])\d", weekday) else ""


def moved_astray(event: Event, start: datetime) -> datetime | None:
    """The first due instant in a year that `except_on` moves to a weekday which the event's own rule excludes."""
    moving = _moving(event.trigger)
    if moving is None:
        return None
    first = int(start.timestamp())
    own = {_local(due, event).weekday() for due in _dues(moving.trigger, first)}
    moved = (_local(due, event) for due in _dues(moving, first))
    return next((due for due in moved if due.weekday() not in own), None) if len(own) > 1 else None


def asked_for_a_year(event: Event, condition: Callable[[datetime], object], start: datetime) -> Answers:
    """The answers of the event's condition at the due instants of a year, until it accepts an instant.

    A condition that cannot be tried, or would be asked more often than every minute, is not judged.
    """
    asked = islice(_asked(event, start), MOST_ASKED)
    answers = ask(condition, (_local(due, event) for due in asked))
    return answers if answers.refused < MOST_ASKED else Answers()


def _asked(event: Event, start: datetime) -> Iterable[int]:
    """The instants of a year at which the condition is asked, as long as it refuses."""
    first, anchor = int(start.timestamp()), start.replace(microsecond=0)
    if event.asks_again:
        counted = event.counted_from("", anchor=anchor, previous=None)
        return event.asked_between(first - 1, first + YEAR_SECONDS, anchor=anchor, counted=counted)
    return event.due_between(first, first + YEAR_SECONDS, anchor=anchor)


def _moving(trigger: Trigger | None) -> Except | None:
    while trigger is not None and not (isinstance(trigger, Except) and trigger.otherwise != "skip"):
        trigger = getattr(trigger, "trigger", None)
    return trigger


def _dues(trigger: Trigger, first: int) -> Iterator[int]:
    return islice(iter(trigger.due_between(first, first + YEAR_SECONDS, first, None)), MOST_MOVED)


def _local(due: int, event: Event) -> datetime:
    return datetime.fromtimestamp(due, event.zone)
