"""The log lines of the clock's loop."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from clock.clocks import from_ms, to_ms, unix_seconds
from clock.log import write_gathered_lines, write_info
from clock.printable import shortened_list
from clock.store.ledger.entry import Entry, Origin
from clock.ticker.lost_writes import OwnCommits
from clock.ticker.planning.catch_up import Due
from clock.ticker.planning.due_queue import Planned
from clock.timetable import Event
from clock.timetable.triggers.wall_times import span_of

logger = logging.getLogger("clock.clock")


def triggered(event: Event, due: Due, at: datetime) -> None:
    """Log that an event fired at `at`, in Clockwork's words."""
    if logger.isEnabledFor(logging.INFO):
        late_ms = (at - due.at) // timedelta(milliseconds=1)
        logger.info("Triggering %r", event.name, extra={**about(event.name, due.at), "late_ms": late_ms})


def all_triggered(firings: list[tuple[Event, Due, datetime]], untaken: set[tuple[str, int]]) -> None:
    """Log the firings, except those that the ledger did not take. Empties both collections.

    The lines of many firings are written by one system call. A record is made only if a handler needs it.
    """
    created = unix_seconds()
    for event, due, at in firings if logger.isEnabledFor(logging.INFO) else ():
        if untaken and (event.name, to_ms(due.at)) in untaken:
            continue
        if not write_info(logger, f"Triggering {event.name!r}", created, at_once=False):
            triggered(event, due, at)
    write_gathered_lines()
    firings.clear()
    untaken.clear()


def held_up(event: str, at: datetime, reason: str | None) -> None:
    """Log that a due event does not fire."""
    logger.info("Not triggering %r: %s", event, reason, extra=about(event, at))


def slow(event: Event, seconds: float, late: Sequence[tuple[str, datetime]], now: datetime) -> None:
    """Log that an event's action blocked the loop, and which events are late because of it."""
    named = shortened_list([f"{name} by {(now - at).total_seconds():.1f} s" for name, at in late])
    logger.warning(
        "%r blocked the clock for %.1f s%s; use thread=True or enqueue a job",
        event.name,
        seconds,
        f" and delayed: {named}" if named else "",
    )


def about(event: str, at: datetime) -> dict[str, str]:
    """The extra fields of a log line about an event that was due at `at`."""
    return {"event": event, "due": at.isoformat()}


def entries_found(planned: Sequence[Planned], entries: Sequence[Entry], own_commits: OwnCommits) -> None:
    """Log unusual ledger entries of events."""
    by_origin: dict[Origin, list[str]] = {}
    for item, entry in zip(planned, entries, strict=True):
        by_origin.setdefault(entry.origin, []).append(item.event.name)
    if restored := [*own_commits.restored, *by_origin.get(Origin.RESTORED, [])]:
        logger.warning(
            "Redis lost the ledger entries of %s; this clock wrote them again from memory. %s Pauses, histories "
            "and jobs that Redis lost with them stay lost.",
            shortened_list(list(map(repr, restored))),
            "Decisions that another clock has made since this one last led are made again."
            if own_commits.is_old
            else "Their due instants are neither lost nor fired twice.",
        )
    own_commits.restored.clear()
    if renewed := by_origin.get(Origin.RENEWED):
        logger.warning(
            "The ledger entries of %s had a missing or invalid part; this clock rebuilt them from the rest: a "
            "due instant may have been lost. See maxmemory-policy, and find the program that deletes or writes "
            "keys clock:ledger:*.",
            shortened_list(list(map(repr, renewed))),
        )
    pairs = [(item.event.name, item.event.declaration) for item in planned]
    behind = own_commits.behind(pairs, entries)
    lost = [
        _decided_again(item.event, entry, behind[item.event.name])
        for item, entry in zip(planned, entries, strict=True)
        if item.event.name in behind
    ]
    if lost:
        logger.warning(
            "Redis lost decisions that this clock had committed: an older snapshot was restored, or a replica "
            "that lagged was promoted. These due instants are decided again, and jobs that ran may run again: %s",
            shortened_list(lost),
        )


def _decided_again(event: Event, entry: Entry, committed_ms: int) -> str:
    low, high = entry.decided_ms // 1000, committed_ms // 1000
    span = span_of(event.due_between(low, high, anchor=entry.anchor, previous=entry.previous))
    if span is None:
        return f"{event.name!r} up to {from_ms(committed_ms).isoformat()}"
    first, last = from_ms(span.first * 1000).isoformat(), from_ms(span.last[-1] * 1000).isoformat()
    return f"{event.name!r} {first}" if span.count == 1 else f"{event.name!r} {span.count} from {first} to {last}"
