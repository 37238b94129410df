"""Which reports are sent: by the clock for its decisions, by the worker for the jobs of events.

The worker reports the runs of events that enqueue: the start, and the end after the last attempt. The clock
reports everything else. A run that did not happen on purpose (refused, paused, overlap) counts as success, with
the reason as its message: otherwise the provider would expect it and raise an alarm.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from clock.clocks import Clock
from clock.errors import Discard, message_of
from clock.job import server_middleware
from clock.job.push.setter import FIELD_PREFIX
from clock.monitors.providers import Report, State, providers_in
from clock.monitors.sender import Senders
from clock.store.ledger.decision import Decision, DecisionKind
from clock.timetable import MONITOR_FIELD, Timetable
from clock.worker_hooks import death_handler

FIELD = FIELD_PREFIX + MONITOR_FIELD
Put = Callable[[Report], object]
_FIRED = (DecisionKind.FIRED, DecisionKind.CAUGHT_UP)


def clock_reports(timetable: Timetable, put: Put) -> Callable[[Decision], object]:
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


@contextmanager
def reporting_jobs(environ: Mapping[str, str], clock: Clock) -> Iterator[None]:
    """Report the jobs of this process to the providers of the environment while the block runs.

    Raises ConfigurationError for an invalid provider.
    """
    providers = providers_in(environ)
    if not providers:
        yield
        return
    sender = Senders(providers, clock)
    report_jobs(sender.put)
    try:
        yield
    finally:
        sender.stop()


def report_jobs(put: Put) -> None:
    """Report the jobs of this worker: adds a server middleware and a death handler."""

    @contextmanager
    def around(job: Any, payload: Mapping[str, Any], _queue: str) -> Iterator[None]:
        slug = payload.get(FIELD)
        if not isinstance(slug, str):
            yield
            return
        if "retry_count" not in payload:  # retries belong to the run that started
            put(_of_job(payload, slug, "start"))
        try:
            yield
        except Discard as error:
            put(_of_job(payload, slug, "success", f"dropped: {message_of(error)}"))
            raise
        if not job.context.state.ended_early:  # an iterating job that continues later
            put(_of_job(payload, slug, "success"))

    def died(payload: Mapping[str, Any], error: BaseException) -> None:
        slug = payload.get(FIELD)
        if isinstance(slug, str) and not isinstance(error, CancelledError):
            put(_of_job(payload, slug, "failure", type(error).__name__))

    server_middleware.add(around)
    death_handler(died)


def _of_job(payload: Mapping[str, Any], slug: str, state: State, message: str = "") -> Report:
    firing = payload.get("clock")
    firing = firing if isinstance(firing, Mapping) else {}
    due = firing.get("due")
    run = str(payload.get("jid"))
    return Report(slug, state, run, str(firing.get("event", "")), due if isinstance(due, int) else None, message)
