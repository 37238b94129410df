"""OpenTelemetry: `ClockInstrumentor().instrument()`, or a start by `opentelemetry-instrument`.

Spans, attributes and metrics follow the messaging conventions, version 1.44. Other attributes start with `clock.`.
The context is in the payload's fields `traceparent`, `tracestate` and `baggage`, in which Ruby's instrumentation
of Sidekiq writes and reads it.

- A push is a span `send QUEUE`. With `perform_bulk` each job is a span `create QUEUE`, and the push is a span
  `send QUEUE` with links to them. The push of an event starts a trace.
- A run is a span `process QUEUE`. The first attempt is a child of the push. A retry starts a trace, with a link.
"""

from __future__ import annotations

import re
from asyncio import CancelledError
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache, partial
from itertools import islice
from threading import Lock
from types import TracebackType
from typing import Any

from clock.clocks import SystemClock
from clock.errors import Discard, JobCancelled
from clock.job import client_middleware, server_middleware
from clock.job.push.carriers import Batches
from clock.job.push.client import ToRedis, carrier, change_carrier
from clock.job.push.payload_builder import is_bulk
from clock.store.jobs.queues import Parcel

try:
    from opentelemetry import context as contexts
    from opentelemetry import metrics, propagate, trace
    from opentelemetry.context import Context
    from opentelemetry.metrics import CallbackOptions, Observation
    from opentelemetry.propagators.textmap import Getter
    from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
except ImportError:
    NEEDED = (
        "clock.contrib.opentelemetry needs the package `opentelemetry-api`: pip install 'clockd[opentelemetry]'"
    )
    raise ImportError(NEEDED) from None

SCHEMA = "https://opentelemetry.io/schemas/1.44.0"
#: Seconds; those of the convention for `messaging.process.duration`.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
SYSTEM = "sidekiq"  # the value of Ruby's instrumentation: the format of the queues is Sidekiq's
MOST_LINKS = 128  # of a span: so many an SDK keeps
_TRACEPARENT = re.compile(r'"traceparent":"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})"')
_NO_FAILURE = {Discard: "dropped", JobCancelled: "cancelled", CancelledError: "cancelled"}

_monotonic = SystemClock().monotonic

Attributes = dict[str, Any]


class ClockInstrumentor:
    """Adds and removes the instrumentation of this process."""

    _installed: _Tracing | None = None

    def instrument(
        self,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
        **_others: object,
    ) -> None:
        """Add the middleware, once. The providers are the global ones if not given.

        Other options, which `opentelemetry-instrument` passes to all instrumentors, have no effect. With the
        no-op providers nothing is added.
        """
        are_no_op = isinstance(tracer_provider, trace.NoOpTracerProvider) and isinstance(
            meter_provider, metrics.NoOpMeterProvider
        )
        if ClockInstrumentor._installed is not None or are_no_op:
            return
        tracing = _Tracing(
            trace.get_tracer("clock", tracer_provider=tracer_provider, schema_url=SCHEMA),
            metrics.get_meter("clock", meter_provider=meter_provider, schema_url=SCHEMA),
            is_global=tracer_provider is None and meter_provider is None,
        )
        client_middleware.add(tracing.send)
        server_middleware.prepend(tracing.process)
        if type(carrier()) is ToRedis:
            change_carrier(_TracedPushes(tracing))
        ClockInstrumentor._installed = tracing

    def uninstrument(self, **_others: object) -> None:
        """Remove the middleware."""
        tracing, ClockInstrumentor._installed = ClockInstrumentor._installed, None
        if tracing is not None:
            client_middleware.remove(tracing.send)
            server_middleware.remove(tracing.process)
            tracing.sent.is_on = tracing.consumed.is_on = False
            if isinstance(carrier(), _TracedPushes):
                change_carrier(ToRedis())


