"""The instrumentation with the real SDK. `golden_traces.txt` has the traces of some typical runs."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import baggage, trace
from opentelemetry.context import attach, detach
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from redis import Redis

from clock import Discard, Job, client_middleware, server_middleware, testing
from clock.contrib.opentelemetry import _GETTER, MOST_LINKS, ClockInstrumentor
from clock.errors import StoreError
from clock.job.payload import encode
from clock.job.push.client import ToRedis, carrier
from clock.store.ledger.ledger import RedisLedger
from clock.testing import FakeClock
from clock.ticker import Signature, Ticker
from tests.contrib.waiting_jobs import pushed, retry_all
from tests.worker.conftest import Bench

GOLDEN = Path(__file__).parent / "golden_traces.txt"


class PackBoxJob(Job):
    retry = 1

    def perform(self, outcome: str = "done") -> None:
        if outcome == "fails":
            raise RuntimeError("no box is left")
        if outcome == "is dropped":
            raise Discard("not needed")


class Telemetry:
    """What was measured."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.meters = MeterProvider([self._reader])

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    def points(self, name: str) -> list[Any]:
        data = self._reader.get_metrics_data()
        metrics = data.resource_metrics[0].scope_metrics[0].metrics if data else []
        return [point for metric in metrics if metric.name == name for point in metric.data.data_points]


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    before = client_middleware.entries, server_middleware.entries
    found = Telemetry()
    ClockInstrumentor().instrument(tracer_provider=found.tracers, meter_provider=found.meters)
    yield found
    ClockInstrumentor().uninstrument()
    assert (client_middleware.entries, server_middleware.entries) == before
    assert type(carrier()) is ToRedis


def drawn(spans: tuple[ReadableSpan, ...]) -> str:
    """The traces as trees, with attributes, links and status. Jids and due instants are left out."""
    by_start = sorted(spans, key=lambda span: span.start_time or 0)
    named = {span.context.span_id: span.name for span in by_start}
    lines = []

    def draw(span: ReadableSpan, depth: int) -> None:
        attributes = {**(span.attributes or {})}
        shown = ", ".join(f"{name}={value}" for name, value in sorted(attributes.items()) if name not in UNSTABLE)
        links = "".join(f" -> {named[link.context.span_id]}" for link in span.links)
        status = "" if span.status.is_unset else f" {span.status.status_code.name}"
        events = "".join(f" !{event.name}" for event in span.events)
        lines.append(f"{'  ' * depth}{span.kind.name} {span.name}{status}{links}{events}: {shown}")
        for child in by_start:
            if child.parent is not None and child.parent.span_id == span.context.span_id:
                draw(child, depth + 1)

    for span in by_start:
        if span.parent is None:
            draw(span, 0)
    return "\n".join(lines)


UNSTABLE = ("messaging.message.id", "clock.due")


def pushed_in_a_request(telemetry: Telemetry, parts: Bench) -> None:
    with telemetry.tracers.get_tracer("web").start_as_current_span("GET /order"):
        PackBoxJob.perform_async()
    parts.run_all()


def failed_and_retried(telemetry: Telemetry, parts: Bench) -> None:
    PackBoxJob.perform_async("fails")
    parts.run_all()
    retry_all(parts.redis, parts)


def dropped(telemetry: Telemetry, parts: Bench) -> None:
    PackBoxJob.perform_async("is dropped")
    parts.run_all()


def pushed_in_bulk(telemetry: Telemetry, parts: Bench) -> None:
    PackBoxJob.perform_bulk([["done"], ["done"]])
    parts.run_all()


def fired_by_an_event(telemetry: Telemetry, parts: Bench) -> None:
    timetable = testing.loads(
        "from clock import configure, every\nfrom tests.contrib.test_opentelemetry import PackBoxJob\n"
        "configure(tz='UTC')\nevery().day.at('06:00').named('boxes').do(PackBoxJob)\n"
    )
    clock = FakeClock(datetime(2026, 11, 24, 5, 59, 50, tzinfo=UTC))
    ticker = Ticker(timetable, ledger=RedisLedger(parts.redis), clock=clock, signature=Signature("web1", "v1"))
    with telemetry.tracers.get_tracer("ops").start_as_current_span("the clock itself"):
        ticker.tick()
        clock.advance(timedelta(seconds=20))
        ticker.tick()
    parts.run_all()


