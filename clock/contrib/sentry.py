"""Sentry: `sentry_sdk.init(..., integrations=[ClockIntegration()])` in the processes that push and run jobs.

It uses the package's middleware and patches nothing:

- a push stores the trace in the payload, under the name that Ruby's sentry-sidekiq reads and writes;
- a run continues this trace, as the transaction `queue.task.clock` with a span `queue.process`;
- with `crons=True`, runs of events with `.monitor()` are check-ins of Sentry Crons;
- a failure is reported when the job is not tried again, or each time with `capture="all"`.

Arguments are sent only if the SDK's `send_default_pii` is True, and never the hidden ones (`redact`, `encrypt`).
"""

from __future__ import annotations

import inspect
import os
from asyncio import CancelledError
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Literal

from clock import monitors
from clock.clocks import SystemClock
from clock.errors import Discard, JobCancelled
from clock.job import client_middleware, server_middleware
from clock.job.payload import instant, seconds
from clock.job.redaction import shown_args
from clock.monitors.providers import Report, check_in_of
from clock.worker_hooks import death_handler

try:
    import sentry_sdk
    from sentry_sdk.crons import capture_checkin
    from sentry_sdk.integrations import Integration
    from sentry_sdk.scope import Scope, add_global_event_processor, use_isolation_scope, use_scope
    from sentry_sdk.tracing import Span, Transaction
    from sentry_sdk.utils import event_from_exception
except ImportError:
    raise ImportError(
        "clock.contrib.sentry needs the package `sentry-sdk`: pip install 'clockd[sentry]'"
    ) from None

#: The field of the payload for the trace, as in Ruby's sentry-sidekiq.
HEADERS = "trace_propagation_headers"
_ORIGIN = "auto.queue.clock"
_MARK = "_clock_sentry_scopes"  # an attribute of errors: the scopes of their run; None: reported already
_NO_FAILURE = (Discard, JobCancelled, CancelledError)
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_clock = SystemClock()


class ClockIntegration(Integration):
    """The integration. `capture`: report "last" failures only, of jobs that are not tried again, or "all".

    `crons`: send check-ins for events with `.monitor()` to Sentry Crons. If CLOCK_SENTRY_CRONS_DSN is set, clock
    sends them itself, and the integration sends none.
    """

    identifier = "clock"
    origin = _ORIGIN

    def __init__(self, capture: Literal["last", "all"] = "last", *, crons: bool = False) -> None:
        if capture not in ("last", "all"):
            raise ValueError(f"capture is {capture!r}; it must be 'last' or 'all'")
        self.capture = capture
        self.crons = crons
        if crons and check_in not in monitors.listeners:
            monitors.listeners.append(check_in)

    @staticmethod
    def setup_once() -> None:
        """Add the middleware. The SDK calls it once in a process."""
        client_middleware.add(store_trace)
        server_middleware.prepend(continue_trace)
        death_handler(report_death)
        add_global_event_processor(_without_log_events)


def _integration() -> ClockIntegration | None:
    return sentry_sdk.get_client().get_integration(ClockIntegration)


def check_in(report: Report) -> None:
    """Listener of reports to monitors: send a check-in to Sentry Crons, with the monitor's definition if known."""
    integration = _integration()
    if integration is None or not integration.crons or os.environ.get("CLOCK_SENTRY_CRONS_DSN"):
        return
    definition: Any = report.definition
    status, run = check_in_of(report)
    capture_checkin(report.slug, check_in_id=run, status=status, monitor_config=definition)


def store_trace(job: object, payload: dict[str, object], queue: str) -> None:
    """Client middleware: the payload carries the trace of the code that pushes the job."""
    if _integration() is None or HEADERS in payload:
        return
    with sentry_sdk.start_span(op="queue.publish", name=queue, origin=_ORIGIN) as span:
        _describe(span, payload, queue)
        headers = {"sentry-trace": sentry_sdk.get_traceparent(), "baggage": sentry_sdk.get_baggage()}
    payload[HEADERS] = {name: value for name, value in headers.items() if value}


@contextmanager
def continue_trace(job: Any, payload: dict[str, object], queue: str) -> Iterator[None]:
    """Server middleware: the run is a transaction of the trace in the payload, with its own scope."""
    integration = _integration()
    if integration is None:
        yield
        return
    dropped: BaseException | None = None
    with sentry_sdk.isolation_scope() as scope:
        scope.clear_breadcrumbs()
        scope.add_event_processor(_Describe(payload, queue, job.perform))
        transaction = sentry_sdk.continue_trace(
            _headers(payload), op="queue.task.clock", name=str(payload["class"]), source="task", origin=_ORIGIN
        )
        with (
            sentry_sdk.start_transaction(transaction, custom_sampling_context={"clock_job": payload}) as run,
            sentry_sdk.start_span(op="queue.process", name=queue, origin=_ORIGIN) as span,
        ):
            _describe(run, payload, queue)
            _describe(span, payload, queue)
            run.set_status("ok")
            try:
                yield
            except _NO_FAILURE as error:
                run.set_status("cancelled")
                dropped = error  # raised below: the SDK counts an error that leaves a span as its failure
            except BaseException as error:
                _note_failure(integration, scope, error)
                raise
    if dropped is not None:
        raise dropped


