"""iCalendar's recurrence rules on days, `FREQ=MONTHLY;BYDAY=-1FR`, by the package `dateutil` (extra `calendars`).

`dateutil` finds the days. The times of day and the rule for zone changes are those of `wall_times`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, time, tzinfo
from functools import lru_cache
from itertools import islice

from clock.timetable.triggers.calendars.rrule_text import RuleText
from clock.timetable.triggers.wall_times import AS_USUAL, FIXED, DstChoice, WallTimes
from clock.timetable.triggers.zone_offsets import DAY, FOREVER, date_of, day_number, offsets_of

_LATE = day_number(datetime(9600, 1, 1))  # a rule without a day in the last 399 years never has one


@dataclass(frozen=True, slots=True)
class Rrule:
    """A recurrence rule in a zone. Without DTSTART it starts at the anchor."""

    rule: RuleText
    zone: tzinfo
    dst: DstChoice = AS_USUAL

    def due_between(self, after: int, end: int, anchor: int, previous: int | None) -> Iterable[int]:
        """The due instants in (after, end], in order; the search ends after 50 years without a matching day."""
        offsets = offsets_of(self.zone)
        start = anchor + offsets.at(anchor) if self.rule.start is None else self.rule.start
        first = anchor if self.rule.start is None else offsets.instant_of(start) - 1
        end = min(end, self._last(start))
        walls = WallTimes(
            RuleDays(self.rule, start // DAY), self.rule.times(start), self.zone, self.dst.over(FIXED)
        )
        return walls.instants(max(after, anchor, first), end)

    def _last(self, start: int) -> int:
        """The last instant that UNTIL or COUNT allows."""
        if self.rule.until_utc is not None:
            return self.rule.until_utc
        wall = _last_wall(self.rule, start)
        if wall is None or wall >= FOREVER:
            return FOREVER
        offsets = offsets_of(self.zone)
        return max(offsets.readings(wall), default=offsets.instant_of(wall))


@dataclass(frozen=True, slots=True)
class RuleDays:
    """The days of a rule that starts on the day `start`."""

    rule: RuleText
    start: int

    def between(self, low: int, high: int) -> Iterator[int]:
        """The days low <= day < high of the set, in order."""
        from dateutil.rrule import rrulestr

        begin = datetime.combine(date_of(self.rule.aligned(self.start, low)), time())
        for found in rrulestr(self.rule.day_rule(self.start), dtstart=begin):
            if (day := day_number(found)) >= high:
                return
            if day >= max(low, self.start):
                yield day


def has_days(rule: RuleText) -> bool:
    """Whether the rule matches any day."""
    start = rule.start // DAY if rule.start is not None else _LATE
    return next(RuleDays(rule, start).between(max(start, _LATE), day_number(datetime.max)), None) is not None


@lru_cache(maxsize=1024)
def _last_wall(rule: RuleText, start: int) -> int | None:
    """The last wall-clock time of a rule with COUNT or a local UNTIL; None: the rule does not end so."""
    if rule.count is None:
        return rule.until
    days = RuleDays(rule, start // DAY).between(start // DAY, FOREVER // DAY)
    first = start if rule.start is not None else start + 1  # nothing is due at the anchor itself
    walls = (day * DAY + at for day in days for at in rule.times(start) if day * DAY + at >= first)
    return next(islice(walls, rule.count - 1, None), None)
