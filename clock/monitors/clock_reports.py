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
from clock.timetable import Event, Timetable, monitored, schedule_for_monitor

_FIRED = (DecisionKind.FIRED, DecisionKind.CAUGHT_UP)


def senders_of(environ: Mapping[str, str], clock: Clock) -> Senders:
    """The senders of reports to the providers of the environment. Raises ConfigurationError for an invalid one."""
    return Senders(providers_in(environ), clock)


def with_definitions(timetable: Timetable, now: datetime) -> Timetable:
    """The timetable, whose monitors and jobs carry their definitions for a listener: Sentry's `monitor_config`.

    It compares the due instants of a year, which takes some ms for each monitored event.
    """
    return replace(timetable, events=[_defined(event, now) for event in timetable.events])


def _defined(event: Event, now: datetime) -> Event:
    schedule = schedule_for_monitor(event, now) if event.monitor else None
    if event.monitor is None or schedule is None:
        return event
    definition = sentry_definition(event.monitor, schedule)
    monitor = replace(event.monitor, definition=definition)
    return replace(event, monitor=monitor, action=monitored(event.action, monitor.slug, definition))


def clock_reports(timetable: Timetable, put: Callable[[Report], object]) -> Callable[[Decision], object]:
    """A listener for the clock's decisions."""
    monitored = {event.name: event for event in timetable.events if event.monitor}

    def note(decision: Decision) -> None:
        event = monitored.get(decision.event)
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
