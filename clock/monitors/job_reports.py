"""A worker's reports: the runs of events that enqueue, from their start to the end after the last attempt."""

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
from clock.timetable.action import DEFINITION_FIELD, MONITOR_FIELD
from clock.worker_hooks import death_handler

FIELD = FIELD_PREFIX + MONITOR_FIELD
DEFINITION = FIELD_PREFIX + DEFINITION_FIELD
Put = Callable[[Report], object]


@contextmanager
def reporting_jobs(environ: Mapping[str, str], clock: Clock) -> Iterator[None]:
    """Report the jobs of this process to the providers of the environment while the block runs.

    Raises ConfigurationError for an invalid provider.
    """
    sender = Senders(providers_in(environ), clock)
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
        except BaseException:
            if job.context.state.cancelled:  # on purpose, and not tried again
                put(_of_job(payload, slug, "success", "cancelled"))
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
    firing, definition = payload.get("clock"), payload.get(DEFINITION)
    firing = firing if isinstance(firing, Mapping) else {}
    due = firing.get("due")
    due_ms = due if isinstance(due, int) else None
    definition = definition if isinstance(definition, Mapping) else None
    return Report(slug, state, str(payload.get("jid")), str(firing.get("event", "")), due_ms, message, definition)
