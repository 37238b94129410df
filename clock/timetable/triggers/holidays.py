"""Holidays: due instants on excepted days are dropped or moved."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, tzinfo
from functools import lru_cache
from typing import Literal

from clock.forking import child_ends_here
from clock.timetable.triggers.intervals import Trigger, in_order
from clock.timetable.triggers.wall_times import SEARCH_SECONDS
from clock.timetable.triggers.zone_offsets import DAY, Offsets, date_of, offsets_of

#: A longer row of excepted days is a mistake, not holidays; an instant in it is dropped.
LONGEST_BREAK_DAYS = 366

Otherwise = Literal["skip", "next", "previous"]

logger = logging.getLogger("clock.clock")


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
                after, previous = days.start_of(days.open_from(day) or day + LONGEST_BREAK_DAYS) - 1, due
                break
            else:
                return

    def _moved_on(self, days: _OpenDays, after: int, end: int, anchor: int) -> Iterator[tuple[int, int]]:
        day = days.day_of(after) - 1
        start = days.start_of(days.open_until(day) or day - LONGEST_BREAK_DAYS)
        for due in self.trigger.due_between(min(after, start), end, anchor, None):
            day = days.day_of(due)
            if (to := days.open_from(day)) is not None:
                yield due, due if to == day else days.moved(due, to)

    def _moved_back(self, days: _OpenDays, after: int, end: int, anchor: int) -> Iterator[tuple[int, int]]:
        for due in self.trigger.due_between(after, end + LONGEST_BREAK_DAYS * DAY, anchor, None):
            day = days.day_of(due)
            to = days.open_until(day)
            # If the clocks go back over midnight, a day may start after the next one, but never by two days.
            earliest = days.start_of((to or day) - 1)
            if earliest > end:
                return
            if to is not None:
                yield earliest, due if to == day else days.moved(due, to)


def is_open(name: str, excepted: Callable[[date], object], day: date) -> bool:
    """Whether the event `name` may fire on a day.

    If the user's function raises, the day counts as open: an extra run beats a lost one.
    """
    try:
        with child_ends_here():
            return not excepted(day)
    except Exception as error:  # noqa: BLE001  # the file's own function may raise whatever it likes
        logger.error("%r: except_on failed for %s: %r; the day counts as open", name, day, error)
        return True


class _OpenDays:
    """The days that are not excepted. Each is computed once."""

    def __init__(self, name: str, excepted: Callable[[date], object], offsets: Offsets) -> None:
        self._name = name
        self._excepted = excepted
        self._offsets = offsets
        self._closed = range(0)  # the last row that was too long, so each day of it is looked at only once
        self.is_open = lru_cache(maxsize=None)(self._ask)

    def _ask(self, day: int) -> bool:
        return is_open(self._name, self._excepted, date_of(day))

    def day_of(self, instant: int) -> int:
        """The day that the zone's clock shows."""
        return (instant + self._offsets.at(instant)) // DAY

    def start_of(self, day: int) -> int:
        """The first instant of a day in the zone."""
        return self._offsets.instant_of(day * DAY)

    def moved(self, instant: int, day: int) -> int:
        """The instant of the same time of day on another day."""
        return self._offsets.instant_of(day * DAY + (instant + self._offsets.at(instant)) % DAY)

    def open_from(self, day: int) -> int | None:
        """The first open day from `day` on; None: the row of excepted days is too long."""
        return self._first_open(day, 1)

    def open_until(self, day: int) -> int | None:
        """The last open day up to `day`; None: the row of excepted days is too long."""
        return self._first_open(day, -1)

    def _first_open(self, day: int, step: int) -> int | None:
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
