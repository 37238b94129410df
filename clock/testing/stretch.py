"""A stretch of time in which the clock runs: every due instant is met as it comes.

Production's decision is asked once for all due instants of an event (`clock.ticker.met`), and what fires is
kept as a column of numbers. Where the user's code has a say - a condition, a callback, an action that is to
run - production's firing is run for each, in the order of time, with the clocks moved to the due instant. The
others need no running: what they push is worked out when somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from clock.clocks import from_ms
from clock.job import Job
from clock.job.chains import client_middleware
from clock.job.expiry import note_expiry
from clock.store.ledger import Decision
from clock.store.pauses import covering
from clock.testing.fake_clock import FakeClock
from clock.testing.job_class import job_class_of
from clock.testing.memory_ledger import MemoryLedger
from clock.testing.world_clock import Move
from clock.ticker import Act, Due, Outcome, Signature, carry_out, decision_of, fire, met, pause_after
from clock.timetable import Event, Timetable

SIGNATURE = Signature("rehearsal", "rehearsal")
_ON_TIME = timedelta(0)


@dataclass(slots=True)
class Column:
    """The due instants of one event that were met in a stretch, in seconds since 1970.

    `outcomes` are those of the firings that were run; the others fired, and their pushes are worked out when
    asked for.
    """

    event: Event
    dues: list[int]
    previous: datetime | None  # the due instant before the first
    decided: datetime  # the same, or the event's beginning where there is none
    outcomes: dict[int, Outcome] = field(default_factory=dict)

    def fires(self) -> list[int]:
        """Those that fired."""
        if not self.outcomes:
            return self.dues
        return [due for due in self.dues if due not in self.outcomes or self.outcomes[due].kind == "fired"]

    def may_push(self, wire_name: str) -> bool:
        """Whether a job of that name may be among what it pushes."""
        return (
            bool(self.outcomes) or getattr(getattr(self.event.action, "job", None), "wire_name", "") == wire_name
        )

    def due(self, place: int) -> Due:
        """The due instant at a place of the column, as production's firing is told of it."""
        at, before = from_ms(self.dues[place] * 1000), from_ms(self.dues[place - 1] * 1000)
        return Due(at, before if place else self.previous, before if place else self.decided, caught_up=False)

    def decision(self, place: int, timetable: Timetable, clock: FakeClock) -> Decision:
        """What the ledger would have been told; `clock` is set to the due instant."""
        due = self.due(place)
        outcome = self.outcomes.get(self.dues[place])
        if outcome is None:
            clock.travel_to(due.at)
            outcome = carry_out(timetable, self.event, due, enqueue_only)
        return decision_of(self.event, due, outcome, late=_ON_TIME, signature=SIGNATURE)


def enqueue_only(event: Event, due: datetime, previous: datetime | None) -> object:
    """The event's action where it pushes a job; nothing where it is the user's code."""
    return event.run(due, previous) if event.enqueues else None


def runs_user_code(timetable: Timetable, event: Event, *, execute: bool) -> bool:
    """Whether a firing of the event runs code of the user's, which may do or refuse anything."""
    if event.condition is not None or timetable.callbacks.before_run or timetable.callbacks.after_run:
        return True
    return not _pushes_later(event, timetable) if event.enqueues else execute


def _pushes_later(event: Event, timetable: Timetable) -> bool:
    """Whether what a firing pushes depends on event and due instant alone, so that it can be worked out later."""
    job = job_class_of(event)
    if job is None or timetable.callbacks.after_run:
        return False
    return _function(job) is _function(Job) and set(client_middleware) <= {note_expiry}


def _function(job: type[Job]) -> object:
    return getattr(job.perform_async, "__func__", None)


def meet(events: Sequence[Event], ledger: MemoryLedger, until: datetime) -> Iterator[Column]:
    """The columns of what is due after the ledger's last decision, up to `until`; the ledger is told of them."""
    for event in events:
        entry = ledger.entry(event.name)
        anchor, decided = from_ms(entry.anchor_ms), from_ms(entry.decided_ms)
        dues = met(event, anchor=anchor, decided=decided, until=until)
        if dues:
            column = Column(event, dues, decided if decided > anchor else None, decided)
            column.outcomes.update(_paused(column, ledger))
            yield column
            ledger.advance(event.name, dues[-1] * 1000)


def _paused(column: Column, ledger: MemoryLedger) -> Iterator[tuple[int, Outcome]]:
    """Those of the column's due instants that a pause covers."""
    pauses = ledger.pauses()
    for due in column.dues if pauses else ():
        pause = covering(pauses, column.event.name, due * 1000)
        if pause is not None:
            yield due, Outcome("paused", str(pause))


def run_firings(
    timetable: Timetable, columns: Iterable[Column], ledger: MemoryLedger, act: Act, clock: FakeClock, move: Move
) -> None:
    """Run the firings of the columns one after the other, and note what became of each."""
    columns = list(columns)
    acts = [None if _pushes_later(column.event, timetable) else act for column in columns]
    previous = [column.previous for column in columns]
    decided = [column.decided for column in columns]
    order = sorted(due * len(columns) + place for place, column in enumerate(columns) for due in column.dues)
    for number in order:
        due, place = divmod(number, len(columns))
        column, at = columns[place], from_ms(due * 1000)
        if due not in column.outcomes:
            clock.travel_to(at)
            move(due)
            found = Due(at, previous[place], decided[place], caught_up=False)
            outcome = fire(timetable, column.event, found, acts[place])
            if acts[place] is not None or outcome.kind != "fired":
                column.outcomes[due] = outcome
            if outcome.cancels:
                ledger.pause(column.event.name, pause_after(found))
                column.outcomes.update(_paused(column, ledger))
        previous[place] = decided[place] = at