def _note_failure(integration: ClockIntegration, scope: Scope, error: BaseException) -> None:
    """Report a failure, or keep it with its scopes for `report_death`."""
    if integration.capture == "all":
        _capture(error)
        _mark(error, None)
    else:
        _mark(error, (scope, sentry_sdk.get_current_scope().fork()))


def report_death(payload: dict[str, Any], error: BaseException) -> None:
    """Death handler: report the error of a job that is not tried again, in the scope of its last run."""
    if _integration() is None or isinstance(error, _NO_FAILURE):
        return
    scopes = getattr(error, _MARK, ())
    if scopes:
        with use_isolation_scope(scopes[0]), use_scope(scopes[1]):
            _capture(error)
    elif scopes is not None:  # it never ran: it is unreadable, its arguments do not fit, or its worker died
        with sentry_sdk.isolation_scope() as scope:
            scope.add_event_processor(_Describe(payload, str(payload.get("queue")), None))
            _capture(error)


def _mark(error: BaseException, scopes: tuple[Scope, Scope] | None) -> None:
    with suppress(AttributeError):  # a class that guards its attributes: reported without the scopes of its run
        setattr(error, _MARK, scopes)


def _capture(error: BaseException) -> None:
    client = sentry_sdk.get_client()
    event, hint = event_from_exception(
        (type(error), error, error.__traceback__),
        client_options=client.options,
        mechanism={"type": "clock", "handled": False},
    )
    sentry_sdk.capture_event(event, hint=hint)


def _headers(payload: Mapping[str, object]) -> dict[str, Any]:
    """The trace in a payload: of Ruby's field, or of fields named like the HTTP headers."""
    given = payload.get(HEADERS)
    source = given if isinstance(given, Mapping) else payload
    found = {name: source.get(name) for name in ("sentry-trace", "baggage")}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _describe(span: Transaction | Span, payload: Mapping[str, object], queue: str) -> None:
    """Sentry's attributes of messages."""
    span.set_data("messaging.system", "redis")
    span.set_data("messaging.destination.name", queue)
    span.set_data("messaging.message.id", payload.get("jid"))
    count = payload.get("retry_count")
    span.set_data("messaging.message.retry.count", count + 1 if isinstance(count, int) else 0)
    enqueued = instant(payload.get("enqueued_at"))
    if enqueued is not None and span.op != "queue.publish":
        latency = max(0.0, seconds(_clock.now()) - enqueued)
        span.set_data("messaging.message.receive.latency", round(latency * 1000, 3))


class _Describe:
    """An event processor: adds the job to the events of its run, and removes arguments that may not be sent."""

    def __init__(self, payload: Mapping[str, object], queue: str, perform: Any) -> None:
        self._payload = payload
        self._queue = queue
        self._perform = getattr(perform, "__func__", perform)

    def __call__(self, event: Any, _hint: Mapping[str, Any]) -> Any:
        may_send = sentry_sdk.get_client().should_send_default_pii()
        firing = self._payload.get("clock")
        about = {"class": self._payload.get("class"), "jid": self._payload.get("jid"), "queue": self._queue}
        if isinstance(firing, Mapping):
            about["event"] = firing.get("event")
        tags = event.setdefault("tags", {})
        if isinstance(tags, dict):
            tags.update({f"clock.{name}": value for name, value in about.items() if value})
        about["retry_count"] = self._payload.get("retry_count")
        if may_send:
            about["args"] = shown_args(self._payload)
        event.setdefault("contexts", {})["clock.job"] = about
        if event.get("exception"):
            self._hide_arguments(event, may_send=may_send)
        return event

    def _hide_arguments(self, event: Mapping[str, Any], *, may_send: bool) -> None:
        """Remove the variables of frames in `clock`, and the hidden arguments from the frame of `perform`."""
        function = inspect.unwrap(self._perform) if self._perform else None
        names = list(inspect.signature(self._perform).parameters.values())[1:] if self._perform else []
        hidden = _hidden(self._payload, names) if may_send and names else {one.name for one in names}
        for one in event["exception"].get("values") or ():
            for frame in (one.get("stacktrace") or {}).get("frames") or ():
                if str(frame.get("module") or "").partition(".")[0] == "clock":
                    frame.pop("vars", None)
                elif frame.get("function") in ("perform", getattr(function, "__name__", "perform")):
                    kept = frame.get("vars") or {}
                    frame["vars"] = {name: value for name, value in kept.items() if name not in hidden}


def _hidden(payload: Mapping[str, object], parameters: Sequence[inspect.Parameter]) -> Collection[str]:
    """The parameters of `perform` whose arguments are never sent; all of them if one of these is in `*args`."""
    args: Any = payload["args"]
    shown: Any = shown_args(payload)
    everything = {one.name for one in parameters}
    places = [place for place, (arg, sent) in enumerate(zip(args, shown, strict=True)) if arg != sent]
    positional = [one.name for one in parameters if one.kind in _POSITIONAL]
    return {positional[place] for place in places} if max(places, default=-1) < len(positional) else everything


def _without_log_events(event: Any, hint: Mapping[str, Any]) -> Any:
    """Drop the SDK's event of a line in which the worker logs a failed job: this integration reports it."""
    record = hint.get("log_record")
    is_ours = record is not None and record.name == "clock.job" and record.module == "job_log"
    return None if is_ours and _integration() is not None else event