class _Tracing:
    def __init__(self, tracer: trace.Tracer, meter: metrics.Meter, *, is_global: bool) -> None:
        self.tracer = tracer
        self._is_global = is_global
        self.sent, self.consumed = _Counts(), _Counts()
        meter.create_observable_counter(
            "messaging.client.sent.messages",
            [self.sent.read],
            "{message}",
            "Jobs that were pushed, or handed to an event's run",
        )
        meter.create_observable_counter(
            "messaging.client.consumed.messages",
            [self.consumed.read],
            "{message}",
            "Runs of jobs that were started",
        )
        histogram = partial(meter.create_histogram, unit="s", explicit_bucket_boundaries_advisory=BUCKETS)
        self.send_duration = histogram("messaging.client.operation.duration", description="How long pushes took")
        self.duration = histogram("messaging.process.duration", description="How long the runs of jobs took")

    def send(self, _job: object, payload: dict[str, object], queue: str) -> None:
        if "traceparent" in payload or self.is_off():  # pushed again, or by a caller who passes a context on
            return
        operation = "create" if is_bulk() else "send"
        firing = payload.get("clock")
        parent = Context() if firing else None  # a run of an event is the root of a trace
        about = _attributes(payload, queue, operation)
        span = self.tracer.start_span(f"{operation} {queue}", parent, SpanKind.PRODUCER, about)
        propagate.inject(payload, trace.set_span_in_context(span, parent))
        span.end()
        self.sent.add(queue, operation)

    def process(self, _job: object, payload: dict[str, object], queue: str) -> _Run | None:
        return None if self.is_off() else _Run(self, payload, queue)

    def is_off(self) -> bool:
        """True: the application has not set up an SDK. Then nothing is measured, and nothing is spent."""
        if self._is_global:
            providers = (trace.get_tracer_provider(), metrics.get_meter_provider())
            if any(type(one).__module__.startswith("opentelemetry.sdk") for one in providers):
                self._is_global = False  # an SDK stays
        return self._is_global


class _Run:
    """The run of a job: a span and the metrics. A class, as `contextlib` costs twice as much."""

    __slots__ = ("_payload", "_queue", "_span", "_started", "_token", "_tracing")

    def __init__(self, tracing: _Tracing, payload: Mapping[str, object], queue: str) -> None:
        self._tracing = tracing
        self._payload = payload
        self._queue = queue

    def __enter__(self) -> None:
        payload, links = self._payload, None
        context = propagate.extract(payload, getter=_GETTER) if "traceparent" in payload else Context()
        if "retry_count" in payload:
            pushed = trace.get_current_span(context).get_span_context()
            links = [Link(pushed)] if pushed.is_valid else None
            context = trace.set_span_in_context(trace.INVALID_SPAN, context)
        about = _attributes(payload, self._queue, "process")
        tracer = self._tracing.tracer
        span = tracer.start_span(f"process {self._queue}", context, SpanKind.CONSUMER, about, links)
        self._span = span
        self._token = contexts.attach(trace.set_span_in_context(span, context))
        self._tracing.consumed.add(self._queue, "process")
        self._started = _monotonic()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        took = _monotonic() - self._started
        contexts.detach(self._token)
        about = _common(self._queue, "process")
        if error is not None and kind is not None:
            outcome = next((word for no_failure, word in _NO_FAILURE.items() if issubclass(kind, no_failure)), "")
            if outcome:
                self._span.set_attribute("clock.job.outcome", outcome)
            else:
                about = {**about, "error.type": kind.__qualname__}
                self._span.set_attribute("error.type", kind.__qualname__)
                self._span.record_exception(error)
                self._span.set_status(Status(StatusCode.ERROR, kind.__qualname__))
        self._span.end()
        self._tracing.duration.record(took, about)


class _Counts:
    """A counter that is read when the metrics are: an SDK's own counter costs 11 us for each job, this one 0.2."""

    def __init__(self) -> None:
        self.is_on = True
        self._lock = Lock()
        self._counts: dict[tuple[str, str], int] = defaultdict(int)  # guarded by _lock

    def add(self, queue: str, operation: str) -> None:
        with self._lock:
            self._counts[queue, operation] += 1

    def read(self, _options: CallbackOptions) -> Iterable[Observation]:
        """The counts. Nothing once the instrumentation is removed: another one may use the same names."""
        with self._lock:
            counts = dict(self._counts) if self.is_on else {}
        return [Observation(count, _common(queue, operation)) for (queue, operation), count in counts.items()]


