"""The fluent form: `every().day.at("06:00").do(SomeJob)`.

The grammar is the `schedule` package's: its `Job` reads the words, and we read its fields. Its loop, its naive
times and its zones are not used.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time, tzinfo
from functools import partial
from typing import Any

import schedule

from clock.timetable.clock_file import draft
from clock.timetable.clock_file.builder import Builder
from clock.timetable.periods import LONGEST_PERIOD, listed
from clock.timetable.triggers.calendar_days import (
    WEEKDAYS,
    WEEKEND_DAYS,
    WORKING_DAYS,
    MonthDay,
    MonthDays,
    business_days_on,
    days_on,
    parse_month_day,
)
from clock.timetable.triggers.clockwork import At, ClockworkAt, at_words, parse_at
from clock.timetable.triggers.holidays import is_open
from clock.timetable.triggers.intervals import (
    CalendarDays,
    Days,
    EachHour,
    Elapsed,
    Hours,
    MakeTrigger,
    Minutes,
    RandomGaps,
    Trigger,
    united,
)
from clock.timetable.triggers.wall_times import Dst
from clock.timetable.triggers.zone_offsets import DAY, HOUR, MINUTE

_WORDS = (
    "second", "seconds", "minute", "minutes", "hour", "hours", "day", "days", "week", "weeks", *WEEKDAYS,
    "weekday", "weekend", "month", "months", "on", "at", "to",
)  # fmt: skip
_HOUR_OUT_OF_RANGE = "Invalid number of hours ({} is not between 0 and 23)"  # schedule omits the number
_UNITS = {"seconds": 1, "minutes": MINUTE, "hours": HOUR, "days": DAY, "weeks": 7 * DAY}


class FluentJob(Builder):
    """The result of `every(n)` and of its methods; `.do(...)` ends the declaration."""

    # The package's properties have no types.
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

    _form = "every(...)"
    _words_of_form = (*_WORDS, *Builder._words_of_form)
    _unit: str | None = None

    def __init__(self, interval: float, scheduler: schedule.Scheduler, *, source: str | None = None) -> None:
        whole = isinstance(interval, float) and interval.is_integer()
        super().__init__(int(interval) if whole else interval, scheduler, source)  # type: ignore[arg-type]  # checked below
        self._times: list[time] = []
        self._ats: list[At] = []  # times of Clockwork's grammar that the package does not have
        self._calendar: str | None = None  # "weekday", "weekend" or "month", if the unit is one of these
        self._month_days: tuple[MonthDay, ...] = ()
        if isinstance(interval, bool) or not isinstance(self.interval, int) or self.interval < 1:
            raise self._error(f"every({interval!r}): must be a whole number above 0")
        if self.interval > LONGEST_PERIOD:
            raise self._error("every(...): must be at most a century")

    @property
    def unit(self) -> str | None:
        """The unit; None before it is set."""
        return self._unit

    @unit.setter
    def unit(self, unit: str | None) -> None:
        if unit is not None and self._unit is not None:
            raise self._error("the unit is already set; start another event with every(...)")
        self._unit = unit

    def at(self, time_str: str | Sequence[str], tz: str | tzinfo | None = None) -> FluentJob:
        """Set the time: "HH:MM[:SS]" of days and weekdays, ":MM" or "MM:SS" of hours, ":SS" of minutes.

        Hours, days and weeks accept Clockwork's times, too: "**:30", "16:**", "Monday 16:20". A list sets several
        times. `tz` is the zone of this event. Raises DeclarationError.
        """
        if self._entry.action is not None:
            raise self._error("put at(...) before do(...)")
        times: Sequence[Any] = time_str if isinstance(time_str, (list, tuple)) else [time_str]
        if not times:
            raise self._error("at is an empty list; give at least one time")
        for text in times:
            self._take_time(text)
        if tz is not None:
            self._entry.zone = draft.zone_named(tz)
        return self

    def to(self, latest: int) -> FluentJob:
        """Use another random gap each time, up to `latest` units: `every(5).to(10).minutes`."""
        if isinstance(latest, bool) or not isinstance(latest, int) or latest < self.interval:
            raise self._error(
                f"every({self.interval}).to({latest!r}): the second number must not be smaller than the first"
            )
        super().to(latest)
        return self

    @property
    def weekday(self) -> FluentJob:
        """Monday to Friday: `every().weekday.at("09:00")`."""
        return self._on_calendar("weekday")

    @property
    def weekend(self) -> FluentJob:
        """Saturday and Sunday."""
        return self._on_calendar("weekend")

    @property
    def month(self) -> FluentJob:
        """Each month, on the days that `on` names: `every().month.on(1).at("06:00")`."""
        return self._on_calendar("month")

    @property
    def months(self) -> FluentJob:
        """Every n months, counted from the month in which the event was first seen: `every(3).months.on(1)`."""
        self._calendar = "month"
        return self.days

    def on(self, *days: int | str) -> FluentJob:
        """Set the days of the month: 1 to 31, "last", "3rd monday", "last friday", "1st weekday".

        "2nd business day" and "last business day" count the weekdays that `except_on` does not exclude. A month
        without such a day is skipped. Raises DeclarationError.
        """
        if self._calendar != "month" or not days:
            raise self._error("on(...) takes days of a month; write every().month.on(1), on(1, 15) or on('last')")
        try:
            self._month_days += tuple(map(parse_month_day, days))
        except ValueError as error:
            raise self._error(str(error)) from None
        return self

    def _on_calendar(self, unit: str) -> FluentJob:
        if self.interval != 1:
            raise self._error(f"every({self.interval}).{unit}: write every().{unit}")
        self._calendar = unit
        return self.day

    def _take_time(self, text: Any) -> None:
        try:
            super().at(text)
            self._times.append(self.at_time or time())
        except (schedule.ScheduleError, TypeError, ValueError) as error:
            if not self._take_clockworks(text):
                why = str(error).replace(_HOUR_OUT_OF_RANGE, "hour must be 0-23")
                raise self._error(
                    f'at({text!r}): {why}. Use "06:00" or "06:00:30" with days and weekdays, '
                    '":30" or "30:15" with hours, ":15" with minutes, or "**:30", "16:**" or "Monday 16:20"'
                ) from None

    def _take_clockworks(self, text: Any) -> bool:
        """Take a time of Clockwork's grammar, if the unit accepts it."""
        try:
            at = parse_at(text)
        except ValueError:
            return False
        is_plain = at.weekday is None and at.hour is not None and at.minute is not None
        if is_plain and (self.unit == "days" or self.start_day):
            self._times.append(time(at.hour or 0, at.minute or 0, at.second))
        elif not is_plain and self.unit in ("hours", "days", "weeks") and not (self.start_day or self._calendar):
            self._ats.append(at)
        else:
            return False
        return True

    def at_time_of(self, job: schedule.Job) -> None:
        """Copy the time of day, and its zone, from another scheduler's job."""
        if job.at_time is not None:
            self._times.append(job.at_time)
        zone: Any = job.at_time_zone
        if zone is not None:
            self._entry.zone = draft.zone_named(zone)

    def _schedule(self) -> tuple[str, MakeTrigger]:
        if self.unit is None:
            raise self._error("the unit is missing; write every(10).minutes or every().day")
        if (self.latest or self.interval) * _UNITS[self.unit] > LONGEST_PERIOD:
            raise self._error(f"{self._words()}: must be at most a century")
        if self._calendar == "month" and not self._month_days:
            raise self._error("a month needs days; write every().month.on(1), on(1, 15) or on('last')")
        if self.latest is not None and (self._times or self._ats or self.start_day or self._calendar):
            raise self._error("to(...) draws random times; it cannot be combined with at(...) or a weekday")
        return self._words(), self._trigger

    def _words(self) -> str:
        span = str(self.interval) + (f" to {self.latest}" if self.latest is not None else "")
        unit = f"{self._calendar}s" if self._calendar else str(self.unit)
        words = f"every {unit.removesuffix('s')}" if span == "1" else f"every {span} {unit}"
        if self.start_day:
            words = f"every {self.start_day.capitalize()}"
        if self._month_days:
            words += f" on the {listed(day.text for day in self._month_days)}"
        times = [f"at {listed(map(self._shown, dict.fromkeys(self._times)))}"] if self._times else []
        times += [listed(map(at_words, self._ats))] if self._ats else []
        return f"{words} {' and '.join(times)}".rstrip()

    def _shown(self, at: time) -> str:
        if self.unit == "minutes":
            return f"second {at.second}"
        if self.unit == "hours":
            return f"minute {at.minute}" + (f":{at.second:02}" if at.second else "")
        return at.isoformat("seconds" if at.second else "minutes")

    def _trigger(self, zone: tzinfo, name: str, dst: Dst) -> Trigger:
        times = tuple(sorted({(at.hour * 60 + at.minute) * 60 + at.second for at in self._times}))
        period = self.interval * _UNITS[self.unit or "days"]
        triggers: list[Trigger] = [
            ClockworkAt(period, at, zone, at_anchor=False, dst=dst) for at in dict.fromkeys(self._ats)
        ]
        if self._calendar:
            triggers.append(CalendarDays(zone, self._days(name), times or None, self.interval, dst))
        elif times or not triggers:
            triggers += self._in_unit(times, zone, name, dst)
        return united(triggers)

    def _days(self, name: str) -> MonthDays:
        if any(day.counts_business_days for day in self._month_days):
            excepted = self._entry.adjustments.excepted or (lambda _day: False)
            return business_days_on(self._month_days, partial(is_open, name, excepted))
        if self._month_days:
            return days_on(self._month_days)
        return WORKING_DAYS if self._calendar == "weekday" else WEEKEND_DAYS

    def _in_unit(self, times: tuple[int, ...], zone: tzinfo, name: str, dst: Dst) -> list[Trigger]:
        """The triggers for times in seconds from the unit's start; without times, for the unit alone."""
        unit = _UNITS[self.unit or "days"]
        if self.latest is not None:
            return [RandomGaps(name, self.interval, self.latest, unit)]
        if self.start_day:
            return [Days(zone, 7, times or None, WEEKDAYS.index(self.start_day), dst=dst)]
        if unit >= DAY:
            first = int(self.interval > 1 or not times)
            return [Days(zone, self.interval * unit // DAY, times or None, first=first, dst=dst)]
        if not times:
            return [Elapsed(self.interval * unit)]
        if unit == MINUTE:
            return [Minutes(self.interval, second) for second in times]
        if self.interval == 1:
            return [EachHour(zone, times, dst)]
        return [Hours(zone, self.interval, mark) for mark in times]
