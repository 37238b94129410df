"""Clockwork's form with a condition: the period counts from the last instant that the condition did not refuse.

A refused instant does not use up the period. The condition is asked again at the next candidate. With `at`, that
is the next matching time; without it, the next whole minute, or the next second if the period is under a minute.
Clockwork asks at every tick. Ticks at which no condition can give another answer are left out.

The ledger stores the last instant that counted for each time of `at`, as text: seconds since 1970, or "-" without
one. The instant is nominal: before a spread, a jitter or a holiday moves it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clock.timetable.triggers.clockwork import ClockworkAt
from clock.timetable.triggers.intervals import Days, Elapsed, Trigger, Union
from clock.timetable.triggers.wall_times import Joined
from clock.timetable.triggers.zone_offsets import DAY, FOREVER, MINUTE

_NEAR = (DAY, 16 * DAY)  # holidays and jitter never move an instant further


@dataclass(slots=True)
class Counting:
    """The due instants of a trigger of Clockwork's form, after those that have counted."""

    trigger: Trigger
    anchor: int
    counted: Sequence[int | None]  # the last instant, for each time of `at`; None: none has counted

    @classmethod
    def read(cls, trigger: Trigger, anchor: int, text: str, previous: int | None = None) -> Counting:
        """Parse the ledger's text. Without a valid text, all due instants up to `previous` have counted."""
        parts, leaves = text.split(","), _leaves(trigger)
        is_valid = all(part == "-" or (part.isdecimal() and len(part) < 20) for part in parts)
        if is_valid and len(parts) == len(leaves):
            return cls(trigger, anchor, [None if part == "-" else int(part) for part in parts])
        return cls(trigger, anchor, [_last_due(leaf, anchor, previous) for leaf in leaves])

    def __str__(self) -> str:
        return ",".join("-" if last is None else str(last) for last in self.counted)

    def asked_between(self, after: int, end: int) -> Iterable[int]:
        """The instants in (after, end] at which the condition is asked, as long as it refuses."""
        leaves = map(_Open, _leaves(self.trigger), self.counted)
        return _with_leaves(self.trigger, list(leaves)).due_between(after, end, self.anchor, None)

    def after(self, due: int) -> Counting:
        """The new value once the instant `due` has counted."""
        leaves = map(_Open, _leaves(self.trigger), self.counted)
        return Counting(self.trigger, self.anchor, [self._nominal(leaf, due) for leaf in leaves])

    def last(self) -> int | None:
        """The latest due instant that counted; None: none has counted."""
        moved = (self._moved(last) for last in self.counted if last is not None)
        return max((due for due in moved if due is not None), default=None)

    def _nominal(self, leaf: _Open, due: int) -> int | None:
        """The nominal instant of `due`, or else the last that counted."""
        if isinstance(self.trigger, (Union, ClockworkAt, Days, Elapsed)):
            return next(iter(leaf.due_between(due - 1, due, self.anchor, None)), leaf.last)
        for reach in _NEAR:
            for nominal in leaf.due_between(due - reach, due + reach, self.anchor, None):
                if self._moved(nominal) == due:
                    return nominal
        return leaf.last

    def _moved(self, nominal: int) -> int | None:
        """The due instant of a nominal instant; None: it is dropped."""
        low, high = nominal - _NEAR[-1], nominal + _NEAR[-1]
        moved = _with_leaves(self.trigger, [_Fixed(nominal)]).due_between(low, high, self.anchor, None)
        return next(iter(moved), None)


@dataclass(frozen=True, slots=True)
class _Fixed:
    instant: int

    def due_between(self, after: int, end: int, anchor: int, previous: int | None) -> Iterable[int]:
        return [self.instant] if after < self.instant <= end else []


@dataclass(frozen=True, slots=True)
class _Open:
    """The candidates of a trigger at least a period after the `last` counted instant."""

    leaf: Any
    last: int | None

    def due_between(self, after: int, end: int, anchor: int, previous: int | None) -> Iterable[int]:
        if isinstance(self.leaf, ClockworkAt):
            return self.leaf.candidates_after(self.last, after, end, anchor)
        # The next due instant after the last counted one, then whole minutes, or seconds.
        first = _next_due(self.leaf, self.last, anchor)
        if first > end:
            return ()
        grain = MINUTE if _period(self.leaf) >= MINUTE else 1
        begin = max(first, after)
        rest = range(begin - begin % grain + grain, end + 1, grain)
        return Joined(first, rest) if first > after else rest


def _next_due(leaf: Elapsed | Days, last: int | None, anchor: int) -> int:
    if last is None:
        return next(iter(leaf.due_between(anchor - 1, FOREVER, anchor, None)))
    if last not in leaf.due_between(last - 1, last, anchor, None):  # the condition was asked again
        leaf, anchor = replace(leaf, first=1), last
    return next(iter(leaf.due_between(last, FOREVER, anchor, None)))


def _last_due(leaf: Any, anchor: int, previous: int | None) -> int | None:
    """The leaf's last due instant up to `previous`, if all have counted."""
    if previous is None:
        return None
    reach = 2 * _period(leaf) + _NEAR[-1]
    dues = deque(leaf.due_between(max(anchor - 1, previous - reach), previous, anchor, None), maxlen=1)
    return dues[0] if dues else None


def _period(leaf: Any) -> int:
    return int(leaf.step * DAY if isinstance(leaf, Days) else leaf.period)


def _leaves(trigger: Any) -> Sequence[Any]:
    """The inner triggers of Clockwork's form, one for each time of `at`."""
    while not isinstance(trigger, (Union, ClockworkAt, Days, Elapsed)):
        trigger = trigger.trigger
    return trigger.triggers if isinstance(trigger, Union) else [trigger]


def _with_leaves(trigger: Any, leaves: Sequence[Trigger]) -> Trigger:
    """The trigger with its inner triggers replaced."""
    if isinstance(trigger, (Union, ClockworkAt, Days, Elapsed)):
        return leaves[0] if len(leaves) == 1 else Union(leaves)
    found: Trigger = replace(trigger, trigger=_with_leaves(trigger.trigger, leaves))
    return found
