"""Clockwork's form: `every(period, name, at=...)`.

`at` names candidates: the whole minutes that match it (every second of them where the period is under a minute).
The first candidate at or after the anchor is due, then each time the earliest one not before previous + period;
that is reckoned on the wall clock from a day up, and in elapsed time below.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from clock.timetable.local_time import SECOND, to_instant, to_local

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_AT = re.compile(
    r"(?:(?P<weekday>[A-Za-z]+)\s)?(?P<hour>\d{1,2}|\*{1,2}):(?P<minute>\d\d|\*\*)(?::(?P<second>\d\d))?"
)
ACCEPTED_AT = "'16:20', '6:00', '16:20:30', '**:30', '16:**', 'Monday 16:20' or 'mon 16:20'"


@dataclass(frozen=True, slots=True)
class At:
    """A parsed `at`; None stands for any."""

    weekday: int | None
    hour: int | None
    minute: int | None
    second: int = 0


def parse_at(text: str) -> At:
    """Read an `at` of Clockwork's. Raises ValueError, which says what is accepted.

    >>> parse_at("mon 16:20")
    At(weekday=0, hour=16, minute=20, second=0)
    """
    found = _AT.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"at is {text!r}; accepted are {ACCEPTED_AT}")
    hour, minute = _number(found["hour"], 23), _number(found["minute"], 59)
    second = _number(found["second"] or "00", 59) or 0
    if hour is None and minute is None:
        raise ValueError(f"at is {text!r}, which is any minute; leave it out, or name the hour or the minute")
    return At(_weekday(found["weekday"]), hour, minute, second)


def _number(text: str, highest: int) -> int | None:
    if text.startswith("*"):
        return None
    if int(text) > highest:
        raise ValueError(f"at has {text} where at most {highest} can stand; accepted are {ACCEPTED_AT}")
    return int(text)


def _weekday(text: str | None) -> int | None:
    if text is None:
        return None
    for number, name in enumerate(WEEKDAYS):
        if text.lower() in (name, name[:3]):
            return number
    raise ValueError(f"at has the weekday {text!r}; weekdays are Monday or mon, and so on")


@dataclass(frozen=True, slots=True)
class ClockworkAt:
    """Due at the candidates of `at` that lie a `period` apart; one entry of a list of times."""

    period: timedelta
    at: At
    zone: tzinfo
    skip_first: bool = False

    def next_after(self, after: datetime, anchor: datetime, previous: datetime | None) -> datetime | None:
        """The first due instant strictly after `after`."""
        chain = self._from_start(after, anchor) if previous is None else self._from_previous(previous)
        return next((due for due in chain if due > after), None)

    def _from_start(self, after: datetime, anchor: datetime) -> Iterator[datetime]:
        """The chain from the anchor, or from later where it is the same from there on."""
        due, nominal = next(self._candidates(anchor))
        fresh = self._fresh_start(after)
        if fresh is not None and fresh > due + self.period:
            due, nominal = next(self._candidates(fresh))
            return self._from_nominal(nominal, due, include=True)
        return self._from_nominal(nominal, due, include=not self.skip_first)

    def _fresh_start(self, after: datetime) -> datetime | None:
        """A moment not after `after` before which nothing matters, because no candidate is within a period of it.

        Candidates of a fixed hour lie in one stretch of at most two hours a day, those of a fixed minute in one
        of a minute an hour; the margins are for the nights when the clocks change.
        """
        if self.at.hour is not None and self.period <= 20 * HOUR:
            midnight = datetime.combine(to_local(after, self.zone).date() - DAY, time())
            hours_before = midnight + timedelta(hours=self.at.hour) - 30 * MINUTE
            return to_instant(hours_before, self.zone)
        if self.at.hour is None and self.period <= 25 * MINUTE:
            local = to_local(after, self.zone)
            return after - 2 * HOUR + ((self.at.minute or 0) + 30 - local.minute) * MINUTE - local.second * SECOND
        return None

    def _from_previous(self, previous: datetime) -> Iterator[datetime]:
        nominal = next((wall for due, wall in self._candidates(previous) if due == previous), None)
        yield from self._from_nominal(nominal or to_local(previous, self.zone), previous, include=False)

    def _from_nominal(self, nominal: datetime, due: datetime, *, include: bool) -> Iterator[datetime]:
        """The chain from a due instant and the wall-clock time that it stands for, with it or without it."""
        if include:
            yield due
        while True:
            due, nominal = self._following(nominal, due)
            yield due

    def _following(self, nominal: datetime, due: datetime) -> tuple[datetime, datetime]:
        if self.period < DAY:
            return next(self._candidates(due + self.period))
        earliest = nominal + self.period
        start = to_instant(earliest, self.zone)
        return next((due, wall) for due, wall in self._candidates(start) if wall >= earliest)

    def _candidates(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Instants from `start` on that match `at`, each with the wall-clock time that it stands for."""
        minutes = self._daily(start) if None not in (self.at.hour, self.at.minute) else self._by_the_minute(start)
        if self.period >= MINUTE or self.at.second:
            yield from minutes
            return
        for due, wall in minutes:
            yield from ((due + n * SECOND, wall + n * SECOND) for n in range(60) if due + n * SECOND >= start)

    def _daily(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        at = time(self.at.hour or 0, self.at.minute or 0, self.at.second)
        day = to_local(start, self.zone).date() - DAY
        slack = MINUTE - SECOND if self.period < MINUTE else timedelta(0)
        while True:
            if self.at.weekday in (None, day.weekday()):
                wall = datetime.combine(day, at)
                due = to_instant(wall, self.zone)
                if due >= start - slack:
                    yield due, wall
            day += DAY

    def _by_the_minute(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        due = start.replace(second=self.at.second)
        due += MINUTE if due < start and self.period >= MINUTE else timedelta(0)
        while True:
            wall = to_local(due, self.zone)
            if self.at.weekday not in (None, wall.weekday()) or self.at.hour not in (None, wall.hour):
                due += (60 - wall.minute) * MINUTE
            elif self.at.minute not in (None, wall.minute):
                due += ((self.at.minute or 0) - wall.minute) % 60 * MINUTE
            else:
                yield due, wall
                due += MINUTE
