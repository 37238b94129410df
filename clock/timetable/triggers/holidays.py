"""Holidays: the days that `except_on` names, and due instants on them, which are dropped or moved.

A code names the holidays of a country (ISO 3166), of a part of it, or of a market, "DE", "US-CA", "XNYS", by the
package `holidays` (extra `calendars`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from difflib import get_close_matches
from functools import lru_cache
from threading import Lock
from typing import Literal

from clock.forking import child_ends_here
from clock.timetable.naming import name_of
from clock.timetable.triggers.intervals import Trigger, in_order
from clock.timetable.triggers.wall_times import SEARCH_SECONDS
from clock.timetable.triggers.zone_offsets import DAY, Offsets, date_of, offsets_of

#: The values that `except_on` accepts.
Excepted = Callable[[date], object] | Mapping[date, object] | Iterable[date | str] | date | str
Otherwise = Literal["skip", "next", "previous"]

_CODE = re.compile(r"(?P<country>[A-Z]{2})(-(?P<part>[A-Z0-9]{1,3}))?|(?P<market>[A-Z]{3,4})")
_ACCEPTED = (
    "it must be a function of the date, or dates such as '2026-12-25', "
    "or a code of holidays such as 'DE', 'US-CA' or 'XNYS'"
)
#: A longer row of excepted days is a mistake, not holidays; an instant in it is dropped.
LONGEST_BREAK_DAYS = 366

logger = logging.getLogger("clock.clock")


def excepted_days(given: object) -> Callable[[date], object]:
    """The argument of `except_on` as a function of the date. Raises ValueError with the accepted values."""
    if callable(given):
        return given
    if isinstance(given, Mapping):
        return calendar_of(given)
    try:
        days = [given] if isinstance(given, (date, str)) else list(given)  # type: ignore[call-overload]  # may raise
        codes = [day for day in days if isinstance(day, str) and day[:1].isalpha()]
        dates = frozenset(_date(day) for day in days if day not in codes)
    except (TypeError, ValueError):
        raise ValueError(f"except_on is {given!r:.80}; {_ACCEPTED}") from None
    return _GivenDays(dates, tuple(map(country_holidays, codes)))


@dataclass(frozen=True, slots=True)
class _GivenDays:
    days: Container[date]
    calendars: tuple[Callable[[date], object], ...]

    def __call__(self, day: date) -> bool:
        return day in self.days or any(closed(day) for closed in self.calendars)

    @property
    def __name__(self) -> str:
        names = [*map(name_of, self.calendars), *(["given days"] if self.days else [])]
        return " and ".join(names) or "given days"


def _date(given: object) -> date:
    if isinstance(given, datetime):
        return given.date()
    return given if isinstance(given, date) else date.fromisoformat(given)  # type: ignore[arg-type]  # may raise


def country_holidays(code: str) -> Callable[[date], object]:
    """A function that returns True for holidays. Raises ValueError for an unknown code."""
    found = _CODE.fullmatch(code)
    if found is None:
        raise ValueError(f"except_on is {code!r:.60}; {_ACCEPTED}")
    try:
        import holidays
    except ImportError:
        raise ValueError(
            f"except_on is {code!r}: holidays by a code need the package `holidays`: "
            "pip install 'clockd[calendars]'"
        ) from None
    try:
        if found["market"]:
            return HolidayCalendar(code, holidays.financial_holidays(code))
        return HolidayCalendar(code, holidays.country_holidays(found["country"], subdiv=found["part"]))
    except NotImplementedError:
        raise ValueError(
            f"except_on is {code!r}: {_unknown(found, holidays.list_supported_countries())}"
        ) from None


class HolidayCalendar:
    """A calendar of the package, or any other mapping of dates.

    Calendars of the package compute a year when it is first requested. The lock keeps another thread from reading
    such a year before it is complete.
    """

    def __init__(self, name: str, days: object) -> None:
        self.__name__ = f"holidays of {name}" if name else "given days"
        self._days = days
        self._lock = Lock()

    def __call__(self, day: date) -> bool:
        """Whether the day is in the calendar."""
        with self._lock:
            return day in self._days  # type: ignore[operator]  # a mapping: the caller has checked it


def calendar_of(days: object) -> HolidayCalendar:
    """The calendar of a mapping, named by its country if it is one of the package's."""
    place = getattr(days, "country", None) or getattr(days, "market", None)
    part = getattr(days, "subdiv", None)
    return HolidayCalendar(f"{place}-{part}" if place and part else str(place or ""), days)


