"""`.until(...)`: a trigger that ends, and the moments that it may end at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from clock.printable import brief
from clock.timetable.periods import short_form
from clock.timetable.triggers.intervals import Trigger
from clock.timetable.triggers.zone_offsets import DAY, offsets_of, to_seconds

#: The texts that the `schedule` package takes.
_FORMATS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")
_TIME_FORMATS = ("%H:%M:%S", "%H:%M")
_ACCEPTED = 'a datetime, a timedelta, a time, "2026-12-31 18:00", "2026-12-31" or "18:00"'

Moment = datetime | timedelta | time


def parse_until(value: object) -> Moment:
    """The moment that `value` names. Raises ValueError with the accepted forms.

    >>> parse_until("2026-12-31"), parse_until("18:00")
    (datetime.datetime(2026, 12, 31, 0, 0), datetime.time(18, 0))
    """
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
            return anchor + self.last // timedelta(seconds=1)
        offsets = offsets_of(self.last.tzinfo or self.zone)
        wall = anchor + offsets.at(anchor)
        at = (self.last.hour * 60 + self.last.minute) * 60 + self.last.second
        return offsets.instant_of(wall - wall % DAY + at)
