"""The schedule of an event in the terms of an outside monitor: a cron expression, or a period."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice, pairwise

from clock.timetable.event import Event
from clock.timetable.triggers.cron import Cron
from clock.timetable.triggers.intervals import Trigger
from clock.timetable.triggers.zone_offsets import DAY, MINUTE, to_seconds

_WATCHED = 400 * DAY  # a schedule is compared over so many seconds: each kind of day occurs
_MOST_COMPARED = 3_000  # instants
_SHORTEST = 60  # seconds: no provider accepts a shorter period


@dataclass(frozen=True, slots=True)
class MonitoredSchedule:
    """A cron expression in a zone, or the longest time between two runs, in seconds."""

    cron: str = ""
    zone: str = "UTC"
    seconds: int = 0

    def __str__(self) -> str:
        return f"{self.cron} ({self.zone})" if self.cron else f"at least every {self.seconds} s"


def schedule_for_monitor(event: Event, now: datetime) -> MonitoredSchedule | None:
    """The event's schedule for a provider; None: it is not due again.

    A cron expression is used only if its due instants are those of the event, to the minute, for a year.
    For all others it is the longest time between two runs of that year, so no run is expected too early.
    """
    anchor = to_seconds(now)
    found = _minutes(event.trigger, anchor, anchor)
    if not found:
        return None
    same = found == _minutes(event.trigger, anchor, anchor - 10_007)  # it depends on when the event was first seen
    for expression in _expressions(found, event) if same else ():
        if _minutes(Cron(expression, event.zone), anchor, anchor) == found:
            return MonitoredSchedule(expression, str(event.zone))
    gaps = [later - earlier for earlier, later in pairwise([anchor, *found])]
    return MonitoredSchedule(seconds=max(_SHORTEST, *gaps))


def _minutes(trigger: Trigger, after: int, anchor: int) -> list[int]:
    dues = islice(iter(trigger.due_between(after, after + _WATCHED, anchor, None)), _MOST_COMPARED)
    return list(dict.fromkeys(due - due % MINUTE for due in dues))


def _expressions(found: list[int], event: Event) -> list[str]:
    """Cron expressions that may have these instants, the event's own first."""
    own = [event.schedule.removeprefix("cron ")] if event.schedule.startswith("cron ") else []
    local = [datetime.fromtimestamp(due, UTC).astimezone(event.zone) for due in found]
    minutes, hours = _field({at.minute for at in local}), _field({at.hour for at in local}, 24)
    days, weekdays = _field({at.day for at in local}, 31), _field({at.isoweekday() % 7 for at in local}, 7)
    months = _field({at.month for at in local})
    dates = [f"* * {weekdays}", f"{days} * *", f"{days} {months} *"]
    return [text for text in own if len(text.split()) == 5] + [f"{minutes} {hours} {date}" for date in dates]


def _field(values: set[int], all_of_them: int = 60) -> str:
    return "*" if len(values) == all_of_them else ",".join(map(str, sorted(values)))
