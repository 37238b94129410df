"""Events page by page: each with its latest decisions, its next run and its pause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from clock.clocks import from_ms, to_ms
from clock.store import Redis
from clock.store.ledger import event_rows, history
from clock.store.ledger.event_rows import StoredEvent
from clock.store.ledger.pauses import Pause, covering
from clock.timetable import Event
from clock.timetable.explanation import explain

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event, and what Redis holds of it.

    `event` is None for one that the clock file does not declare: of a database, or of a file that is not here.
    `next_due` is the oldest undecided due instant; None: never, or unknown without a declaration. `is_known`: a
    clock has run the event with its present declaration. `records` are its latest decisions, the oldest first.
    """

    name: str
    event: Event | None
    schedule: str
    zone: tzinfo
    next_due: datetime | None
    is_known: bool
    anchor: datetime | None
    pause: Pause | None
    records: Sequence[Record]

    @property
    def last(self) -> Record | None:
        """The latest decision; None: not found."""
        return self.records[-1] if self.records else None

    @property
    def is_failing(self) -> bool:
        """Whether the latest decision is an error, or its latest job with an outcome failed for good."""
        return self.last is not None and self.last["decision"] == "error"

    def as_json(self) -> dict[str, object]:
        """For programs: the fields of `clock list --json`, and more."""
        event = self.event
        return {
            "name": self.name,
            "schedule": self.schedule,
            "zone": str(self.zone),
            "action": str(event.action) if event else None,
            "description": event.description if event else None,
            "explained": explain(event) if event else None,
            "tags": sorted(map(str, event.tags)) if event else [],
            "source": event.source if event else None,
            "next_due": self.next_due.isoformat() if self.next_due else None,
            "pause": str(self.pause) if self.pause else None,
            "last": self.last,
        }


def event_rows_of(
    redis: Redis, names: Sequence[str], declared: Mapping[str, Event], now: datetime, count: int
) -> list[EventRow]:
    """The events of these names, each with up to `count` decisions. `declared` has those of the clock file.

    Raises StoreUnavailable.
    """
    stored = event_rows.read(redis, names, count)
    return [_row(name, declared.get(name), one, now) for name, one in zip(names, stored, strict=True)]


def event_names(redis: Redis, declared: Mapping[str, Event], *, also_others: bool) -> list[str]:
    """The names of the events of the clock file, in its order; `also_others`: and those that only the ledger has.

    Raises StoreUnavailable.
    """
    others = [name for name in event_rows.known_names(redis) if name not in declared] if also_others else []
    return [*declared, *others]


def _row(name: str, event: Event | None, stored: StoredEvent, now: datetime) -> EventRow:
    row = stored.row
    is_known = row is not None and (event is None or row.declaration == event.declaration)
    return EventRow(
        name=name,
        event=event,
        schedule=event.schedule if event else row.declaration if row else "",
        zone=event.zone if event else UTC,
        next_due=_next_due(event, stored if is_known else None, now) if event else None,
        is_known=is_known,
        anchor=row.entry.anchor if row and is_known else None,
        pause=covering(stored.pauses, name, to_ms(now)),
        records=stored.records[::-1],
    )


def _next_due(event: Event, stored: StoredEvent | None, now: datetime) -> datetime | None:
    """The oldest due instant that is not decided; of an event that no clock has run yet, reckoned from now."""
    if stored is None or stored.row is None:
        whole_second = now.replace(microsecond=0)
        return event.next_after(whole_second, anchor=whole_second)
    entry = stored.row.entry
    counted = event.counted_from(entry.counted, anchor=entry.anchor, previous=entry.previous)
    return event.next_after(entry.decided, anchor=entry.anchor, previous=entry.previous, counted=counted)


def event_history(redis: Redis, name: str, count: int) -> list[Record]:
    """The latest decisions of an event with the outcomes of their jobs, newest first. Raises StoreUnavailable."""
    return [
        record if isinstance(record.get("outcomes", {}), dict) else {**record, "outcomes": {}}
        for record in history.read(redis, name, count)
    ]


def due_of(record: Record) -> datetime:
    """The due instant of a decision."""
    return from_ms(record["due"])
