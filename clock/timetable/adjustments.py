"""What moves or drops the due instants of another trigger: holidays, a spread, a jitter, an end.

The trigger inside goes on reckoning with its own, nominal instants: what is moved does not move what comes after.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, tzinfo
from functools import lru_cache
from typing import Literal

from clock.timetable.local_time import DAY, Offsets, date_of, offsets_of
from clock.timetable.triggers import Trigger, drawn
from clock.timetable.wall_times import SEARCH_SECONDS

#: A longer row of excepted days is no row of holidays; an instant that would be moved over it is dropped.
LONGEST_BREAK_DAYS = 366

Otherwise = Literal["skip", "next", "previous"]


@dataclass(frozen=True, slots=True)
class Spread:
    """All due instants later by a part of `seconds` that is the event's own, drawn from its name."""

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
    """Each due instant later by a part of `seconds` that is drawn from the event's name and the instant."""

    trigger: Trigger
    name: str
    seconds: int

    def due_between(self, after: int, end: int, anchor: int, previous: int | None) -> Iterator[int]:
        """The due instants in (after, end], in order."""
        nominal = self.trigger.due_between(after - self.seconds, end, anchor, None)
        moved = ((due, due + drawn(self.name, due) % self.seconds) for due in nominal)
        return (due for due in _in_order(moved) if after < due <= end)


@dataclass(frozen=True, slots=True)
class Except:
    """No due instants on excepted days: they are dropped, or moved to the `next` or `previous` day that is none.

    A moved instant keeps its time of day in the zone; one that meets another counts once.
    """

    trigger: Trigger
    excepted: Callable[[date], object]
    otherwise: Otherwise
    zone: tzinfo

    def due_between(self, after: int, end: int, anchor: int, previous: int | None) -> Iterator[int]:
        """The due instants in (after, end], in order; the search ends after 50 years of excepted days."""
        after, end = max(after, anchor - 1), min(end, after + SEARCH_SECONDS)
        days = _OpenDays(self.excepted, offsets_of(self.zone))
        if self.otherwise == "skip":
            return self._kept(days, after, end, anchor, previous)
        moved = self._moved_on if self.otherwise == "next" else self._moved_back
        return (due for due in _in_order(moved(days, after, end, anchor)) if after < due <= end)

    def _kept(self, days: _OpenDays, after: int, end: int, anchor: int, previous: int | None) -> Iterator[int]:
        while True:
            for due in self.trigger.due_between(after, end, anchor, previous):
                day = days.day_of(due)
                if days.is_open(day):
                    yield due
                    continue
                # What lies between is not looked at one by one: it may be every second of a fortnight.
                after, previous = days.start_of(days.open_from(day) or day + LONGEST_BREAK_DAYS) - 1, due
                break
            else:
                return

    def _moved_on(self, days: _OpenDays, after: int, end: int, anchor: int) -> Iterator[tuple[int, int]]:
        day = days.day_of(after) - 1
        start = days.start_of(days.open_until(day) or day - LONGEST_BREAK_DAYS) - DAY
        for due in self.trigger.due_between(min(after, start), end, anchor, None):
            day = days.day_of(due)
            if (to := days.open_from(day)) is not None:
                yield due, due if to == day else days.moved(due, to)

    def _moved_back(self, days: _OpenDays, after: int, end: int, anchor: int) -> Iterator[tuple[int, int]]:
        for due in self.trigger.due_between(after, end + LONGEST_BREAK_DAYS * DAY, anchor, None):
            day = days.day_of(due)
            # Where clocks go back over midnight, a day comes after the next one; nothing comes two days late.
            earliest = days.start_of((days.open_until(day - 1) or day - LONGEST_BREAK_DAYS) - 1)
            if earliest > end:
                return
            if (to := days.open_until(day)) is not None:
                yield earliest, due if to == day else days.moved(due, to)


class _OpenDays:
    """Days that are not excepted, each asked for once."""

    def __init__(self, excepted: Callable[[date], object], offsets: Offsets) -> None:
        self._offsets = offsets
        self.is_open = lru_cache(maxsize=None)(lambda day: not excepted(date_of(day)))

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
        return next((at for at in range(day, day + LONGEST_BREAK_DAYS) if self.is_open(at)), None)

    def open_until(self, day: int) -> int | None:
        """The last open day up to `day`; None: the row of excepted days is too long."""
        return next((at for at in range(day, day - LONGEST_BREAK_DAYS, -1) if self.is_open(at)), None)


def _in_order(moved: Iterable[tuple[int, int]]) -> Iterator[int]:
    """Moved instants in order, each once. They come as (no instant to come is earlier than this, instant)."""
    waiting: list[int] = []
    last = None
    for earliest, instant in moved:
        heapq.heappush(waiting, instant)
        while waiting and waiting[0] <= earliest:
            due = heapq.heappop(waiting)
            if due != last:
                yield due
            last = due
    for due in sorted(set(waiting)):
        if due != last:
            yield due
