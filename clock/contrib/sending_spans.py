"""OpenTelemetry of the push itself: a span `send QUEUE` for many jobs, and how long pushes take.

A single push has its span already. The span of many jobs has links to their `create` spans, the first 128: so many
an SDK keeps.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import Any

from opentelemetry import trace
from opentelemetry.metrics import Histogram
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags, Tracer

from clock.clocks import SystemClock
from clock.job.push.carriers import Batches
from clock.job.push.client import ToRedis
from clock.store.jobs.queues import Parcel

SYSTEM = "sidekiq"  # the value of Ruby's instrumentation: the format of the queues is Sidekiq's
MOST_LINKS = 128
_TRACEPARENT = re.compile(r'"traceparent":"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})"')

_monotonic = SystemClock().monotonic


class TracedPushes(ToRedis):
    """The carrier of an application that runs, measured."""

    def __init__(self, tracer: Tracer, duration: Histogram, *, is_off: Callable[[], bool]) -> None:
        super().__init__()
        self._tracer = tracer
        self._duration = duration
        self._is_off = is_off

    def carry(self, batches: Batches) -> None:
        """Push them by the default connection. Raises StoreUnavailable."""
        batches = list(batches)
        with self._sending([parcel for batch in batches for parcel in batch]):
            super().carry(batches)

    async def acarry(self, batches: Batches) -> None:
        """Push them without blocking the event loop."""
        batches = list(batches)
        with self._sending([parcel for batch in batches for parcel in batch]):
            await super().acarry(batches)

    @contextmanager
    def _sending(self, parcels: Sequence[Parcel]) -> Iterator[None]:
        if self._is_off():
            yield
            return
        about, started = _common(parcels), _monotonic()
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
            self._duration.record(_monotonic() - started, about)

    def _span(self, parcels: Sequence[Parcel], about: Mapping[str, Any]) -> trace.Span | None:
        """The span of many jobs, with links to their `create` spans; None: it is one job, which has its span."""
        queue, count = about.get("messaging.destination.name"), sum(len(parcel.payloads) for parcel in parcels)
        if count < 2:
            return None
        attributes = {**about, "messaging.operation.type": "send", "messaging.batch.message_count": count}
        links = list(islice(_created(parcels), MOST_LINKS))
        name = f"send {queue}" if queue else "send"
        return self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes, links=links)


def _common(parcels: Sequence[Parcel]) -> dict[str, Any]:
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
