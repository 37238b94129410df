"""Clockwork 4.0's rule, as running it has shown: what fires at each tick of a clock that is never late."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from clock.timetable.triggers.clockwork import At

DAY = timedelta(days=1)
NOTHING = timedelta(0)


def clockwork_fires(
    period: timedelta,
    at: At | None,
    zone: ZoneInfo,
    start: datetime,
    end: datetime,
    tick: timedelta,
    condition: Callable[[datetime], bool] = lambda _: True,
) -> Iterator[datetime]:
    """An event's fires at start, start + tick, ... up to `end`; it has not run before.

    `condition`, its `if`, is asked last, and a refusal does not use up the period.
    """
    last = None
    now = start
    while now <= end:
        local = now.astimezone(zone)
        is_apart = last is None or now - last >= period - _change(period, zone, now)
        if is_apart and _matches(at, local) and condition(local):
            yield now
            last = now
        now += tick


def _change(period: timedelta, zone: ZoneInfo, now: datetime) -> timedelta:
    """How much of the period an offset change makes up for; nothing of periods below a day."""
    if period < DAY:
        return NOTHING
    before, after = (now - period).astimezone(zone).utcoffset(), now.astimezone(zone).utcoffset()
    return (after or NOTHING) - (before or NOTHING)


def _matches(at: At | None, shown: datetime) -> bool:
    return at is None or (
        at.weekday in (None, shown.weekday())
        and at.hour in (None, shown.hour)
        and at.minute in (None, shown.minute)
    )
