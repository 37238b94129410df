"""Rehearsals: the production code runs a clock file through a span of time at once.

The ticker itself makes the first tick, the ticks after a downtime, and every tick if the ticks count
(`tick_speed`, `max_ticks`, tick callbacks). In between, the rehearsal goes from due instant to due instant
(`clock.rehearsal.uptime`). Nothing touches Redis: the ledger is in memory, and pushed jobs stay in the decisions.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TypedDict, Unpack

from clock.clocks import to_ms
from clock.errors import ConfigurationError
from clock.job.push.client import using_clock
from clock.rehearsal.fake_clock import FakeClock
from clock.rehearsal.frozen_time import Move, moving_world
from clock.rehearsal.history import History
from clock.rehearsal.instants import aware
from clock.rehearsal.job_modes import Collected, Mode
from clock.rehearsal.ledger import MemoryLedger
from clock.rehearsal.row_reads import RowReads
from clock.rehearsal.uptime import (
    SIGNATURE,
    Column,
    columns_due,
    cover_pauses,
    enqueue_only,
    run_firings,
    runs_user_code,
)
from clock.ticker import ActionMode, Ticker
from clock.ticker.firing.run_event import ActionOf, own_action
from clock.timetable import Event, Timetable, load

_WHOLE_SECOND = timedelta(seconds=1)
_NO_END = datetime(9000, 1, 1, tzinfo=UTC)  # never reached: max_ticks ends it


class TickOptions(TypedDict, total=False):
    """The options of `run` for when the clock ticks."""

    tick_speed: timedelta | None  # None: at each due instant
    max_ticks: int | None  # None: no limit


def _check(tick_speed: timedelta | None = None, max_ticks: int | None = None) -> None:
    if tick_speed is not None and not (isinstance(tick_speed, timedelta) and tick_speed > timedelta(0)):
        raise ConfigurationError(
            f"tick_speed is {tick_speed!r}; it must be a length of time: timedelta(minutes=1)"
        )
    if max_ticks is not None and not (type(max_ticks) is int and max_ticks >= 1):
        raise ConfigurationError(f"max_ticks is {max_ticks!r}; it must be 1 or more, or None for no limit")


def run(
    file: str | os.PathLike[str] | Timetable = "lib/clock.py",
    *,
    start_time: datetime,
    end_time: datetime | None = None,
    execute: bool = False,
    downtime: Sequence[tuple[datetime, datetime]] = (),
    ledger: MemoryLedger | None = None,
    **ticks: Unpack[TickOptions],
) -> History:
    """Run a clock file from `start_time` to `end_time` (exclusive), and return its history.

    Naive datetimes are in the clock file's zone. Jobs are recorded, not stored; plain callables run only with
    `execute=True`. Conditions, callbacks and executed callables see the simulated time, which needs the `testing`
    extra. The clock ticks exactly at each due instant; with `tick_speed` it ticks only that often, as Clockwork
    does. It stops after `max_ticks` ticks, and then needs no `end_time`. During `downtime`, a list of (from, to),
    it does not tick, so a test can check the catch-up. The clock starts for the first time at `start_time`, so
    events are due only after it (in Clockwork's form also at it). With a `ledger`, that of an earlier history or
    production's (`read_ledger`), it continues instead.

    Raises ConfigurationError, also if the span is empty, and DeclarationError.
    """
    timetable = file if isinstance(file, Timetable) else load(file)
    _check(**ticks)
    speed, most = ticks.get("tick_speed"), ticks.get("max_ticks")
    start, end = _span(start_time, end_time, most, timetable.settings.tz)
    away = _downtimes(downtime, timetable.settings.tz)
    memory = ledger.copy() if ledger else MemoryLedger()
    action_of = own_action if execute else enqueue_only
    rehearsal = _Rehearsal(timetable, timetable, memory, FakeClock(start), action_of, RowReads(timetable))
    elsewhere = Collected()
    with ExitStack() as stack:
        stack.enter_context(using_clock(rehearsal.clock))
        stack.enter_context(Mode(elsewhere))
        if rehearsal.needs_world:
            rehearsal.move = stack.enter_context(moving_world(start.timestamp()))
        for begin, stop in _uptimes(start, end, away):
            if speed or most or rehearsal.has_tick_callbacks:
                rehearsal.tick_through(begin, stop, speed, most)
            else:
                rehearsal.go_through(begin, stop)
    return History(
        rehearsal.timetable,
        memory.decisions,
        rehearsal.columns,
        span=(start, rehearsal.clock.now() + _WHOLE_SECOND if end_time is None else end),
        ledger=memory,
        elsewhere=elsewhere.payloads,
    )


def _span(
    start_time: datetime, end_time: datetime | None, max_ticks: int | None, zone: tzinfo
) -> tuple[datetime, datetime]:
    """The start and the end, both aware. Raises ConfigurationError for an empty span, or one without an end."""
    if end_time is None and max_ticks is None:
        raise ConfigurationError("the end is missing: give end_time or max_ticks")
    start = aware(start_time, zone)
    end = _NO_END if end_time is None else aware(end_time, zone)
    if end <= start:
        raise ConfigurationError(f"end_time, {end}, is not after start_time, {start}")
    return start, end


def _downtimes(downtime: Sequence[tuple[datetime, datetime]], zone: tzinfo) -> list[tuple[datetime, datetime]]:
    for pair in downtime:
        if not (isinstance(pair, (tuple, list)) and len(pair) == 2):
            raise ConfigurationError(f"downtime holds {pair!r}; it must hold pairs: [(start, end), ...]")
    away = sorted((aware(begin, zone), aware(back, zone)) for begin, back in downtime)
    for begin, back in away:
        if back <= begin:
            raise ConfigurationError(f"downtime ends at {back}, which is not after its start, {begin}")
    return away


@dataclass(slots=True)
class _Rehearsal:
    """A rehearsal. `declared` is the clock file's timetable; `timetable` has all rows read so far, too."""

    declared: Timetable
    timetable: Timetable
    ledger: MemoryLedger
    clock: FakeClock
    action_of: ActionOf
    rows: RowReads
    columns: list[Column] = field(default_factory=list)
    current: Sequence[Event] = ()  # the events that are planned now, without deleted rows
    move: Move = field(default=lambda to: None)  # if no code of the user runs
    ticks: int = 0

    @property
    def has_tick_callbacks(self) -> bool:
        return bool(self.timetable.callbacks.before_tick or self.timetable.callbacks.after_tick)

    @property
    def needs_world(self) -> bool:
        if self.timetable.synced or self.has_tick_callbacks:
            return True
        return any(self._runs_user_code(event) for event in self.timetable.events)

    def _runs_user_code(self, event: Event) -> bool:
        return runs_user_code(self.timetable, event, execute=self.action_of is own_action)

    def go_through(self, begin: datetime, stop: datetime) -> None:
        """Start the clock at `begin`, and decide all due instants before `stop`."""
        ticker = self._start(self.rows.timetable)
        self._tick(ticker, begin)
        ticked = begin
        for at, sources in self.rows.instants(begin, stop):
            runs_code = any(self._runs_user_code(event) for event in self.timetable.events)
            if runs_code:
                self._decide_until(at)
            self.clock.travel_to(at)
            self.move(at.timestamp())
            changes = [source.read() for source in sources]  # every source must be read
            if any(changes):
                self._decide_until(at)
                self.clock.travel_to(ticked)
                ticker.read_ledger_again()
                self._tick(ticker, at)
                ticked = at
        self._decide_until(stop)

    def _decide_until(self, stop: datetime) -> None:
        until = stop - _WHOLE_SECOND if to_ms(stop) % 1000 == 0 else stop  # not a due instant at `stop` itself
        met = list(columns_due(self.current, self.ledger, until))
        to_run = [column for column in met if self._runs_user_code(column.event)]
        run_firings(self.timetable, to_run, self.ledger, self.action_of, self.clock, self.move, until)
        cover_pauses(met, self.ledger)  # also of events without user code, paused by other events
        self.columns += [column for column in met if column.dues]

    def tick_through(self, begin: datetime, stop: datetime, speed: timedelta | None, most: int | None) -> None:
        """Start the clock at `begin`, and tick until `stop`: every `speed`, or at each due instant."""
        ticker, now = self._start(self.declared), begin
        while now < stop and (most is None or self.ticks < most):
            self._tick(ticker, now)
            self.ticks += 1
            upcoming = now + speed if speed else ticker.next_firing
            if upcoming is None:
                return
            now = upcoming

    def _start(self, declared: Timetable) -> Ticker:
        return Ticker(
            declared,
            ledger=self.ledger,
            clock=self.clock,
            signature=SIGNATURE,
            mode=ActionMode(self.action_of, use_threads=False),
        )

    def _tick(self, ticker: Ticker, now: datetime) -> None:
        self.clock.advance(now - self.clock.now())
        self.move(now.timestamp())
        ticker.tick()
        self.current = [item.event for item in ticker.planned]
        known = {event.name: event for event in self.timetable.events}
        known |= {item.event.name: item.event for item in ticker.planned}
        if len(known) > len(self.timetable.events):  # rows of a database have been read
            self.timetable = replace(self.timetable, events=tuple(known.values()))


def _uptimes(
    start: datetime, end: datetime, away: Sequence[tuple[datetime, datetime]]
) -> Iterator[tuple[datetime, datetime]]:
    for begin, back in away:
        if start < min(begin, end):
            yield start, min(begin, end)
        start = max(start, back)
    if start < end:
        yield start, end
