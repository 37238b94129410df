"""Adjustments of a trigger: the rule for zone changes, holidays, a spread, a jitter, an end.

The trigger inside continues with its own, nominal instants. Moving an instant does not move the later ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from clock.printable import brief
from clock.timetable.naming import name_of
from clock.timetable.periods import short_form
from clock.timetable.triggers.calendar_days import WEEKEND_DAYS, WORKING_DAYS
from clock.timetable.triggers.clockwork import ClockworkAt
from clock.timetable.triggers.cron import Cron
from clock.timetable.triggers.holidays import Except, Otherwise
from clock.timetable.triggers.intervals import (
    CalendarDays,
    Days,
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
from clock.timetable.triggers.sun import Sun
from clock.timetable.triggers.wall_times import AS_USUAL, Dst
from clock.timetable.triggers.zone_offsets import DAY, offsets_of, to_seconds

#: The texts that the `schedule` package takes.
_FORMATS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")
_TIME_FORMATS = ("%H:%M:%S", "%H:%M")
_ACCEPTED = 'a datetime, a timedelta, a time, "2026-12-31 18:00", "2026-12-31" or "18:00"'

Moment = datetime | timedelta | time

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Adjustments:
    """The adjustments of an event by `dst`, `except_on`, `spread`, `jitter` and `until`."""

    dst: Dst = AS_USUAL
    excepted: Callable[[date], object] | None = None
    otherwise: Otherwise = "skip"
    spread: timedelta | None = None
    salt: str = ""
    jitter: timedelta | None = None
    until: Moment | None = None

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
        return trigger if self.until is None else Until(trigger, self.until, zone)

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
            words.append(f"not on {name_of(self.excepted)}{moved}")
        words += [f"spread over {self.spread}"] if self.spread else []
        words += [f"jitter up to {self.jitter}"] if self.jitter else []
        until = "" if self.until is None else f" until {self.until}"
        return until + "".join(f", {word}" for word in words)


NONE = Adjustments()


def _is_within_days(trigger: Trigger) -> bool:
    if isinstance(trigger, ClockworkAt):
        return trigger.period < DAY
    return isinstance(trigger, (EachHour, Elapsed, Hours, Minutes, RandomGaps))


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


@dataclass(frozen=True, slots=True)
class Until:
    """A trigger that ends: nothing is due after `last`.

    A naive datetime or time is in `zone`; a time is that of the anchor's day, a timedelta counts from the anchor.
    """

    trigger: Trigger
    last: Moment
    zone: tzinfo

    def due_between(self, after: int, end: int, anchor: int, previous: int | None) -> Iterable[int]:
        """The due instants in (after, end], in order."""
        return self.trigger.due_between(after, min(end, self._last(anchor)), anchor, previous)

    def _last(self, anchor: int) -> int:
        if isinstance(self.last, datetime):
            return to_seconds(self.last if self.last.tzinfo else self.last.replace(tzinfo=self.zone))
        if isinstance(self.last, timedelta):
            return anchor + self.last // _SECOND
        offsets = offsets_of(self.last.tzinfo or self.zone)
        wall = anchor + offsets.at(anchor)
        at = (self.last.hour * 60 + self.last.minute) * 60 + self.last.second
        return offsets.instant_of(wall - wall % DAY + at)


def parse_until(value: object) -> Moment:
    """The moment that `value` names. Raises ValueError with the accepted forms."""
    if isinstance(value, (datetime, timedelta, time)):
        return value
    for form in (*_FORMATS, *_TIME_FORMATS):
        try:
            found = datetime.strptime(str(value), form)  # naive: in the event's zone
        except ValueError:
            continue
        return found if form in _FORMATS else found.time()
    try:
        return datetime.fromisoformat(value)  # type: ignore[arg-type]  # TypeError if it is not a text
    except (TypeError, ValueError):
        raise ValueError(f"until is {brief(value)}; use {_ACCEPTED}") from None


def until_words(moment: Moment) -> str:
    """The moment for people."""
    if isinstance(moment, timedelta):
        return f"{short_form(moment)} after it was first seen"
    if isinstance(moment, time):
        return f"{moment:%H:%M:%S} of the day on which it was first seen"
    return str(moment)


def is_quick(trigger: Trigger, zone: tzinfo) -> bool:
    """Whether the next due instant takes some microseconds as a rule, and a millisecond at most.

    The clock computes it before it commits a firing. So no function of the user's may run: holidays, a tzinfo.
    False for triggers that are not listed here.
    """
    if type(zone) not in (ZoneInfo, timezone):
        return False
    if isinstance(trigger, (Until, Spread)):
        return is_quick(trigger.trigger, zone)
    if isinstance(trigger, Union):
        return all(is_quick(one, zone) for one in trigger.triggers)
    if isinstance(trigger, CalendarDays):
        return trigger.days.is_by_shape  # and not business days, which look at holidays
    return isinstance(trigger, (ClockworkAt, Cron, Days, EachHour, Elapsed, Hours, Minutes, RandomGaps))
