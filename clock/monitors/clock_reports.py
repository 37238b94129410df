"""The clock's reports: its decisions, except runs of events that enqueue, which the worker reports.

A run that did not happen on purpose (refused, paused, overlap) counts as success, with the reason as its message:
otherwise the provider would expect it and raise an alarm.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from clock.clocks import Clock
from clock.monitors.providers import Report, State, providers_in, sentry_definition
from clock.monitors.sender import Senders
from clock.store.ledger.decision import Decision, DecisionKind
from clock.timetable import Event, Monitor, SyncedEvents, Timetable, monitored, schedule_for_monitor

MOST_DEFINITIONS = 20_000  # that are kept: rows that are edited again and again must not fill the memory
_FIRED = (DecisionKind.FIRED, DecisionKind.CAUGHT_UP)


def senders_of(environ: Mapping[str, str], clock: Clock) -> Senders:
    """The senders of reports to the providers of the environment. Raises ConfigurationError for an invalid one."""
    return Senders(providers_in(environ), clock)


class _LastReads:
    """The events of the last two reads of a source. During a read, the clock still runs those of the read before.

    The thread that reads rows writes it; the ticker reads it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: dict[str, Event] = {}  # guarded by _lock
        self._before: dict[str, Event] = {}  # guarded by _lock

    def begin(self) -> None:
        """Start a read: the rows are loaded, and their events follow."""
        with self._lock:
            self._before, self._latest = self._latest, {}

    def note(self, event: Event) -> None:
        """Add an event of the read under way."""
        with self._lock:
            self._latest[event.name] = event

    def get(self, name: str) -> Event | None:
        """The event of that name."""
        with self._lock:
            return self._latest.get(name) or self._before.get(name)


class MonitoredEvents:
    """The events of a timetable for reports, including the latest version of rows and run-time schedules.

    With `defines`, their monitors and jobs carry their definitions for a listener: Sentry's `monitor_config`. A
    definition compares the due instants of a year, which takes some ms, so it is made once for each schedule.
    `timetable` is the one to run.
    """

    def __init__(self, timetable: Timetable, now: datetime, *, defines: bool) -> None:
        self._now = now
        self._defines = defines
        self._definitions: dict[tuple[str, Monitor], Mapping[str, object] | None] = {}
        self._reads: list[_LastReads] = []
        self.timetable = replace(
            timetable,
            events=[self._defined(event) for event in timetable.events],
            synced=[self._followed(synced) for synced in timetable.synced],
        )

    def get(self, name: str) -> Event | None:
        """The event of that name: of the clock file, or of the last two reads of a source."""
        found = (read.get(name) for read in self._reads)
        return self.timetable.by_name.get(name) or next(filter(None, found), None)

    def _followed(self, synced: SyncedEvents) -> SyncedEvents:
        read = _LastReads()
        self._reads.append(read)

        def load() -> Iterable[object]:
            rows = synced.load()
            read.begin()
            return rows

        def adjust(event: Event) -> Event:
            found = self._defined(event)
            read.note(found)
            return found

        return replace(synced, load=load, adjust_event=adjust)

    def _defined(self, event: Event) -> Event:
        monitor = event.monitor
        if monitor is None or not self._defines:
            return event
        key = event.declaration, monitor
        if key not in self._definitions:
            if len(self._definitions) >= MOST_DEFINITIONS:
                self._definitions.clear()
            schedule = schedule_for_monitor(event, self._now)
            self._definitions[key] = sentry_definition(monitor, schedule) if schedule else None
        definition = self._definitions[key]
        if definition is None:
            return event
        return replace(
            event,
            options=replace(event.options, monitor=replace(monitor, definition=definition)),
            action=monitored(event.action, monitor.slug, definition),
        )


def clock_reports(events: MonitoredEvents, put: Callable[[Report], object]) -> Callable[[Decision], object]:
    """A listener for the clock's decisions."""

    def note(decision: Decision) -> None:
        event = events.get(decision.event)
        if event is None or event.monitor is None or (decision.kind in _FIRED and event.enqueues):
            return
        state: State = "success"
        if decision.kind in (DecisionKind.MISSED, DecisionKind.ERROR):
            state = "miss" if decision.kind is DecisionKind.MISSED else "failure"
        words = "" if decision.kind in _FIRED else f"{decision.kind.value}: {decision.detail.get('reason', '')}"
        run = f"{decision.event}@{decision.due_ms}"
        monitor = event.monitor
        put(Report(monitor.slug, state, run, decision.event, decision.due_ms, words, monitor.definition))

    return note
