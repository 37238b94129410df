"""Changes that a person makes to events.

Each function that takes a connection raises StoreUnavailable.
"""

from __future__ import annotations

from datetime import datetime

from clock.store import Redis
from clock.store.jobs.cancellations import mark
from clock.store.ledger import pauses
from clock.store.ledger.pauses import Pause
from clock.store.server.shards import every

ALL_EVENTS = pauses.ALL  # in the place of an event's name: the whole clock


def pause_event(redis: Redis, name: str, now: datetime, *, until: datetime | None, by: str, note: str) -> Pause:
    """Pause an event, or ALL_EVENTS, from now until `until` (None: until it is resumed)."""
    return pauses.pause(redis, name, Pause(now, until, by or None, note or None))


def resume_event(redis: Redis, name: str, now: datetime) -> bool:
    """End the pause of an event, or of ALL_EVENTS; False: it was not paused."""
    return pauses.resume(redis, name, now) is not None


def cancel_running(redis: Redis, jid: str, now: datetime) -> None:
    """Ask a running job to end: it gets `JobCancelled` at its next checkpoint."""
    for place in every(redis):
        mark(place, [jid], now=now)
