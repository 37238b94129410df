"""The events of a clock file, with their entries in the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from clock.store import Redis, listing
from clock.store.ledger import overdue
from clock.store.ledger.entry import LedgerRow
from clock.store.ledger.pauses import Pause, covering, read
from clock.timetable import Event, Timetable

OVERDUE = timedelta(seconds=overdue.OVERDUE_SECONDS)


@dataclass(frozen=True, slots=True)
class EventView:
    """An event; its next due instant (the oldest undecided one, which may be past); the latest decision on it.

    `last` is the history's newest entry: `decision`, `due` in ms, and further fields; None: not found.
    `known`: the ledger has this declaration; if not, the next due instant is computed from now.
    `pause` is the pause that it is in now.
    """

    event: Event
    next_due: datetime | None
    last: Mapping[str, object] | None
    known: bool
    pause: Pause | None = None

    def overdue(self, now: datetime) -> bool:
        """Whether it should have fired by `now`, by more than the limit."""
        return self.known and self.next_due is not None and now - self.next_due > OVERDUE


def events(redis: Redis, timetable: Timetable, now: datetime) -> list[EventView]:
    """Each event of the clock file. Raises StoreUnavailable."""
    rows = listing.ledger(redis)
    latest = listing.latest_decisions(redis, [event.name for event in timetable.events])
    pauses = read(redis)
    return [
        replace(_view(event, rows.get(event.name), last, now), pause=covering(pauses, event.name, now))
        for event, last in zip(timetable.events, latest, strict=True)
    ]


def _view(
    event: Event,
    row: LedgerRow | None,
    last: Mapping[str, object] | None,
    now: datetime,
) -> EventView:
    if row is None or row.declaration != event.declaration:
        whole_second = now.replace(microsecond=0)
        return EventView(event, event.next_after(whole_second, anchor=whole_second), last, known=False)
    entry = row.entry
    counted = event.counted_from(entry.counted, anchor=entry.anchor, previous=entry.previous)
    due = event.next_after(entry.decided, anchor=entry.anchor, previous=entry.previous, counted=counted)
    return EventView(event, due, last, known=True)
