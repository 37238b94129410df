"""The due instants of a rehearsal while its clock runs.

One call to production's code decides all due instants of an event (`clock.ticker.fires_on_time`). The firings are
kept as a column of numbers. If user code has an influence - a condition, a callback, an executed action -
production's code runs each firing, ordered by time, with the clocks set to the due instant. The other firings need
not run: their jobs are computed on request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from heapq import heapify, heappop, heapreplace

from clock.clocks import from_ms, to_ms
from clock.job import Job
from clock.job.middleware.defaults import client_middleware
from clock.job.middleware.expiry import note_expiry
from clock.job.types import JobClass
from clock.rehearsal.event_job import job_class_of
from clock.rehearsal.fake_clock import FakeClock
from clock.rehearsal.frozen_time import Move
from clock.rehearsal.memory.ledger import MemoryLedger
from clock.store.ledger.decision import Decision, DecisionKind
from clock.store.ledger.pauses import covering
from clock.ticker import (
    JOINED,
    ActionOf,
    Due,
    Outcome,
    Signature,
    carry_out,
    decision_of,
    due_of,
    fire,
    fires_on_time,
    pause_after,
)
from clock.timetable import Event, Timetable

SIGNATURE = Signature("rehearsal", "rehearsal")
_ON_TIME = timedelta(0)


@dataclass(slots=True)
class Column:
    """The due instants of one event in a part of the rehearsal, in seconds since 1970.

    `outcomes` has the firings that were run. The others fired, and their jobs are computed on request.
    """

    event: Event
    dues: list[int]
    previous: datetime | None  # the due instant before the first one
    decided: datetime  # the due instant before the first one, or else the event's start
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    asked: dict[int, Due] = field(default_factory=dict)  # the firings of an event that asks its condition again

    def fires(self) -> list[int]:
        """The due instants that fired."""
        if not self.outcomes:
            return self.dues
        return [
            due for due in self.dues if due not in self.outcomes or self.outcomes[due].kind is DecisionKind.FIRED
        ]

    def may_push(self, wire_name: str) -> bool:
        """Whether the firings may push a job of that name."""
        return (
            bool(self.outcomes) or getattr(getattr(self.event.action, "job", None), "wire_name", "") == wire_name
        )

    def due(self, place: int) -> Due:
        """The due instant at a place of the column, as production's code receives it."""
        if found := self.asked.get(self.dues[place]):
            return found
        at, before = from_ms(self.dues[place] * 1000), from_ms(self.dues[place - 1] * 1000)
        return Due(at, before if place else self.previous, before if place else self.decided)

    def decision(self, place: int, timetable: Timetable, clock: FakeClock) -> Decision:
        """The decision for the ledger; sets `clock` to the due instant."""
        due = self.due(place)
        outcome = self.outcomes.get(self.dues[place])
        if outcome is None:
            clock.travel_to(due.at)
            outcome = carry_out(timetable, self.event, due, enqueue_only)
        return decision_of(self.event, due, outcome, late=_ON_TIME, signature=SIGNATURE)


def enqueue_only(event: Event) -> Callable[[datetime, tzinfo], object]:
    """The event's action if it pushes a job; a function that does nothing if it calls the user's code."""
    return event.action if event.enqueues else _do_nothing


def _do_nothing(_due: datetime, _zone: tzinfo) -> None:
    """Replaces a callable that a rehearsal does not execute."""


def runs_user_code(timetable: Timetable, event: Event, *, execute: bool) -> bool:
    """Whether a firing of the event runs user code, which may do or refuse anything."""
    if event.condition is not None or timetable.callbacks.before_run or timetable.callbacks.after_run:
        return True
    return not _pushes_later(event, timetable) if event.enqueues else execute


def _pushes_later(event: Event, timetable: Timetable) -> bool:
    """Whether the jobs of a firing depend only on event and due instant, so they can be computed later."""
    job = job_class_of(event)
    if job is None or timetable.callbacks.after_run:
        return False
    return _function(job) is _function(Job) and set(client_middleware) <= {note_expiry}


def _function(job: JobClass) -> object:
    return getattr(job.perform_async, "__func__", None)


def columns_due(events: Sequence[Event], ledger: MemoryLedger, until: datetime) -> Iterator[Column]:
    """The columns of the due instants after the ledger's last decision, up to `until`. Updates the ledger.

    The column of an event that asks its condition again is empty: its due instants depend on the answers.
    """
    for event in events:
        entry = ledger.entry(event.name)
        if event.asks_again:
            yield Column(event, [], entry.previous, entry.decided)
            continue
        dues = fires_on_time(
            event, anchor=entry.anchor, decided=entry.decided, previous=entry.previous, until=until
        )
        if dues:
            column = Column(event, dues, entry.previous, entry.decided)
            column.outcomes.update(_paused(column, ledger))
            yield column
            ledger.advance(event.name, dues[-1] * 1000)


