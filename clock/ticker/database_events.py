"""Events that live in a database: their rows are read at intervals, and the plan follows them.

A thread reads the rows, so a slow database makes no event late. An unchanged row keeps its plan, a changed one
starts again, a deleted one is removed. If a source fails, its events stay. A bad row does not affect others.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from clock.clocks import Clock, to_ms
from clock.django_connections import renewed_connections
from clock.errors import DeclarationError, StoreError, message_of
from clock.forking import child_ends_here
from clock.problems import Part, Problem, Problems
from clock.ticker.background_yield import BackgroundYield
from clock.ticker.firing import run_event
from clock.ticker.planning.due_queue import Planned
from clock.ticker.planning.plan import Plan
from clock.timetable import Event, SyncedEvents, Timetable, read_rows

PLANNED_AT_ONCE = 100  # events: one or two ms of Redis's time, and of the loop's
REREAD_SECONDS = 60.0  # also rows of the same version: a Redis that lost changes may give a version twice
IDLE_SECONDS = 1.0  # how often a clock on standby checks its leadership, and a ledger that was away is asked again
LONGEST_SECONDS = 3600.0  # of one wait: Python cannot wait for any time

T = TypeVar("T")
logger = logging.getLogger("clock.clock")


@dataclass(frozen=True, slots=True)
class Change:
    """The changes of a source's events. `planned` are new or changed; `same` have only other contents."""

    gone: Sequence[str]
    planned: Sequence[Planned]
    same: Sequence[Event]


@dataclass(slots=True)
class _Source:
    synced: SyncedEvents
    part: Part
    events: dict[str, Event] = field(default_factory=dict)
    ask_at: float = float("-inf")  # monotonic seconds
    is_loaded: bool = False
    last: dict[str, Event] = field(default_factory=dict)  # read when this clock led before
    reported: frozenset[str] = frozenset()  # errors of rows that have been logged
    version: object = None  # of the rows that were read last
    read_at: float = float("-inf")  # monotonic seconds


