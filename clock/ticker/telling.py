"""What the clock's loop says in its log."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from clock.clocks import to_ms
from clock.ticker.catch_up import Due
from clock.timetable import Event

NAMED = 10  # events that a slow one has made late, in the warning

logger = logging.getLogger(__name__)


def triggered(event: Event, due: Due, at: datetime) -> None:
    """That an event fired at `at`: Clockwork's words."""
    if logger.isEnabledFor(logging.INFO):
        late_ms = (at - due.at) // timedelta(milliseconds=1)
        logger.info("Triggering %r", event.name, extra={**about(event.name, due.at), "late_ms": late_ms})


def all_triggered(firings: list[tuple[Event, Due, datetime]], untaken: set[tuple[str, int]]) -> None:
    """That these fired, but for those which the ledger did not take; both are emptied."""
    for event, due, at in firings if logger.isEnabledFor(logging.INFO) else ():
        if not untaken or (event.name, to_ms(due.at)) not in untaken:
            triggered(event, due, at)
    firings.clear()
    untaken.clear()


def held_up(event: str, at: datetime, reason: str | None) -> None:
    """That an event does not fire though it is due."""
    logger.info("Not triggering %r: %s", event, reason, extra=about(event, at))


def slow(event: Event, seconds: float, late: Sequence[tuple[str, datetime]], now: datetime) -> None:
    """That an event's action held up the loop, and which events are late by it, and by how much."""
    named = ", ".join(f"{name} by {(now - at).total_seconds():.1f} s" for name, at in late[:NAMED])
    logger.warning(
        "%r took %.1f s in the clock's own thread%s%s; use thread=True, or let it enqueue a job",
        event.name,
        seconds,
        f" and made late: {named}" if named else "",
        f" and {len(late) - NAMED} more" if len(late) > NAMED else "",
    )


def about(event: str, at: datetime) -> dict[str, str]:
    """The fields of a line about an event that was due at `at`."""
    return {"event": event, "due": at.isoformat()}
