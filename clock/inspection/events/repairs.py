"""Changes that a person makes to events.

Each function that takes a connection raises StoreUnavailable.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from clock.store import Redis, listing
from clock.store.jobs.cancellations import mark
from clock.store.ledger import pauses
from clock.store.ledger.pauses import Pause
from clock.store.server.shards import every
from clock.timetable import Event

ALL_EVENTS = pauses.ALL  # in the place of an event's name: the whole clock


def event_to_pause(redis: Redis, name: str | None, find: Callable[[str], Event]) -> str:
    """The event of that name, which a clock has run or `find` finds; None: ALL_EVENTS. Raises UnknownEvent."""
    if name is not None and name not in listing.ledger(redis):
        find(name)
    return ALL_EVENTS if name is None else name


def event_to_resume(redis: Redis, name: str | None, find: Callable[[str], Event]) -> str:
    """The event of that name, which may be paused and gone; None: ALL_EVENTS. Raises UnknownEvent."""
    return name if name is not None and name in pauses.read(redis) else event_to_pause(redis, name, find)


def pause_event(
    redis: Redis, name: str, now: datetime, *, until: datetime | None, by: str | None, note: str | None
) -> Pause:
    """Pause an event, or ALL_EVENTS, from now until `until` (None: until it is resumed)."""
    return pauses.pause(redis, name, Pause(now, until, by or None, note or None))


def resume_event(redis: Redis, name: str, now: datetime) -> Pause | None:
    """End the pause of an event, or of ALL_EVENTS; None: it was not paused."""
    return pauses.resume(redis, name, now)


def cancel_running(redis: Redis, jid: str, now: datetime) -> None:
    """Ask a running job to end: it gets `JobCancelled` at its next checkpoint."""
    for place in every(redis):
        mark(place, [jid], now=now)