class _TracedPushes(ToRedis):
    """The carrier of an application that runs, measured. A push of many jobs is a span, with links to theirs."""

    def __init__(self, tracing: _Tracing) -> None:
        super().__init__()
        self._tracing = tracing

    def carry(self, batches: Batches) -> None:
        batches = list(batches)
        with self._sending([parcel for batch in batches for parcel in batch]):
            super().carry(batches)

    async def acarry(self, batches: Batches) -> None:
        batches = list(batches)
        with self._sending([parcel for batch in batches for parcel in batch]):
            await super().acarry(batches)

    @contextmanager
    def _sending(self, parcels: Sequence[Parcel]) -> Iterator[None]:
        if self._tracing.is_off():
            yield
            return
        about, started = _sent_to(parcels), _monotonic()
        span = self._span(parcels, about)
        try:
            with trace.use_span(span) if span else nullcontext():
                yield
        except BaseException as error:
            about["error.type"] = type(error).__qualname__
            raise
        finally:
            if span:
                span.set_attributes(about)
                span.end()
            self._tracing.send_duration.record(_monotonic() - started, about)

    def _span(self, parcels: Sequence[Parcel], about: Mapping[str, Any]) -> trace.Span | None:
        """The span of many jobs, with links to their `create` spans; None: it is one job, which has its span."""
        queue, count = about.get("messaging.destination.name"), sum(len(parcel.payloads) for parcel in parcels)
        if count < 2:
            return None
        attributes = {**about, "messaging.operation.type": "send", "messaging.batch.message_count": count}
        links = list(islice(_created(parcels), MOST_LINKS))
        name = f"send {queue}" if queue else "send"
        return self._tracing.tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes, links=links)


def _sent_to(parcels: Sequence[Parcel]) -> dict[str, Any]:
    about = {"messaging.system": SYSTEM, "messaging.operation.name": "send"}
    queues = {parcel.queue for parcel in parcels}
    return {**about, "messaging.destination.name": queues.pop()} if len(queues) == 1 else about


def _created(parcels: Sequence[Parcel]) -> Iterator[Link]:
    """Links to the spans in the payloads, which are JSON."""
    for parcel in parcels:
        for text in parcel.payloads:
            if found := _TRACEPARENT.search(text):
                trace_id, span_id, flags = (int(number, 16) for number in found.groups())
                yield Link(SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(flags)))


@cache
def _common(queue: str, operation: str) -> Attributes:
    """The attributes of metrics; the callers do not change them."""
    return {
        "messaging.system": SYSTEM,
        "messaging.operation.name": operation,
        "messaging.destination.name": queue,
    }


def _attributes(payload: Mapping[str, object], queue: str, operation: str) -> Attributes:
    """The attributes of a span."""
    found: Attributes = {
        "messaging.system": SYSTEM,
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": queue,
        "messaging.message.id": str(payload.get("jid") or ""),
        "clock.job.class": str(payload.get("class")),
    }
    count, firing = payload.get("retry_count"), payload.get("clock")
    if isinstance(count, int):
        found["clock.job.retry_count"] = count + 1
    if isinstance(firing, Mapping):
        found["clock.event"] = str(firing.get("event"))
        if isinstance(firing.get("due"), int):
            found["clock.due"] = firing["due"]
    return found


class _TextsOnly(Getter[Mapping[str, object]]):
    """Reads the fields of a payload. Any client may have written it, so a field may hold anything."""

    def get(self, carrier: Mapping[str, object], key: str) -> list[str] | None:
        value = carrier.get(key)
        return [value] if isinstance(value, str) else None

    def keys(self, carrier: Mapping[str, object]) -> list[str]:
        return list(carrier)


_GETTER = _TextsOnly()