def _unknown(found: re.Match[str], supported: dict[str, list[str]]) -> str:
    country, part = found["country"], found["part"]
    if country in supported and part:
        near = get_close_matches(part, supported[country], 1) or sorted(supported[country])[:5]
        return f"{country} has no part {part!r}; available: {', '.join(near)}..."
    near = get_close_matches(country or "", list(supported), 3)
    return f"unknown country or market; {_ACCEPTED}" + (f". Close: {', '.join(near)}" if near else "")


@dataclass(frozen=True, slots=True)
class Except:
    """Drops due instants on excepted days, or moves them to the `next` or `previous` open day.

    A moved instant keeps its time of day in the zone. If it falls on another one, they count once.
    """

    trigger: Trigger
    name: str
    excepted: Callable[[date], object]
    otherwise: Otherwise
    zone: tzinfo

    def due_between(self, after: int, end: int, anchor: int, previous: int | None) -> Iterator[int]:
        """The due instants in (after, end], in order; the search ends after 50 years of excepted days."""
        after, end = max(after, anchor - 1), min(end, after + SEARCH_SECONDS)
        days = _OpenDays(self.name, self.excepted, offsets_of(self.zone))
        if self.otherwise == "skip":
            return self._kept(days, after, end, anchor, previous)
        moved = self._moved_on if self.otherwise == "next" else self._moved_back
        return (due for due in in_order(moved(days, after, end, anchor)) if after < due <= end)

    def _kept(self, days: _OpenDays, after: int, end: int, anchor: int, previous: int | None) -> Iterator[int]:
        while True:
            for due in self.trigger.due_between(after, end, anchor, previous):
                day = days.day_of(due)
                if days.is_open(day):
                    yield due
                    continue
                # The days in between are skipped at once: an event may be due every second of a fortnight.
                after, previous = days.start_of(days.first_open(day, 1) or day + LONGEST_BREAK_DAYS) - 1, due
                break
            else:
                return

    def _moved_on(self, days: _OpenDays, after: int, end: int, anchor: int) -> Iterator[tuple[int, int]]:
        day = days.day_of(after) - 1
        start = days.start_of(days.first_open(day, -1) or day - LONGEST_BREAK_DAYS)
        for due in self.trigger.due_between(min(after, start), end, anchor, None):
            day = days.day_of(due)
            if (to := days.first_open(day, 1)) is not None:
                yield due, due if to == day else days.moved(due, to)

    def _moved_back(self, days: _OpenDays, after: int, end: int, anchor: int) -> Iterator[tuple[int, int]]:
        for due in self.trigger.due_between(after, end + LONGEST_BREAK_DAYS * DAY, anchor, None):
            day = days.day_of(due)
            to = days.first_open(day, -1)
            # If the clocks go back over midnight, a day may start after the next one, but never by two days.
            earliest = days.start_of((to or day) - 1)
            if earliest > end:
                return
            if to is not None:
                yield earliest, due if to == day else days.moved(due, to)


def is_open(name: str, excepted: Callable[[date], object], day: date) -> bool:
    """Whether the event may fire on a day. If the user's function raises, it may: better once too often."""
    try:
        with child_ends_here():
            return not excepted(day)
    except Exception as error:  # noqa: BLE001  # the file's own function may raise whatever it likes
        logger.error("%r: except_on failed for %s: %r; the day counts as open", name, day, error)
        return True


class _OpenDays:
    """The days that are not excepted. Each is computed once."""

    def __init__(self, name: str, excepted: Callable[[date], object], offsets: Offsets) -> None:
        self._offsets = offsets
        self._closed = range(0)  # the last row that was too long, so each day of it is looked at only once
        self.is_open = lru_cache(maxsize=None)(lambda day: is_open(name, excepted, date_of(day)))

    def day_of(self, instant: int) -> int:
        """The day that the zone's clock shows."""
        return (instant + self._offsets.at(instant)) // DAY

    def start_of(self, day: int) -> int:
        """The first instant of a day in the zone."""
        return self._offsets.instant_of(day * DAY)

    def moved(self, instant: int, day: int) -> int:
        """The instant of the same time of day on another day."""
        return self._offsets.instant_of(day * DAY + (instant + self._offsets.at(instant)) % DAY)

    def first_open(self, day: int, step: int) -> int | None:
        """The first open day from `day` on, in steps of 1 or -1; None: the row of excepted days is too long."""
        beyond = day + step * LONGEST_BREAK_DAYS
        at = day
        while (beyond - at) * step > 0:
            if at in self._closed:
                at = (self._closed[-1] if step > 0 else self._closed[0]) + step
            elif self.is_open(at):
                return at
            else:
                at += step
        self._closed = range(min(day, beyond - step), max(day, beyond - step) + 1)
        return None
