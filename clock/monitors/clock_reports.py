"""The clock's reports: its decisions, except runs of events that enqueue, which the worker reports.

A run that did not happen on purpose (refused, paused, overlap) counts as success, with the reason as its message:
otherwise the provider would expect it and raise an alarm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from clock.clocks import Clock
from clock.monitors.providers import Report, State, providers_in
from clock.monitors.sender import Senders
from clock.store.ledger.decision import Decision, DecisionKind
from clock.timetable import Timetable

_FIRED = (DecisionKind.FIRED, DecisionKind.CAUGHT_UP)


def senders_of(environ: Mapping[str, str], clock: Clock) -> Senders:
    """The senders of reports to the providers of the environment. Raises ConfigurationError for an invalid one."""
    return Senders(providers_in(environ), clock)


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
        put(Report(event.monitor.slug, state, run, decision.event, decision.due_ms, words))

    return note
