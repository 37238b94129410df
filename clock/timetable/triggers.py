"""Triggers: when an event is due, as pure functions of its anchor and the last due instant.

Each answers `next_after(after, anchor, previous)`: the first due instant strictly after `after`, or None for
never. Instants are aware, in UTC, in whole seconds. `previous`, a due instant not after `after`, only saves work.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from itertools import count
from typing import Protocol

from cronsim import CronSim

from clock.timetable.local_time import SECOND, to_instant, to_local

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class Trigger(Protocol):
    """When."""

    def next_after(self, after: datetime, anchor: datetime, previous: datetime | None) -> datetime | None:
        """The first due instant strictly after `after`; None: never."""


@dataclass(frozen=True, slots=True)
class Elapsed:
    """Every `period` of elapsed time since the anchor, from the `first`-th period on (0: at the anchor itself)."""

    period: timedelta
    first: int = 1

    def next_after(self, after: datetime, anchor: datetime, previous: datetime | None) -> datetime | None:
        """The first due instant strictly after `after`."""
        return anchor + max(self.first, (after - anchor) // self.period + 1) * self.period


@dataclass(frozen=True, slots=True)
class Days:
    """Every `step` days at a time of day in a zone, counted from the anchor's day or from its next `weekday`.

    `at` None: the anchor's own time of day. `first`: the first of the counted days that may be due. `at_anchor`:
    whether an instant that is the anchor itself counts.
    """

    zone: tzinfo
    step: int
    at: time | None = None
    weekday: int | None = None
    first: int = 0
    at_anchor: bool = False

    def next_after(self, after: datetime, anchor: datetime, previous: datetime | None) -> datetime | None:
        """The first due instant strictly after `after`."""
        after = max(after, anchor - SECOND if self.at_anchor else anchor)
        local = to_local(anchor, self.zone)
        start = local.date()
        if self.weekday is not None:
            start += timedelta(days=(self.weekday - start.weekday()) % 7)
        passed = (to_local(after, self.zone).date() - start).days
        for number in count(max(self.first, passed // self.step - 1)):
            wall = datetime.combine(start + timedelta(days=number * self.step), self.at or local.time())
            due = to_instant(wall, self.zone)
            if due > after:
                return due
        raise AssertionError("unreachable: count() does not end")


@dataclass(frozen=True, slots=True)
class Hours:
    """Every `step` hours of elapsed time, when the zone's clock shows `minute` and `second`.

    Where an offset changes by a part of an hour (Lord Howe), the clock's minute counts, and one step is longer.
    """

    zone: tzinfo
    step: int
    minute: int
    second: int

    def next_after(self, after: datetime, anchor: datetime, previous: datetime | None) -> datetime | None:
        """The first due instant strictly after `after`."""
        after = max(after, anchor)
        local = to_local(anchor, self.zone)
        start = anchor - timedelta(minutes=local.minute, seconds=local.second)
        start += timedelta(minutes=self.minute, seconds=self.second)
        first = 0 if self.step == 1 else 1
        for number in count(max(first, (after - start) // (self.step * HOUR) - 1)):
            due = self._shown(start + number * self.step * HOUR)
            if due > after:
                return due
        raise AssertionError("unreachable: count() does not end")

    def _shown(self, instant: datetime) -> datetime:
        """`instant`, moved on to where the clock shows the minute and second."""
        local = to_local(instant, self.zone)
        behind = (self.minute - local.minute) * 60 + self.second - local.second
        return instant + timedelta(seconds=behind % 3600)


@dataclass(frozen=True, slots=True)
class Minutes:
    """Every `step` minutes, at a second of the minute."""

    step: int
    second: int

    def next_after(self, after: datetime, anchor: datetime, previous: datetime | None) -> datetime | None:
        """The first due instant strictly after `after`."""
        after = max(after, anchor)
        period = timedelta(minutes=self.step)
        start = anchor.replace(second=self.second)
        return start + max(0 if self.step == 1 else 1, (after - start) // period + 1) * period


@dataclass(frozen=True, slots=True)
class RandomGaps:
    """Gaps of `low` to `high` units, each drawn from a hash of the event's name and the instant before it."""

    name: str
    low: int
    high: int
    unit: timedelta

    def next_after(self, after: datetime, anchor: datetime, previous: datetime | None) -> datetime | None:
        """The first due instant strictly after `after`."""
        due = previous or anchor
        while due <= after or due <= anchor:
            due += self._gap(due) * self.unit
        return due

    def _gap(self, instant: datetime) -> int:
        seed = f"{self.name}\0{int(instant.timestamp())}".encode()
        drawn = int.from_bytes(hashlib.blake2b(seed, digest_size=8).digest(), "big")
        return self.low + drawn % (self.high - self.low + 1)


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression of five fields, by the rules of the `cronsim` package."""

    expression: str
    zone: tzinfo

    def next_after(self, after: datetime, anchor: datetime, previous: datetime | None) -> datetime | None:
        """The first due instant strictly after `after`; None if there is none for 50 years."""
        after = max(after, anchor)
        for found in CronSim(self.expression, after.astimezone(self.zone)):
            due = found.astimezone(UTC)
            if due > after:
                return due
        return None


@dataclass(frozen=True, slots=True)
class Union:
    """Due whenever one of the triggers is; an instant that several give counts once."""

    triggers: Sequence[Trigger]

    def next_after(self, after: datetime, anchor: datetime, previous: datetime | None) -> datetime | None:
        """The first due instant strictly after `after`."""
        dues = [trigger.next_after(after, anchor, None) for trigger in self.triggers]
        return min((due for due in dues if due is not None), default=None)


@dataclass(frozen=True, slots=True)
class Until:
    """A trigger that ends: nothing is due after `last`."""

    trigger: Trigger
    last: datetime

    def next_after(self, after: datetime, anchor: datetime, previous: datetime | None) -> datetime | None:
        """The first due instant strictly after `after`, if it is not past the end."""
        due = self.trigger.next_after(after, anchor, previous)
        return due if due is not None and due <= self.last else None