class DatabaseEvents:
    """Reads the sources. `look` is the body of the loop that `start` runs on a thread."""

    def __init__(
        self,
        timetable: Timetable,
        plan: Plan,
        *,
        clock: Clock,
        leads: Callable[[], bool],
        on_change: Callable[[], object],
        problems: Problems,
    ) -> None:
        self._timetable = timetable
        self._plan = plan
        self._clock = clock
        self._leads = leads
        self._on_change = on_change
        self._part = problems.part("rows")
        self._sources = [_Source(synced, problems.part("rows")) for synced in timetable.synced]
        self._changes: deque[Change] = deque()
        self._stop = threading.Event()
        self._wake = threading.Event()  # set to look now
        self._yielding = BackgroundYield(plan, self._stop, clock=clock)

    @property
    def events(self) -> list[Event]:
        """The events of all rows, as last read."""
        return [event for source in self._sources for event in list(source.events.values())]

    def start(self) -> None:
        """Start to read, if there is a source."""
        if self._sources:
            self._yielding.is_needed = True
            threading.Thread(target=self._run, name="database events", daemon=True).start()

    def stop(self) -> None:
        """Stop reading."""
        self._stop.set()
        self._wake.set()

    def forget(self) -> None:
        """Another clock leads. Read the rows again before an event of them is declared or fired."""
        for source in self._sources:
            source.part.rests()
            source.last = source.events or source.last
            source.events, source.is_loaded, source.ask_at = {}, False, float("-inf")
        self._wake.set()

    def take(self) -> Iterator[Change]:
        """The changes since the last call."""
        while self._changes:
            yield self._changes.popleft()

    def look(self) -> float:
        """Read the sources whose time has come. Returns the seconds until the next one."""
        for source in self._sources:
            if self._leads() and self._clock.monotonic() >= source.ask_at:
                self._ask(source)
        if not self._leads():
            return IDLE_SECONDS
        now = self._clock.monotonic()
        return min([LONGEST_SECONDS, *(source.ask_at - now for source in self._sources)])

    def _run(self) -> None:
        while not self._stop.is_set():
            seconds = IDLE_SECONDS
            try:
                with renewed_connections():
                    seconds = self.look()
                self._part.works()
            except Exception as error:  # noqa: BLE001  # a row's own methods must not end the thread
                self._part.failed(error)
            self._clock.wait(self._wake, seconds)
            self._wake.clear()

    def _ask(self, source: _Source) -> None:
        synced = source.synced
        source.ask_at = self._clock.monotonic() + synced.every.total_seconds()
        try:
            with child_ends_here():
                version = synced.version() if synced.version else None
                is_known = source.is_loaded and version == source.version and not source.reported
                is_fresh = self._clock.monotonic() - source.read_at < REREAD_SECONDS
                if version is not None and is_known and is_fresh:
                    source.part.works()
                    return
                rows = list(self._yielding.among(synced.load()))
        except BaseException as error:  # noqa: BLE001  # the user's code must not end the thread
            if isinstance(error, StoreError):  # the problem is logged, once
                run_event.call_error_handlers(self._timetable, error)
            else:
                what = f"{synced.source}: could not reload events; keeping the current ones"
                run_event.report(self._timetable, error, what)
            source.part.found(_unreadable(synced, error))
            if not source.is_loaded and source.last:
                self._take_over(source, source.last)
            return
        with self._yielding.uncollected(len(rows)):
            self._read(source, rows, version)

    def _read(self, source: _Source, rows: Sequence[object], version: object) -> None:
        taken = self._names_beside(source)
        with child_ends_here():
            read = read_rows(source.synced, self._yielding.among(rows), self._timetable.settings, taken)
        self._report(source, read.errors)
        if self._take_over(source, {event.name: event for event in read.events}):
            source.version, source.read_at = version, self._clock.monotonic()

    def _take_over(self, source: _Source, events: dict[str, Event]) -> bool:
        """Make these the events of the source. False: Redis is away, and they will be read again."""
        try:
            self._follow(source, events)
            if not source.is_loaded:
                source.is_loaded = True
                synced = source.synced
                if not events and not synced.is_optional:
                    seconds = synced.every.total_seconds()
                    logger.info("%s returned no rows; checking again every %g s", synced.source, seconds)
                self.note_orphans()
            source.part.works()
        except StoreError as error:
            source.part.failed(error)
            source.ask_at = self._clock.monotonic() + IDLE_SECONDS
            return False
        return True

    def _follow(self, source: _Source, events: dict[str, Event]) -> None:
        """Update the ledger and the plan, a few events at a time. Raises StoreUnavailable, Outranked."""
        before = source.events if source.is_loaded else {**source.last, **source.events}
        gone = [name for name in before if name not in events]
        known = {name: event.declaration for name, event in source.events.items()}
        fresh = [event for event in events.values() if known.get(event.name) != event.declaration]
        new = {event.name for event in fresh}
        same = [event for name, event in events.items() if name not in new and event != source.events[name]]
        renamed = {old for event in fresh for old in event.options.was}
        for some in self._batches(gone):
            self._plan.remove([name for name in some if name not in renamed], to_ms(self._clock.now()))
            self._publish(Change(some, (), ()))
        names = {*self._names_beside(source), *events}
        for batch in self._batches(fresh):
            planned = self._plan.look_up(batch, self._clock.now(), names)
            source.events.update((event.name, event) for event in batch)
            self._publish(Change((), planned, ()))
        source.events = events
        if same:
            self._publish(Change((), (), same))
        if gone or fresh:
            words = "Synced %s: %d events, %d new or changed, %d gone"
            logger.info(words, source.synced.source, len(events), len(fresh), len(gone))

    def _names_beside(self, source: _Source) -> set[str]:
        """The names, present and old, of all events outside this source."""
        others = [event for other in self._sources if other is not source for event in other.events.values()]
        events = [*self._timetable.events, *others]
        return {name for event in events for name in (event.name, *event.options.was)}

    def _publish(self, change: Change) -> None:
        self._changes.append(change)
        self._on_change()

    def _batches(self, items: Sequence[T]) -> Iterator[Sequence[T]]:
        for start in range(0, len(items), PLANNED_AT_ONCE):
            self._yielding.yield_if_due()
            yield items[start : start + PLANNED_AT_ONCE]

    def note_orphans(self) -> None:
        """Note in the ledger which events are declared, once all sources are read. Raises StoreUnavailable."""
        if all(source.is_loaded for source in self._sources):
            events = [*self._timetable.by_name, *(event.name for event in self.events)]
            self._plan.note_orphans(events, to_ms(self._clock.now()))

    def _report(self, source: _Source, errors: Sequence[DeclarationError]) -> None:
        """Log bad rows, each error once until it changes."""
        for error in errors:
            if str(error) not in source.reported:
                run_event.report(self._timetable, error, "Skipped a row")
        source.reported = frozenset(map(str, errors))


def _unreadable(synced: SyncedEvents, error: BaseException) -> Problem:
    is_redis = isinstance(error, StoreError)
    place, cure = ("Redis", "") if is_redis else ("the database", " Check the database.")  # Redis's has its cure
    return Problem(
        f"rows:{synced.source}",
        f"{synced.source}: could not reload events from {place}; keeping the current ones: "
        f"{type(error).__name__}: {message_of(error).rstrip('.')}.{cure} "
        f"The clock retries every {synced.every.total_seconds():g} s.",
    )