CASES = [pushed_in_a_request, failed_and_retried, dropped, pushed_in_bulk, fired_by_an_event]


def test_the_traces_are_the_golden_ones(
    redis: Redis, bench: Callable[..., Bench], pytestconfig: pytest.Config
) -> None:
    parts, found = bench(), []
    for case in CASES:
        telemetry = Telemetry()
        ClockInstrumentor().instrument(tracer_provider=telemetry.tracers, meter_provider=telemetry.meters)
        try:
            case(telemetry, parts)
        finally:
            ClockInstrumentor().uninstrument()
        redis.flushall()
        found.append(f"{case.__name__}\n{drawn(telemetry.spans)}\n")
    if pytestconfig.getoption("--clock-update"):
        GOLDEN.write_text("\n".join(found))

    assert "\n".join(found) == GOLDEN.read_text()


def test_the_context_is_in_the_fields_that_ruby_reads(telemetry: Telemetry, redis: Redis) -> None:
    token = attach(baggage.set_baggage("tenant", "shop"))
    PackBoxJob.perform_async()
    detach(token)

    payload, [span] = pushed(redis), telemetry.spans
    assert str(payload["traceparent"]).startswith(f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-")
    assert payload["baggage"] == "tenant=shop"


@pytest.mark.parametrize("fields", [{}, {"traceparent": 7}, {"traceparent": "x", "baggage": ["y"]}])
def test_a_payload_of_another_client_is_run(
    telemetry: Telemetry, redis: Redis, bench: Callable[..., Bench], fields: dict[str, object]
) -> None:
    redis.lpush("queue:default", encode({"class": "PackBoxJob", "args": [], "jid": "a", **fields}))

    bench().run_all()

    [span] = telemetry.spans
    assert (span.name, span.parent) == ("process default", None)


def test_the_metrics_are_those_of_the_convention(telemetry: Telemetry, bench: Callable[..., Bench]) -> None:
    PackBoxJob.perform_async()
    PackBoxJob.perform_async("fails")
    bench().run_all()

    [sent] = telemetry.points("messaging.client.sent.messages")
    [consumed] = telemetry.points("messaging.client.consumed.messages")
    done, failed = sorted(
        telemetry.points("messaging.process.duration"), key=lambda point: "error.type" in point.attributes
    )
    assert (sent.value, consumed.value, done.count, failed.count) == (2, 2, 1, 1)
    assert done.attributes == {
        "messaging.system": "sidekiq",
        "messaging.operation.name": "process",
        "messaging.destination.name": "default",
    }
    assert failed.attributes["error.type"] == "RuntimeError"
    assert done.explicit_bounds[0] == 0.005


def test_the_push_of_many_jobs_is_a_span_with_links_to_the_jobs(telemetry: Telemetry, redis: Redis) -> None:
    PackBoxJob.perform_bulk([["done"]] * 200)

    *created, sent = telemetry.spans
    assert sent.name == "send default"
    assert sent.kind is trace.SpanKind.CLIENT
    assert dict(sent.attributes or {}) == {
        "messaging.system": "sidekiq",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "default",
        "messaging.batch.message_count": 200,
    }
    linked = {link.context.span_id for link in sent.links}
    assert len(linked) == MOST_LINKS
    assert linked <= {span.context.span_id for span in created}


def test_awaited_pushes_are_measured_too(telemetry: Telemetry, redis: Redis) -> None:
    async def push() -> None:
        await PackBoxJob.aperform_async()
        await PackBoxJob.aperform_bulk([["done"]] * 2_000)

    asyncio.run(push())

    assert redis.llen("queue:default") == 2_001
    [done] = telemetry.points("messaging.client.operation.duration")
    assert done.count == 2


def test_how_long_pushes_take_is_measured_with_their_errors(telemetry: Telemetry, redis: Redis) -> None:
    PackBoxJob.perform_async()
    redis.set("queue:low", "not a list")
    with pytest.raises(StoreError):
        PackBoxJob.set(queue="low").perform_bulk([["done"], ["done"]])

    done, failed = sorted(
        telemetry.points("messaging.client.operation.duration"), key=lambda point: "error.type" in point.attributes
    )
    assert (done.count, failed.count) == (1, 1)
    assert failed.attributes == {
        **done.attributes,
        "messaging.destination.name": "low",
        "error.type": "StoreError",
    }
    assert telemetry.spans[-1].status.status_code is trace.StatusCode.ERROR


def test_no_op_providers_add_nothing() -> None:
    before = client_middleware.entries, server_middleware.entries, type(carrier())

    ClockInstrumentor().instrument(tracer_provider=trace.NoOpTracerProvider(), meter_provider=NoOpMeterProvider())

    assert (client_middleware.entries, server_middleware.entries, type(carrier())) == before
    ClockInstrumentor().uninstrument()


def test_without_an_sdk_nothing_is_added_to_payloads(redis: Redis, bench: Callable[..., Bench]) -> None:
    ClockInstrumentor().instrument()
    try:
        PackBoxJob.perform_async()
        assert "traceparent" not in pushed(redis)
        assert bench().run_all() == 1
    finally:
        ClockInstrumentor().uninstrument()


def test_the_span_of_the_run_is_current_in_the_job(telemetry: Telemetry, bench: Callable[..., Bench]) -> None:
    seen: list[str] = []

    class LookAroundJob(Job):
        async def perform(self) -> None:
            span = trace.get_current_span()
            seen.append(span.name if isinstance(span, ReadableSpan) else "")

    LookAroundJob.perform_async()
    bench().run_all()

    assert seen == ["process default"]


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "clock.contrib.opentelemetry")
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ImportError, match="needs the package `opentelemetry-api`: pip install"):
        __import__("clock.contrib.opentelemetry")