def cover_pauses(columns: Iterable[Column], ledger: MemoryLedger) -> None:
    """Note the pauses at the due instants that they cover."""
    for column in columns:
        column.outcomes.update(_paused(column, ledger))


def _paused(column: Column, ledger: MemoryLedger) -> Iterator[tuple[int, Outcome]]:
    """The column's due instants that a pause covers."""
    pauses = ledger.pauses()
    for due in column.dues if pauses else ():
        pause = covering(pauses, column.event.name, from_ms(due * 1000))
        if pause is not None:
            yield due, Outcome(DecisionKind.PAUSED, str(pause), counts=False)


def run_firings(
    timetable: Timetable,
    columns: Iterable[Column],
    ledger: MemoryLedger,
    action_of: ActionOf,
    clock: FakeClock,
    move: Move,
    until: datetime,
) -> None:
    """Run the firings of the columns one after the other, up to `until`, and note their outcomes."""
    columns = list(columns)
    runs: list[_Known | _Asking] = [
        (_Asking if column.event.asks_again else _Known)(
            column, ledger, until, None if _pushes_later(column.event, timetable) else action_of
        )
        for column in columns
    ]
    waiting = [(due, place) for place, run in enumerate(runs) if (due := run.next_due()) is not None]
    heapify(waiting)
    while waiting:
        due, place = waiting[0]
        run = runs[place]
        if due not in run.column.outcomes:
            clock.travel_to(from_ms(due * 1000))
            move(due)
        if run.run(timetable, due):
            cover_pauses(columns, ledger)
        following = run.next_due()
        if following is None:
            heappop(waiting)
        else:
            heapreplace(waiting, (following, place))


class _Known:
    """The firings of a column with known due instants."""

    def __init__(self, column: Column, ledger: MemoryLedger, until: datetime, action_of: ActionOf | None) -> None:
        self.column = column
        self._ledger = ledger
        self._action_of = action_of
        self._place = 0

    def next_due(self) -> int | None:
        """The next due instant; None: not found."""
        return self.column.dues[self._place] if self._place < len(self.column.dues) else None

    def run(self, timetable: Timetable, due: int) -> bool:
        """Run the firing, unless its outcome is known. True: it has paused events."""
        column, found = self.column, self.column.due(self._place)
        self._place += 1
        if due in column.outcomes:
            return False
        outcome = fire(timetable, column.event, found, self._action_of)
        if self._action_of is not None or outcome.kind is not DecisionKind.FIRED:
            column.outcomes[due] = outcome
        return _pause(outcome, found, self._ledger)


class _Asking:
    """The firings of an event that asks its condition again: each answer determines the next due instant.

    Of consecutive refusals, only the first is noted.
    """

    def __init__(self, column: Column, ledger: MemoryLedger, until: datetime, action_of: ActionOf | None) -> None:
        entry = ledger.entry(column.event.name)
        self.column = column
        self._ledger = ledger
        self._action_of = action_of
        self._until = until
        self._anchor = entry.anchor
        self._decided = entry.decided
        self._counted = column.event.counted_from(entry.counted, anchor=entry.anchor, previous=entry.previous)
        self._was_refused = column.event.asked_again_after(
            entry.previous, anchor=entry.anchor, counted=self._counted
        )

    def next_due(self) -> int | None:
        """The next instant at which the condition is asked, or None if none is left."""
        after, end = to_ms(self._decided) // 1000, to_ms(self._until) // 1000
        event = self.column.event
        return next(iter(event.asked_between(after, end, anchor=self._anchor, counted=self._counted)), None)

    def run(self, timetable: Timetable, due: int) -> bool:
        """Ask the condition, and run the firing if it allows it. True: the firing has paused events."""
        column, at = self.column, from_ms(due * 1000)
        found = due_of(column.event, at, anchor=self._anchor, decided=self._decided, counted=self._counted)
        pause = covering(self._ledger.pauses(), column.event.name, at)
        if pause is not None:
            outcome = Outcome(DecisionKind.PAUSED, str(pause), counts=False)
        else:
            outcome = fire(timetable, column.event, found, self._action_of)
        if outcome.kind not in JOINED or not self._was_refused:
            column.dues.append(due)
            column.asked[due] = found
            if self._action_of is not None or outcome.kind is not DecisionKind.FIRED:
                column.outcomes[due] = outcome
        self._decided, self._counted = at, found.counted[outcome.counts]
        self._was_refused = not outcome.counts
        self._ledger.advance(column.event.name, due * 1000, self._counted)
        return _pause(outcome, found, self._ledger)


def _pause(outcome: Outcome, due: Due, ledger: MemoryLedger) -> bool:
    """Pause the events that an action has cancelled. Returns whether there are any."""
    for name in outcome.cancelled:
        ledger.pause(name, pause_after(due))
    return bool(outcome.cancelled)
