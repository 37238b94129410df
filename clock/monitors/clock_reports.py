"""The clock's reports: its decisions, except runs of events that enqueue, which the worker reports.

A run that did not happen on purpose (refused, paused, overlap) counts as success, with the reason as its message:
otherwise the provider would expect it and raise an alarm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from clock.clocks import Clock
from clock.monitors.providers import Report, State, providers_in, sentry_definition
from clock.monitors.sender import Senders
from clock.store.ledger.decision import Decision, DecisionKind
from clock.timetable import Event, Monitor, Timetable, monitored, schedule_for_monitor

MOST_DEFINITIONS = 20_000  # that are kept: rows that are edited again and again must not fill the memory
_FIRED = (DecisionKind.FIRED, DecisionKind.CAUGHT_UP)


def senders_of(environ: Mapping[str, str], clock: Clock) -> Senders:
    """The senders of reports to the providers of the environment. Raises ConfigurationError for an invalid one."""
    return Senders(providers_in(environ), clock)


class MonitoredEvents:
    """The events of a timetable that have a monitor, with those of rows and schedules as they were read last.

    With `defines`, their monitors and jobs carry their definitions for a listener: Sentry's `monitor_config`. A
    definition compares the due instants of a year, which takes some ms, so it is made once for each schedule.
    `timetable` is the one to run.
    """

    def __init__(self, timetable: Timetable, now: datetime, *, defines: bool) -> None:
        self._now = now
        self._defines = defines
        self._events: dict[str, Event] = {}
        self._definitions: dict[tuple[str, Monitor], Mapping[str, object] | None] = {}
        self.timetable = replace(
            timetable,
            events=[self._noted(event) for event in timetable.events],
            synced=[replace(synced, finish=self._noted) for synced in timetable.synced],
        )

    def get(self, name: str) -> Event | None:
        """The event of that name, if it has a monitor."""
        return self._events.get(name)

    def _noted(self, event: Event) -> Event:
        if event.monitor is None:
            self._events.pop(event.name, None)
            return event
        found = self._defined(event, event.monitor) if self._defines else event
        self._events[event.name] = found
        return found

    def _defined(self, event: Event, monitor: Monitor) -> Event:
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
