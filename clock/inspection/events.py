"""The events of a clock file beside what the ledger says of them, and what the ledger holds of no event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from clock.clocks import from_ms
from clock.store import Redis, listing, repairs
from clock.timetable import Event, Timetable

OVERDUE = timedelta(seconds=60)  # a healthy clock fires within a second; a deploy takes less than this


@dataclass(frozen=True, slots=True)
class EventView:
    """An event; its next due instant (the oldest undecided one, which may be past); the latest decision on it.

    `last` is the history's newest entry: `decision`, `due` in ms, and what belongs to it; None: there is none.
    `known` says whether the ledger has this declaration; where not, the next due instant is reckoned from now.
    """

    event: Event
    next_due: datetime | None
    last: Mapping[str, object] | None
    known: bool

    def overdue(self, now: datetime) -> bool:
        """Whether it should have fired by `now`, by more than the limit."""
        return self.known and self.next_due is not None and now - self.next_due > OVERDUE


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """An event that the ledger holds, and the declaration that it goes by."""

    event: str
    declaration: str
    decided: datetime


def events(redis: Redis, timetable: Timetable, now: datetime) -> list[EventView]:
    """Each event of the clock file. Raises StoreUnavailable."""
    entries = listing.ledger(redis)
    latest = listing.latest_decisions(redis, [event.name for event in timetable.events])
    return [_view(event, entries, last, now) for event, last in zip(timetable.events, latest, strict=True)]


def orphans(redis: Redis, timetable: Timetable) -> list[LedgerEntry]:
    """What the ledger holds of events that the clock file does not have. Raises StoreUnavailable."""
    names = {event.name for event in timetable.events}
    return [
        LedgerEntry(event, declaration, from_ms(decided))
        for event, (_, declaration, decided) in sorted(listing.ledger(redis).items())
        if event not in names
    ]


def forget(redis: Redis, entries: Sequence[LedgerEntry]) -> int:
    """Delete ledger and history of these; how many had not been declared anew. Raises StoreUnavailable."""
    return sum(repairs.forget_event(redis, entry.event, entry.declaration) for entry in entries)


def _view(
    event: Event,
    entries: Mapping[str, tuple[int, str, int]],
    last: Mapping[str, object] | None,
    now: datetime,
) -> EventView:
    anchor_ms, declaration, decided_ms = entries.get(event.name, (0, "", 0))
    if declaration != event.declaration:
        whole_second = now.replace(microsecond=0)
        return EventView(event, event.next_after(whole_second, anchor=whole_second), last, known=False)
    anchor, decided = from_ms(anchor_ms), from_ms(decided_ms)
    previous = decided if decided > anchor else None
    return EventView(event, event.next_after(decided, anchor=anchor, previous=previous), last, known=True)
