"""The effect of DST transitions on an event: its times of day that are skipped, or that occur twice.

The trigger in a zone without transitions gives the times that an event names; the trigger itself gives the times
in the real zone. So each rule is reported as it really works.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import cast

from clock.rehearsal.coincidence import OFTEN_A_DAY
from clock.timetable import Event
from clock.timetable.triggers.intervals import EachHour, Elapsed, Hours, Trigger
from clock.timetable.triggers.zone_offsets import ZoneChange, to_datetime, to_seconds, zone_changes

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Hazard:
    """A night on which an event does not simply fire at its time of day; `text` describes what happens instead."""

    at: datetime
    text: str


def hazards_of(event: Event, start: datetime, end: datetime) -> Iterator[Hazard]:
    """The event's hazards from `start` to before `end`."""
    steady = cast(Trigger, _in_zone(event.trigger, UTC))
    counts_real_time = any(isinstance(part, EachHour | Hours | Elapsed) for part in _parts(event.trigger))
    if steady == event.trigger or counts_real_time:
        return
    for change in zone_changes(event.zone, start, end):
        low = change.first - _DAY
        day = _walls(steady, start, low, low + 2 * _DAY, event.zone)
        walls = [wall for wall in day if change.holds(wall)]
        if walls and len(day) <= 2 * OFTEN_A_DAY:
            yield Hazard(change.at, _hazard_text(event, change, walls, start))


def _walls(steady: Trigger, start: datetime, low: datetime, high: datetime, zone: tzinfo) -> list[datetime]:
    """The wall-clock times from `low` to before `high` that the event names."""
    anchor = to_seconds(start.astimezone(zone).replace(tzinfo=UTC))
    begin, end = (to_seconds(wall.replace(tzinfo=UTC)) for wall in (low, high))
    return [to_datetime(due).replace(tzinfo=None) for due in steady.due_between(begin - 1, end - 1, anchor, None)]


def _hazard_text(event: Event, change: ZoneChange, walls: list[datetime], start: datetime) -> str:
    times = ", ".join(f"{wall:%H:%M}" for wall in walls)
    after = to_seconds(change.at - abs(change.then - change.shown)) - 1
    end = to_seconds(change.at + abs(change.then - change.shown))
    fires = [to_datetime(due) for due in event.due_between(after, end, anchor=start)]
    if change.is_gap:
        moved = [at.astimezone(event.zone) for at in fires if at >= change.at]
        instead = f"it runs at {moved[0]:%H:%M} instead" if moved else "it does not run"
        return f"{times} is skipped on {change.first:%a %d %b %Y}: {instead}"
    shown = [at.astimezone(event.zone) for at in fires]
    again = [at for at in shown if at.replace(tzinfo=None) in walls]
    if len(again) > len(walls):
        return f"{times} occurs twice on {change.first:%a %d %b %Y}: it runs both times"
    which = f"at the {'first' if not again or again[0].fold == 0 else 'second'} of them"
    return f"{times} occurs twice on {change.first:%a %d %b %Y}: it runs once, {which}"


def _in_zone(part: object, zone: tzinfo) -> object:
    """The trigger with all its zones replaced, those of inner triggers included."""
    if isinstance(part, tzinfo):
        return zone
    if isinstance(part, (tuple, list)):
        return tuple(_in_zone(item, zone) for item in part)
    if is_dataclass(part) and not isinstance(part, type):
        changes = {item.name: _in_zone(getattr(part, item.name), zone) for item in fields(part) if item.init}
        return replace(part, **changes)
    return part


def _parts(part: object) -> Iterator[object]:
    yield part
    held: Iterable[object] = part if isinstance(part, (tuple, list)) else ()
    if is_dataclass(part) and not isinstance(part, type):
        held = (getattr(part, item.name) for item in fields(part))
    for each in held:
        yield from _parts(each)


def elapsed_periods(trigger: Trigger | None) -> Iterator[timedelta]:
    """The periods of elapsed time that a trigger counts by."""
    return (timedelta(seconds=part.period) for part in _parts(trigger) if isinstance(part, Elapsed))
