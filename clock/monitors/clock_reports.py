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
_STATES: Mapping[DecisionKind, State] = {DecisionKind.MISSED: "miss", DecisionKind.ERROR: "failure"}


def senders_of(environ: Mapping[str, str], clock: Clock) -> Senders:
    """The senders of reports to the providers of the environment. Raises ConfigurationError for an invalid one."""
    return Senders(providers_in(environ), clock)


class MonitoredEvents:
    """The events of a timetable for reports, including the latest version of rows and run-time schedules.

    With `defines`, their monitors and jobs carry their definitions for a listener: Sentry's `monitor_config`. A
    definition compares the due instants of a year, which takes some ms, so it is made once for each schedule.
    `timetable` is the one to run. It notes the events of the last two reads of each source: during a read, the
    clock still runs those of the read before.
    """

    def __init__(self, timetable: Timetable, now: datetime, *, defines: bool) -> None:
        self._now = now
        self._defines = defines
        self._definitions: dict[tuple[str, Monitor], Mapping[str, object] | None] = {}
        self._lock = threading.Lock()
        self._reads: list[list[dict[str, Event]]] = []  # guarded by _lock; the last two of each source
        self.timetable = replace(
            timetable,
            events=[self._defined(event) for event in timetable.events],
            synced=[self._followed(synced) for synced in timetable.synced],
        )

    def get(self, name: str) -> Event | None:
        """The event of that name: of the clock file, or of the last two reads of a source."""
        with self._lock:
            found = [events[name] for reads in self._reads for events in reads if name in events]
        return self.timetable.by_name.get(name) or next(iter(found), None)

    def _followed(self, synced: SyncedEvents) -> SyncedEvents:
        reads: list[dict[str, Event]] = [{}, {}]
        with self._lock:
            self._reads.append(reads)

        def load() -> Iterable[object]:
            rows = synced.load()
            with self._lock:
                reads[:] = {}, reads[0]
            return rows

        def adjust(event: Event) -> Event:
            found = self._defined(event)
            with self._lock:
                reads[0][event.name] = found
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
        if event is None or event.monitor is None or (decision.kind.fires and event.enqueues):
            return
        state = _STATES.get(decision.kind, "success")
        words = "" if decision.kind.fires else f"{decision.kind.value}: {decision.detail.get('reason', '')}"
        run = f"{decision.event}@{decision.due_ms}"
        monitor = event.monitor
        put(Report(monitor.slug, state, run, decision.event, decision.due_ms, words, monitor.definition))

    return note
