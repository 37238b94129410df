"""Finds whether an event's due instants depend on its anchor, the first start of a clock with its schedule."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from clock.clocks import to_ms
from clock.timetable.event import Event

_DAY = 86_400
#: Seconds. If anchors that differ by these give the same due instants, the schedule does not depend on its anchor.
_SHIFTS = (1, _DAY, 7 * _DAY, 31 * _DAY, 366 * _DAY)
_SAMPLE = 50  # due instants that are compared


def depends_on_anchor(event: Event, start: datetime, end: datetime) -> bool:
    """Whether the due instants from `start` on, before `end`, depend on the anchor. An interval's do."""
    return len({tuple(_sample(event, start, end, shift)) for shift in _SHIFTS}) > 1


def _sample(event: Event, start: datetime, end: datetime, shift: int) -> Iterator[int]:
    anchor = start - timedelta(seconds=shift)
    return islice(event.due_between(to_ms(start) // 1000 - 1, to_ms(end) // 1000 - 1, anchor=anchor), _SAMPLE)