@pytest.mark.process
def test_opentelemetry_instrument_finds_the_instrumentation() -> None:
    program = Path(sys.executable).parent / "opentelemetry-instrument"
    code = "from clock import server_middleware; print([entry.__qualname__ for entry in server_middleware][0])"

    done = subprocess.run([program, sys.executable, "-c", code], capture_output=True, text=True, timeout=120)

    assert done.stdout == "_Tracing.process\n", done.stderr


class SealBoxJob(PackBoxJob):
    unique = True


def test_the_push_of_a_unique_job_is_measured(telemetry: Telemetry, redis: Redis) -> None:
    SealBoxJob.perform_async()

    [done] = telemetry.points("messaging.client.operation.duration")
    assert (done.count, redis.llen("queue:default")) == (1, 1)


def test_an_event_without_its_due_instant_is_named_alone(
    telemetry: Telemetry, redis: Redis, bench: Callable[..., Bench]
) -> None:
    PackBoxJob.perform_async()
    payload = pushed(redis)
    redis.delete("queue:default")
    redis.lpush("queue:default", encode({**payload, "clock": {"event": "nightly"}}))

    bench().run_all()

    attributes = dict(telemetry.spans[-1].attributes or {})
    assert attributes["clock.event"] == "nightly"
    assert "clock.due" not in attributes


def test_without_a_tracer_pushes_are_measured_and_linked_to_nothing(redis: Redis) -> None:
    found = Telemetry()
    ClockInstrumentor().instrument(tracer_provider=trace.NoOpTracerProvider(), meter_provider=found.meters)
    try:
        PackBoxJob.perform_bulk([["done"]] * 3)
    finally:
        ClockInstrumentor().uninstrument()

    [done] = found.points("messaging.client.operation.duration")
    assert done.count == 1
    assert "traceparent" not in pushed(redis)


def test_an_sdk_that_is_set_up_after_the_instrumentation_is_used(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    ClockInstrumentor().instrument()
    try:
        PackBoxJob.perform_async()
        monkeypatch.setattr(trace, "_TRACER_PROVIDER", Telemetry().tracers)
        PackBoxJob.perform_async()
    finally:
        ClockInstrumentor().uninstrument()

    late, early = (json.loads(raw) for raw in redis.lrange("queue:default", 0, -1))
    assert ("traceparent" in late, "traceparent" in early) == (True, False)


def test_a_carrier_of_tests_and_an_application_without_middleware_are_left_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = Telemetry()
    monkeypatch.setattr(server_middleware, "entries", ())
    with testing.fake():
        mine = carrier()
        ClockInstrumentor().instrument(tracer_provider=found.tracers, meter_provider=found.meters)
        assert len(tuple(server_middleware)) == 1
        assert carrier() is mine
        ClockInstrumentor().uninstrument()
        assert carrier() is mine

    assert tuple(server_middleware) == ()


def test_a_propagator_may_list_the_fields_of_a_payload(telemetry: Telemetry, redis: Redis) -> None:
    assert _GETTER.keys({"class": "PackBoxJob", "jid": "a"}) == ["class", "jid"]
