"""Adjustments of a trigger: the rule for zone changes, holidays, a spread, a jitter.

The trigger inside continues with its own, nominal instants. Moving an instant does not move the later ones.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from clock.timetable.naming import name_of
from clock.timetable.triggers.calendar_days import WEEKEND_DAYS, WORKING_DAYS
from clock.timetable.triggers.calendars.country_holidays import ACCEPTED, calendar_of, country_holidays
from clock.timetable.triggers.calendars.sun import Sun
from clock.timetable.triggers.clockwork import ClockworkAt
from clock.timetable.triggers.holidays import Except, Otherwise
from clock.timetable.triggers.intervals import (
    CalendarDays,
    EachHour,
    Elapsed,
    Hours,
    Minutes,
    RandomGaps,
    Trigger,
    Union,
    drawn,
    in_order,
)
from clock.timetable.triggers.wall_times import AS_USUAL, DstChoice
from clock.timetable.triggers.zone_offsets import DAY

#: The values that `except_on` accepts.
Excepted = Callable[[date], object] | Mapping[date, object] | Iterable[date | str] | date | str

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Adjustments:
    """The adjustments of an event by `dst`, `except_on`, `spread` and `jitter`."""

    dst: DstChoice = AS_USUAL
    excepted: Callable[[date], object] | None = None
    otherwise: Otherwise = "skip"
    spread: timedelta | None = None
    salt: str = ""
    jitter: timedelta | None = None

    def around(self, trigger: Trigger, zone: tzinfo, name: str, drawn_from: str) -> Trigger:
        """The adjusted trigger of the event `name`. Spread and jitter are derived from the text `drawn_from`.

        The trigger itself applies the rule for zone changes. Raises ValueError if an adjustment has no meaning for
        such a trigger.
        """
        self._check(trigger)
        if self.excepted is not None:
            trigger = Except(trigger, name, self._closed(trigger, self.excepted), self.otherwise, zone)
        if self.spread is not None:
            seed = f"{drawn_from}\0{self.salt}" if self.salt else drawn_from
            trigger = Spread(trigger, seed, self.spread // _SECOND)
        if self.jitter is not None:
            trigger = Jitter(trigger, drawn_from, self.jitter // _SECOND)
        return trigger

    def _closed(self, trigger: Trigger, excepted: Callable[[date], object]) -> Callable[[date], object]:
        """The days on which the event may not be due: an event of weekdays is not moved to a Saturday."""
        week = trigger.days if isinstance(trigger, CalendarDays) else None
        if self.otherwise == "skip" or week not in (WORKING_DAYS, WEEKEND_DAYS):
            return excepted
        is_working_week = week == WORKING_DAYS
        return lambda day: (day.weekday() < 5) != is_working_week or excepted(day)

    def _check(self, trigger: Trigger) -> None:
        for one in trigger.triggers if isinstance(trigger, Union) else [trigger]:
            if self.dst != AS_USUAL and not hasattr(one, "dst"):
                what = "follows the sun" if isinstance(one, Sun) else "counts elapsed time"
                raise ValueError(f"dst(...) needs a time of day; this event {what}")
            if self.excepted is not None and self.otherwise != "skip" and _is_within_days(one):
                raise ValueError(
                    f"{self.otherwise!r} needs an event that runs at most once a day; this one can only skip"
                )
            if self.jitter is not None and isinstance(one, RandomGaps):
                raise ValueError("to(...) and jitter(...) cannot be combined: to(...) already draws random gaps")

    def words(self) -> str:
        """The adjustments in words, after those of the schedule. Without dates, as holidays are added later."""
        words = [f"{kind} {chosen}" for kind in ("gap", "fold") if (chosen := getattr(self.dst, kind))]
        if self.excepted is not None:
            moved = "" if self.otherwise == "skip" else f", but on the {self.otherwise} day"
            words.append(f"not on {excepted_words(self.excepted)}{moved}")
        words += [f"spread over {self.spread}"] if self.spread else []
        words += [f"jitter up to {self.jitter}"] if self.jitter else []
        return "".join(f", {word}" for word in words)


NONE = Adjustments()


def _is_within_days(trigger: Trigger) -> bool:
    if isinstance(trigger, ClockworkAt):
        return trigger.period < DAY
    return isinstance(trigger, (EachHour, Elapsed, Hours, Minutes, RandomGaps))


def no_holidays(_day: date) -> bool:
    """No day is excepted."""
    return False


def excepted_words(excepted: Callable[[date], object]) -> str:
    """The name of excepted days: that of their function, if there is one."""
    return excepted.words() if isinstance(excepted, _GivenDays) else name_of(excepted)


def excepted_days(given: object) -> Callable[[date], object]:
    """The argument of `except_on` - a function, a calendar, a code such as "DE-BY", dates - as a function.

    Raises ValueError with the accepted values.
    """
    if callable(given):
        return given
    if isinstance(given, Mapping):
        return calendar_of(given)
    try:
        days = [given] if isinstance(given, (date, str)) else list(given)  # type: ignore[call-overload]  # may raise
        codes = [day for day in days if isinstance(day, str) and day[:1].isalpha()]
        dates = frozenset(_date(day) for day in days if day not in codes)
    except (TypeError, ValueError):
        raise ValueError(f"except_on is {given!r:.80}; {ACCEPTED}") from None
    return _GivenDays(dates, tuple(map(country_holidays, codes)))


@dataclass(frozen=True, slots=True)
class _GivenDays:
    days: Container[date]
    calendars: tuple[Callable[[date], object], ...]

    def __call__(self, day: date) -> bool:
        return day in self.days or any(closed(day) for closed in self.calendars)

    def words(self) -> str:
        return (
            " and ".join([*map(name_of, self.calendars), *(["given days"] if self.days else [])]) or "given days"
        )


def _date(given: object) -> date:
    if isinstance(given, datetime):
        return given.date()
    return given if isinstance(given, date) else date.fromisoformat(given)  # type: ignore[arg-type]  # may raise


@dataclass(frozen=True, slots=True)
class Spread:
    """Delays all due instants by a part of `seconds`, derived from the event's name and salt."""

    trigger: Trigger
    name: str
    seconds: int

    def due_between(self, after: int, end: int, anchor: int, previous: int | None) -> Iterator[int]:
        """The due instants in (after, end], in order."""
        move = drawn(self.name) % self.seconds
        nominal = None if previous is None else previous - move
        return (due + move for due in self.trigger.due_between(after - move, end - move, anchor, nominal))


@dataclass(frozen=True, slots=True)
class Jitter:
    """Delays each due instant by a part of `seconds`, derived from the event's name and the instant."""

    trigger: Trigger
    name: str
    seconds: int

    def due_between(self, after: int, end: int, anchor: int, previous: int | None) -> Iterator[int]:
        """The due instants in (after, end], in order."""
        nominal = self.trigger.due_between(after - self.seconds, end, anchor, None)
        moved = ((due, due + drawn(self.name, due) % self.seconds) for due in nominal)
        return (due for due in in_order(moved) if after < due <= end)
