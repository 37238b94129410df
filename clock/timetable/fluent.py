"""The fluent form: `every().day.at("06:00").do(SomeJob)`.

The grammar is the `schedule` package's: its `Job` reads the words, and we read its fields. Its loop, its naive
times and its zones are not used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, time, timedelta, tzinfo
from functools import partial
from typing import Any

import schedule

from clock.errors import ArgumentsError, DeclarationError
from clock.timetable import draft
from clock.timetable.action import Action, Call, Enqueue, Enqueueable
from clock.timetable.days import WEEKDAYS
from clock.timetable.draft import Draft, Entry
from clock.timetable.event import CatchUp, Overlap
from clock.timetable.local_time import DAY, HOUR, MINUTE, to_seconds
from clock.timetable.options import check_option
from clock.timetable.triggers import (
    Days,
    EachHour,
    Elapsed,
    Hours,
    Minutes,
    RandomGaps,
    Trigger,
    Union,
    Until,
)

_UNITS = {"seconds": 1, "minutes": MINUTE, "hours": HOUR, "days": DAY, "weeks": 7 * DAY}


class FluentJob(schedule.Job):
    """What `every(n)` returns, and each word after it; `.do(...)` ends it."""

    def __init__(self, interval: int) -> None:
        super().__init__(interval)
        draft.current()
        self._entry = Entry(draft.where())
        self._times: list[time] = []
        _check_interval(self._entry.source, interval)

    def at(self, time_str: str | list[str], tz: str | tzinfo | None = None) -> FluentJob:
        """At a time of the unit: "HH:MM[:SS]" of days and weekdays, ":MM" or "MM:SS" of hours, ":SS" of minutes.

        A list gives several. `tz` is the zone of this event. Raises DeclarationError.
        """
        times = time_str if isinstance(time_str, list) else [time_str]
        if not times:
            raise self._error("at is an empty list; name at least one time")
        for text in times:
            try:
                super().at(text)
            except (schedule.ScheduleError, TypeError, ValueError) as error:
                raise self._error(
                    f'at is {text!r}: {error}; accepted are "06:00" or "06:00:30" of days and weekdays, '
                    '":30" or "30:15" of hours, ":15" of minutes'
                ) from None
            self._times.append(self.at_time or time())
        if tz is not None:
            self._entry.zone = draft.zone_named(tz)
        return self

    def until(self, until_time: Any) -> FluentJob:
        """Not after this moment: a datetime or "2026-12-31 18:00"; a naive one is in the event's zone."""
        moment = until_time
        if isinstance(moment, str):
            try:
                moment = datetime.fromisoformat(moment)
            except ValueError:
                raise self._error(f'until is {until_time!r}; accepted is "2026-12-31 18:00"') from None
        if not isinstance(moment, datetime):
            raise self._error(f"until is {until_time!r}; a datetime is wanted")
        self._entry.until = moment
        return self

    def named(self, name: str) -> FluentJob:
        """Give the event a name, to be found by in logs, in Redis and on the command line."""
        if not isinstance(name, str) or not name.strip():
            raise self._error(f"the name is {name!r}; it must be text that is not empty")
        self._entry.name = name
        return self

    def if_(self, condition: Callable[[datetime], object]) -> FluentJob:
        """Fire only where `condition(due)` is true; `due` is the due instant in the event's zone."""
        check_option(f"{draft.where()}: ", "if_", condition)
        self._entry.condition = condition
        return self

    def thread(self, on: bool = True) -> FluentJob:
        """Run the action on a thread of its own, so that a slow one does not hold up the clock."""
        check_option(f"{draft.where()}: ", "thread", on)
        self._entry.thread = on
        return self

    def catch_up(self, which: CatchUp, within: timedelta | None = None) -> FluentJob:
        """What becomes of instants that were due while no clock ran: "latest", "all" or "skip"."""
        check_option(f"{draft.where()}: ", "catch_up", which)
        if within is not None:
            check_option(f"{draft.where()}: ", "catch_up_within", within)
        self._entry.catch_up = which
        self._entry.catch_up_within = within
        return self

    def overlap(self, which: Overlap) -> FluentJob:
        """What becomes of a due instant while the job of the one before is still at work.

        "allow" enqueues all the same, "skip" passes over it, "queue_one" lets one wait.
        """
        check_option(f"{draft.where()}: ", "overlap", which)
        self._entry.overlap = which
        return self

    def describe(self, text: str) -> FluentJob:
        """Say in a sentence what the event is for."""
        check_option(f"{draft.where()}: ", "description", text)
        self._entry.description = text
        return self

    def do(self, job_func: Any, *args: Any, **kwargs: Any) -> FluentJob:
        """End the declaration: enqueue a job class, or call a function in the clock. Raises DeclarationError."""
        entry = self._entry
        entry.tags = set(self.tags)
        action = self._action(job_func, args, kwargs)
        entry.action = partial(_given, action)
        entry.schedule = self._words()
        self._check()
        entry.make_trigger = self._trigger
        draft.current().entries.append(entry)
        return self

    def _action(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Action:
        if isinstance(function, Enqueueable):
            if kwargs:
                raise self._error(
                    f"{function.wire_name} is given {sorted(kwargs)} by name; a job's arguments have none"
                )
            action = Enqueue(function, args)
            try:
                action.check()
            except ArgumentsError as error:
                raise self._error(str(error)) from None
            return action
        if not callable(function):
            raise self._error(f"do is given {function!r}; a job class or a function is wanted")
        return Call(function, args, kwargs)

    def _check(self) -> None:
        if self.unit is None:
            raise self._error("the unit is missing; write every(10).minutes or every().day")
        if self.latest is not None and not (isinstance(self.latest, int) and self.latest >= self.interval):
            raise self._error(f"every({self.interval}).to({self.latest!r}): the second number must not be smaller")
        if self.latest is not None and (self._times or self.start_day):
            raise self._error("to(...) draws its times; it cannot be joined with at(...) or a weekday")

    def _words(self) -> str:
        unit = self.start_day or self.unit or "?"
        span = str(self.interval) + (f" to {self.latest}" if self.latest is not None else "")
        words = f"every {unit.removesuffix('s')}" if span == "1" else f"every {span} {unit}"
        if self._times:
            words += " at " + ", ".join(self._shown(at) for at in self._times)
        return words

    def _shown(self, at: time) -> str:
        if self.unit == "minutes":
            return f":{at.second:02}"
        if self.unit == "hours":
            return f":{at.minute:02}" + (f":{at.second:02}" if at.second else "")
        return at.isoformat("seconds" if at.second else "minutes")

    def _trigger(self, zone: tzinfo, name: str) -> Trigger:
        times = tuple(sorted({(at.hour * 60 + at.minute) * 60 + at.second for at in self._times}))
        trigger = self._at_trigger(times, zone) if times else self._plain(zone, name)
        if self._entry.until is None:
            return trigger
        last = self._entry.until
        return Until(trigger, to_seconds(last if last.tzinfo else last.replace(tzinfo=zone)))

    def _plain(self, zone: tzinfo, name: str) -> Trigger:
        unit = _UNITS[self.unit or "days"]
        if self.latest is not None:
            return RandomGaps(name, self.interval, self.latest, unit)
        if self.start_day:
            return Days(zone, 7, weekday=WEEKDAYS.index(self.start_day))
        if unit >= DAY:
            return Days(zone, self.interval * unit // DAY, first=1)
        return Elapsed(self.interval * unit)

    def _at_trigger(self, times: tuple[int, ...], zone: tzinfo) -> Trigger:
        """The trigger for times of the unit, each in seconds from the unit's beginning."""
        if self.start_day:
            return Days(zone, 7, times, WEEKDAYS.index(self.start_day))
        if self.unit == "days":
            return Days(zone, self.interval, times, first=0 if self.interval == 1 else 1)
        if self.unit == "hours" and self.interval == 1:
            return EachHour(zone, times)
        if self.unit == "hours":
            return _union([Hours(zone, self.interval, mark) for mark in times])
        return _union([Minutes(self.interval, second) for second in times])

    def _error(self, text: str) -> DeclarationError:
        return DeclarationError(f"{draft.where()}: {text}")


def _union(triggers: Sequence[Trigger]) -> Trigger:
    return triggers[0] if len(triggers) == 1 else Union(triggers)


def _given(action: Action, _draft: Draft) -> Action:
    return action


def _check_interval(source: str, interval: object) -> None:
    if isinstance(interval, bool) or not isinstance(interval, int) or interval < 1:
        raise DeclarationError(f"{source}: every({interval!r}): a whole number above 0 is wanted")
