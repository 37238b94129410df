"""The due instants of a rehearsal while its clock runs.

One call to production's code decides all due instants of an event (`fires_on_time`). The firings are
kept as a column of numbers. If user code has an influence - a condition, a callback, an executed action -
production's code runs each firing, ordered by time, with the clocks set to the due instant. The other firings need
not run: their jobs are computed on request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from heapq import merge

from clock.clocks import from_ms, to_ms
from clock.job import Job
from clock.job.context import JobClass
from clock.job.middleware.defaults import client_middleware, note_expiry
from clock.rehearsal.event_job import job_class_of
from clock.rehearsal.fake_clock import FakeClock
from clock.rehearsal.frozen_time import Move
from clock.rehearsal.ledger import MemoryLedger
from clock.store.ledger.decision import Decision, DecisionKind
from clock.store.ledger.pauses import covering
from clock.ticker import Signature
from clock.ticker.firing.decisions import JOINED, Outcome, decision_of, pause_after
from clock.ticker.firing.run_event import ActionOf, carry_out
from clock.ticker.firing.run_event import run as fire
from clock.ticker.planning.catch_up import Due, due_of, fires_on_time
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
    return event.action if event.enqueues else lambda due, zone: None


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
        if event.options.asks_again:
            yield Column(event, [], entry.previous, entry.decided)
            continue
        dues = fires_on_time(
            event, anchor=entry.anchor, decided=entry.decided, previous=entry.previous, until=until
        )
        if dues:
            column = Column(event, dues, entry.previous, entry.decided)
            cover_pauses([column], ledger)
            yield column
            ledger.advance(event.name, dues[-1] * 1000)


def cover_pauses(columns: Iterable[Column], ledger: MemoryLedger) -> None:
    """Note the pauses at the due instants that they cover."""
    for column in columns if ledger.pauses() else ():
        for due in column.dues:
            if paused := _paused(column.event, due, ledger):
                column.outcomes[due] = paused


def _paused(event: Event, due: int, ledger: MemoryLedger) -> Outcome | None:
    pause = covering(ledger.pauses(), event.name, from_ms(due * 1000))
    return Outcome(DecisionKind.PAUSED, str(pause), counts=False) if pause else None


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
    firings = _Firings(timetable, list(columns), ledger, action_of)
    runs = [
        firings.asking(place, until) if column.event.options.asks_again else firings.known(place)
        for place, column in enumerate(firings.columns)
    ]
    for due, place in merge(*runs):  # the firing runs when `merge` asks its generator for the next due instant
        if due not in firings.columns[place].outcomes:
            clock.travel_to(from_ms(due * 1000))
            move(due)


@dataclass(frozen=True, slots=True)
class _Firings:
    """Runs firings. Its generators yield a due instant and the place of its column, and then run the firing."""

    timetable: Timetable
    columns: Sequence[Column]
    ledger: MemoryLedger
    action_of: ActionOf

    def known(self, place: int) -> Iterator[tuple[int, int]]:
        column = self.columns[place]
        action_of = self._action_of(column.event)
        for index, due in enumerate(column.dues):
            yield due, place
            if due not in column.outcomes:
                found = column.due(index)
                outcome = fire(self.timetable, column.event, found, action_of)
                _note(column, due, outcome, action_of)
                self._pause(outcome, found)

    def asking(self, place: int, until: datetime) -> Iterator[tuple[int, int]]:
        """The firings of an event that asks its condition again: each answer determines the next due instant.

        Of consecutive refusals, only the first is noted.
        """
        column = self.columns[place]
        event, entry = column.event, self.ledger.entry(column.event.name)
        action_of, anchor, decided, end = self._action_of(event), entry.anchor, entry.decided, to_ms(until) // 1000
        counted = event.counted_from(entry.counted, anchor=anchor, previous=entry.previous)
        was_refused = event.asked_again_after(entry.previous, anchor=anchor, counted=counted)

        def asked() -> int | None:
            dues = event.asked_between(to_ms(decided) // 1000, end, anchor=anchor, counted=counted)
            return next(iter(dues), None)

        for due in iter(asked, None):
            yield due, place
            found = due_of(event, from_ms(due * 1000), anchor=anchor, decided=decided, counted=counted)
            outcome = _paused(event, due, self.ledger) or fire(self.timetable, event, found, action_of)
            if outcome.kind not in JOINED or not was_refused:
                column.dues.append(due)
                column.asked[due] = found
                _note(column, due, outcome, action_of)
            decided, counted, was_refused = found.at, found.counted[outcome.counts], not outcome.counts
            self.ledger.advance(event.name, due * 1000, counted)
            self._pause(outcome, found)

    def _action_of(self, event: Event) -> ActionOf | None:
        return None if _pushes_later(event, self.timetable) else self.action_of

    def _pause(self, outcome: Outcome, due: Due) -> None:
        for name in outcome.cancelled:
            self.ledger.pause(name, pause_after(due))
        if outcome.cancelled:
            cover_pauses(self.columns, self.ledger)


def _note(column: Column, due: int, outcome: Outcome, action_of: ActionOf | None) -> None:
    """Note an outcome. Without an action, a firing that fired is computed on request."""
    if action_of is not None or outcome.kind is not DecisionKind.FIRED:
        column.outcomes[due] = outcome
