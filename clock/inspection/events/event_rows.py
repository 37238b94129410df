"""Events page by page: each with its latest decisions, its next run and its pause.

Each function that takes a connection raises StoreUnavailable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property
from typing import Any

from clock.clocks import to_ms
from clock.inspection.events.shown_actions import shown_action
from clock.store import Redis
from clock.store.ledger import event_rows, history
from clock.store.ledger.decision import MISSED_KEPT_MS
from clock.store.ledger.decision import DecisionKind as DecisionKind
from clock.store.ledger.entry import Entry
from clock.store.ledger.event_rows import StoredEvent
from clock.store.ledger.history import is_failure
from clock.store.ledger.next_due import OVERDUE_SECONDS
from clock.store.ledger.pauses import Pause, covering
from clock.timetable import Event, Timetable
from clock.timetable.explanation import explain, schedule_words

Record = Mapping[str, Any]
OVERDUE = timedelta(seconds=OVERDUE_SECONDS)
MISSED_KEPT = timedelta(milliseconds=MISSED_KEPT_MS)


@dataclass(frozen=True)
class EventRow:
    """An event, with its data in Redis.

    `event` is None if the clock file does not declare it: it is from a database, or from a file that is not here.
    `entry` is its ledger entry if a clock has run it with its present declaration. `records` are its latest
    decisions, the oldest first. `now` is when it was read. `outcome` is the latest outcome of a job of it.
    """

    name: str
    event: Event | None
    schedule: str
    zone: tzinfo
    entry: Entry | None
    pause: Pause | None
    records: Sequence[Record]
    now: datetime
    outcome: Record | None = None

    @property
    def in_words(self) -> str:
        """Its schedule in words, also that of a cron expression, if the clock file is here."""
        return schedule_words(self.event) if self.event else self.schedule

    @property
    def is_known(self) -> bool:
        """Whether a clock has run the event with its present declaration."""
        return self.entry is not None

    @property
    def anchor(self) -> datetime | None:
        """When the event was first seen with its present declaration; None: not yet."""
        return self.entry.anchor if self.entry else None

    @cached_property
    def next_due(self) -> datetime | None:
        """The oldest undecided due instant; None: never, or unknown without a declaration.

        Of an event that no clock has run yet, reckoned from now.
        """
        event, entry = self.event, self.entry
        if event is None:
            return None
        if entry is None:
            whole_second = self.now.replace(microsecond=0)
            return event.next_after(whole_second, anchor=whole_second)
        counted = event.counted_from(entry.counted, anchor=entry.anchor, previous=entry.previous)
        return event.next_after(entry.decided, anchor=entry.anchor, previous=entry.previous, counted=counted)

    def is_overdue(self, now: datetime) -> bool:
        """Whether it should have fired by `now`, by more than the limit."""
        return self.is_known and self.next_due is not None and now - self.next_due > OVERDUE

    @property
    def declaration(self) -> str:
        """Its declaration in the clock file, or else in the ledger."""
        return self.event.declaration if self.event else self.schedule

    @property
    def last(self) -> Record | None:
        """The latest decision; None: not found."""
        return self.records[-1] if self.records else None

    @property
    def has_failed_job(self) -> bool:
        """Whether its latest job with an outcome failed, even if it will be tried again."""
        return self.outcome is not None and is_failure(self.outcome)

    @property
    def trouble(self) -> str:
        """Its trouble: `failing` (the latest decision or outcome), `missed` (the latest decision), or empty."""
        decision = self.last["decision"] if self.last else ""
        if decision == "error" or self.has_failed_job:
            return "failing"
        return "missed" if decision == "missed" else ""

    def action(self, *, see_arguments: bool = True) -> str:
        """The action in words, without hidden arguments; empty without a declaration."""
        return shown_action(self.event.action, see_arguments=see_arguments) if self.event else ""

    def explained(self, *, see_arguments: bool = True) -> str:
        """The event in a sentence, without hidden arguments; empty without a declaration."""
        return explain(self.event, action=self.action(see_arguments=see_arguments)) if self.event else ""

    def as_json(self, *, see_arguments: bool = True) -> dict[str, object]:
        """For programs: the fields of `clock list --json`, and more; without hidden arguments."""
        event = self.event
        return {
            "name": self.name,
            "schedule": self.declaration,
            "zone": str(self.zone),
            "action": self.action(see_arguments=see_arguments) or None,
            "description": event.description if event else None,
            "explained": self.explained(see_arguments=see_arguments) or None,
            "tags": sorted(map(str, event.tags)) if event else [],
            "source": event.source if event else None,
            "next_due": self.next_due.isoformat() if self.next_due else None,
            "pause": str(self.pause) if self.pause else None,
            "last": self.last,
            "outcome": self.outcome,
        }


def events(redis: Redis, timetable: Timetable, now: datetime) -> list[EventRow]:
    """Each event of the clock file, with its latest decision."""
    return event_rows_of(redis, [event.name for event in timetable.events], timetable.by_name, now, 1)


def event_rows_of(
    redis: Redis, names: Sequence[str], declared: Mapping[str, Event], now: datetime, count: int
) -> list[EventRow]:
    """The events of these names, each with up to `count` decisions. `declared` has those of the clock file."""
    stored = event_rows.read(redis, names, count)
    return [_row(name, declared.get(name), one, now) for name, one in zip(names, stored, strict=True)]


@dataclass(frozen=True, slots=True)
class Summary:
    """The trouble of an event, and the due instants of its next run and its last one (None: unknown, or never)."""

    trouble: str
    next_ms: int | None
    last_ms: int | None


def summaries(redis: Redis, names: Sequence[str], declared: Mapping[str, Event], now: datetime) -> list[Summary]:
    """The summary of each event of these names."""
    return [summary(row) for row in event_rows_of(redis, names, declared, now, 1)]


def summary(row: EventRow) -> Summary:
    """The summary of an event that was read with at least its latest decision."""
    return Summary(
        row.trouble, to_ms(row.next_due) if row.next_due else None, row.last["due"] if row.last else None
    )


def missed_events(redis: Redis, now: datetime) -> Mapping[str, int]:
    """The events that missed a run in the last `MISSED_KEPT`, the latest first: event -> its latest one, in ms."""
    return event_rows.read_missed(redis, to_ms(now) - MISSED_KEPT_MS)


def paused_events(redis: Redis, names: Sequence[str], now: datetime) -> frozenset[str]:
    """Which events of these names are paused now."""
    pauses = event_rows.read_pauses(redis, names)
    return frozenset(name for name in names if covering(pauses, name, now)) if pauses else frozenset()


def event_names(redis: Redis, declared: Mapping[str, Event], *, also_others: bool) -> list[str]:
    """The names of the clock file's events, in its order; `also_others`: and those that only the ledger has."""
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
        entry=row.entry if row and is_known else None,
        pause=covering(stored.pauses, name, now),
        records=stored.records[::-1],
        now=now,
        outcome=stored.outcome,
    )


def event_history(redis: Redis, name: str, count: int) -> list[Record]:
    """The latest decisions of an event with the outcomes of their jobs, newest first."""
    return list(history.read(redis, name, count))


def day_of_events(
    redis: Redis, names: Sequence[str], begin: datetime, count: int
) -> list[tuple[list[Record], float]]:
    """For each event up to `count` decisions from an instant on, oldest first, and its jobs' usual seconds."""
    spans = event_rows.read_span(redis, names, to_ms(begin), count)
    return [([*records], usual_ms / 1000) for records, usual_ms in spans]
