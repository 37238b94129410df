"""The fluent form: `every().day.at("06:00").do(SomeJob)`.

The grammar is the `schedule` package's: its `Job` reads the words, and we read its fields. Its loop, its naive
times and its zones are not used.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time, tzinfo
from typing import Any

import schedule

from clock.timetable import draft
from clock.timetable.builder import Builder
from clock.timetable.days import WEEKDAYS
from clock.timetable.local_time import DAY, HOUR, MINUTE
from clock.timetable.periods import listed
from clock.timetable.triggers import (
    Days,
    EachHour,
    Elapsed,
    Hours,
    Minutes,
    RandomGaps,
    Trigger,
    Union,
)

_UNITS = {"seconds": 1, "minutes": MINUTE, "hours": HOUR, "days": DAY, "weeks": 7 * DAY}


class FluentJob(Builder):
    """What `every(n)` returns, and each word after it; `.do(...)` ends it."""

    # The package's properties, which say nothing of their types
    second: FluentJob
    seconds: FluentJob
    minute: FluentJob
    minutes: FluentJob
    hour: FluentJob
    hours: FluentJob
    day: FluentJob
    days: FluentJob
    week: FluentJob
    weeks: FluentJob
    monday: FluentJob
    tuesday: FluentJob
    wednesday: FluentJob
    thursday: FluentJob
    friday: FluentJob
    saturday: FluentJob
    sunday: FluentJob

    def __init__(self, interval: int, scheduler: schedule.Scheduler, *, source: str | None = None) -> None:
        super().__init__(interval, scheduler, source)
        self._times: list[time] = []
        if isinstance(interval, bool) or not isinstance(interval, int) or interval < 1:
            raise self._error(f"every({interval!r}): a whole number above 0 is wanted")

    def at(self, time_str: str | Sequence[str], tz: str | tzinfo | None = None) -> FluentJob:
        """At a time of the unit: "HH:MM[:SS]" of days and weekdays, ":MM" or "MM:SS" of hours, ":SS" of minutes.

        A list gives several. `tz` is the zone of this event. Raises DeclarationError.
        """
        if self._entry.action is not None:
            raise self._error("at(...) comes before do(...)")
        times: Sequence[Any] = time_str if isinstance(time_str, (list, tuple)) else [time_str]
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

    def to(self, latest: int) -> FluentJob:
        """Every interval up to `latest` units, each gap drawn anew: `every(5).to(10).minutes`."""
        if isinstance(latest, bool) or not isinstance(latest, int) or latest < self.interval:
            raise self._error(f"every({self.interval}).to({latest!r}): the second number must not be smaller")
        super().to(latest)
        return self

    def at_time_of(self, job: schedule.Job) -> None:
        """Take over the time of day, and its zone, of another scheduler's job."""
        if job.at_time is not None:
            self._times.append(job.at_time)
        zone: Any = job.at_time_zone
        if zone is not None:
            self._entry.zone = draft.zone_named(zone)

    def _check(self) -> None:
        if self.unit is None:
            raise self._error("the unit is missing; write every(10).minutes or every().day")
        if self.latest is not None and (self._times or self.start_day):
            raise self._error("to(...) draws its times; it cannot be joined with at(...) or a weekday")

    def _words(self) -> str:
        span = str(self.interval) + (f" to {self.latest}" if self.latest is not None else "")
        unit = str(self.unit)
        words = f"every {unit.removesuffix('s')}" if span == "1" else f"every {span} {unit}"
        if self.start_day:
            words = f"every {self.start_day.capitalize()}"
        return words + (f" at {listed(map(self._shown, dict.fromkeys(self._times)))}" if self._times else "")

    def _shown(self, at: time) -> str:
        if self.unit == "minutes":
            return f"second {at.second}"
        if self.unit == "hours":
            return f"minute {at.minute}" + (f":{at.second:02}" if at.second else "")
        return at.isoformat("seconds" if at.second else "minutes")

    def _trigger(self, zone: tzinfo, name: str) -> Trigger:
        times = tuple(sorted({(at.hour * 60 + at.minute) * 60 + at.second for at in self._times}))
        return self._at_trigger(times, zone) if times else self._plain(zone, name)

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


def _union(triggers: Sequence[Trigger]) -> Trigger:
    return triggers[0] if len(triggers) == 1 else Union(triggers)
