"""Plans a backfill: which due instants of a period run, and why the others do not.

The clock owns every instant that it has not decided, so those are left to it. The history shows which decided ones
ran. It is limited: whether an instant that is older than its oldest record ran, is unknown.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice, pairwise
from math import ceil

from clock.clocks import from_ms, to_ms
from clock.errors import ConfigurationError
from clock.store import Redis, listing
from clock.store.ledger import history
from clock.store.ledger.decision import DecisionKind
from clock.store.ledger.entry import Entry
from clock.timetable import Event

MOST_RUNS = 10_000  # in one period: a backfill of more is a mistake, or too long to watch
UNKNOWN = "No clock has run this schedule yet."
_SECOND = timedelta(seconds=1)
_DAY = 86_400
#: Seconds: the periods that are searched for the instant before the first one.
_LOOK_BACK = (3_600, _DAY, 32 * _DAY, 400 * _DAY)


class State(StrEnum):
    """The state of a due instant, for a backfill; the value is for people."""

    RUNS = "would run"
    RAN = "ran already"
    BACKFILLED = "backfilled already"
    UNDECIDED = "left to the clock, which has not decided it yet"
    TOO_OLD = "older than the history: unknown whether it ran"


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A due instant of the period, the one before it (None: it is the first), and its state."""

    at: datetime
    previous: datetime | None
    state: State


@dataclass(frozen=True, slots=True)
class BackfillPlan:
    """The due instants of an event in a period, in order. `note` is about the first deploy."""

    event: Event
    start: datetime
    end: datetime
    runs: Sequence[PlannedRun]
    note: str = ""

    @property
    def to_run(self) -> list[PlannedRun]:
        """The due instants that run."""
        return [run for run in self.runs if run.state is State.RUNS]

    @property
    def skipped(self) -> dict[State, int]:
        """How many due instants do not run, by their state."""
        states = [run.state for run in self.runs]
        return {state: states.count(state) for state in State if state is not State.RUNS and state in states}


def plan_backfill(
    redis: Redis, event: Event, start: datetime, end: datetime, *, now: datetime, beyond_history: bool = False
) -> BackfillPlan:
    """Plan the runs of an event that were due in [start, end), which were not later than `now`.

    `beyond_history`: instants that are older than the history run, too.
    Raises ConfigurationError for a period with over `MOST_RUNS`, StoreUnavailable.
    """
    row = listing.ledger_row(redis, event.name)
    entry = row.entry if row and row.declaration == event.declaration else None
    dues, note = _dues(event, entry, start, end)
    if len(dues) > MOST_RUNS:
        raise ConfigurationError(
            f"{event.name!r} has more than {MOST_RUNS:,} runs from {start.isoformat()} to {end.isoformat()}: "
            "choose a shorter period"
        )
    decided = min(row.entry.decided, now) if row else now
    states = _States(redis, event, decided, beyond_history=beyond_history)
    before = _before(event, entry, dues[0]) if dues else None
    runs = [PlannedRun(at, previous, states.of(at)) for previous, at in pairwise([before, *dues]) if at]
    return BackfillPlan(event, start, end, runs, note)


class _States:
    def __init__(self, redis: Redis, event: Event, decided: datetime, *, beyond_history: bool) -> None:
        names = (event.name, *event.options.was)
        records = list(history.read(redis, event.name))
        is_full = len(records) >= history.HISTORY_LENGTH
        kept = [record["due"] for record in records if record["decision"] not in _OUT_OF_ORDER]
        self._oldest = min(kept, default=0) if is_full and not beyond_history else 0
        self._ran = {record["due"] for record in records if record["decision"] in _RAN}
        self._backfilled = {due for name in names for due in history.backfilled(redis, name)}
        self._decided = decided

    def of(self, at: datetime) -> State:
        """The state of the due instant `at`."""
        due = to_ms(at)
        if due in self._backfilled:
            return State.BACKFILLED
        if due in self._ran:
            return State.RAN
        if at > self._decided:
            return State.UNDECIDED
        return State.TOO_OLD if due < self._oldest else State.RUNS


_RAN = {kind for kind in DecisionKind if kind.fires}
_OUT_OF_ORDER = (DecisionKind.BACKFILLED, DecisionKind.MANUAL)


def _dues(event: Event, entry: Entry | None, start: datetime, end: datetime) -> tuple[list[datetime], str]:
    """Up to `MOST_RUNS` and one more, and a note on instants before the schedule's first deploy."""
    if entry and start >= entry.anchor:
        return _between(event, start, end, entry.anchor), ""
    counts = event.depends_on_anchor(start, end)
    if entry is None:
        dues = [] if counts else _between(event, start, end, start - _SECOND)
        return dues, UNKNOWN + (" It counts from the first start of a clock." if counts else "")
    deployed = entry.anchor.astimezone(event.zone).isoformat()
    if counts:
        note = f"The schedule counts from {deployed}: it has no earlier runs."
        return _between(event, entry.anchor, end, entry.anchor), note
    dues = _between(event, start, end, start - _SECOND)
    early = sum(due < entry.anchor for due in dues)
    are = "1 run is" if early == 1 else f"{early:,} runs are"
    return dues, f"{are} before the schedule's first deploy at {deployed}." if early else ""


def _between(event: Event, start: datetime, end: datetime, anchor: datetime) -> list[datetime]:
    found = event.due_between(_seconds(start) - 1, _seconds(end) - 1, anchor=anchor)
    return [from_ms(at * 1000) for at in islice(found, MOST_RUNS + 1)]


def _before(event: Event, entry: Entry | None, first: datetime) -> datetime | None:
    """The due instant before `first`; None: it is the first one."""
    anchor = entry.anchor if entry and entry.anchor <= first else first - timedelta(seconds=_LOOK_BACK[-1])
    for seconds in _LOOK_BACK:
        found = event.due_between(_seconds(first) - seconds, _seconds(first) - 1, anchor=anchor)
        if last := deque(found, maxlen=1):
            return from_ms(last[0] * 1000)
    return None


def _seconds(at: datetime) -> int:
    """The first whole second that is not before a moment."""
    return ceil(at.timestamp())
