"""Quick triggers: computing the next due instant takes some microseconds as a rule, and a millisecond at most.

The clock computes it before it commits a firing. So no function of the user's may run: holidays, a tzinfo.
"""

from __future__ import annotations

from datetime import timezone, tzinfo
from zoneinfo import ZoneInfo

from clock.timetable.triggers.adjustments import Spread
from clock.timetable.triggers.calendar_days import MatchingDays
from clock.timetable.triggers.clockwork import ClockworkAt
from clock.timetable.triggers.cron import Cron
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
)
from clock.timetable.triggers.until import Until

_QUICK = (ClockworkAt, Cron, Days, EachHour, Elapsed, Hours, Minutes, RandomGaps)


def is_quick(trigger: Trigger, zone: tzinfo) -> bool:
    """Whether the trigger, in this zone, is quick. False for triggers that this module does not know."""
    if type(zone) not in (ZoneInfo, timezone):
        return False
    if isinstance(trigger, (Until, Spread)):
        return is_quick(trigger.trigger, zone)
    if isinstance(trigger, Union):
        return all(is_quick(one, zone) for one in trigger.triggers)
    if isinstance(trigger, CalendarDays):
        return isinstance(trigger.days, MatchingDays)  # and not business days, which look at holidays
    return isinstance(trigger, _QUICK)
