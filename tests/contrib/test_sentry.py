"""The integration with the real SDK; a transport keeps its envelopes."""

import logging
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sentry_sdk
from redis import Redis
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.transport import Transport

from clock import Discard, Job, client_middleware, job, monitors, server_middleware, testing, worker_hooks
from clock.api import Schedules
from clock.contrib.sentry import ClockIntegration, _Describe, check_in, continue_trace, report_death, store_trace
from clock.inspection.events.schedules import with_schedules
from clock.job.payload import encode
from clock.monitors.clock_reports import MonitoredEvents, clock_reports
from clock.monitors.job_reports import reporting_jobs
from clock.monitors.sender import Senders
from clock.store.ledger.decision import Decision, DecisionKind
from clock.testing import FakeClock
from clock.timetable import Enqueue, with_rows
from tests.contrib.waiting_jobs import pushed, retry_all
from tests.worker.conftest import Bench

SECRET = "hunter2"  # noqa: S105  # it must not be sent


class Kept(Transport):
    """A transport that keeps the events of its envelopes."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.events: list[dict[str, Any]] = []

    def capture_envelope(self, envelope: Any) -> None:
        self.events += [item.payload.json for item in envelope.items if item.payload.json]


class FailWithSecretJob(Job):
    retry = 1

    def perform(self, password: str) -> None:
        self.logger.warning("about to fail")
        raise RuntimeError("no such user")


class ChargeSecretCardJob(Job):
    redact = ("card",)

    def perform(self, card: str, amount: int) -> None:
        raise RuntimeError("the bank is closed")


@job(retry=0)
def charge_all_cards(*cards: str) -> None:
    raise RuntimeError("the bank is closed")


class SayHelloJob(Job):
    def perform(self) -> None:
        logging.getLogger("shop").error("the printer is out of paper")


class SayHelloAsyncJob(Job):
    async def perform(self) -> None: ...


class BakeWithSentryJob(Job):
    retry = 1

    def perform(self, outcome: str) -> None:
        if outcome == "fails":
            raise RuntimeError("no flour")


class DropItJob(Job):
    def perform(self) -> None:
        raise Discard("not needed")


class OvenColdError(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        if not name.startswith("__"):
            raise AttributeError(name)
        super().__setattr__(name, value)


class HeatOvenJob(Job):
    retry = 0

    def perform(self, degrees: int) -> None:
        raise OvenColdError(degrees)


class GrindGrainJob(Job):
    retry = 0

    def perform(self, kilos: str) -> None:
        grind()


def grind() -> None:
    stone = "granite"
    raise RuntimeError(f"{stone} is broken")


class Sent:
    """What was sent to Sentry."""

    def __init__(self, transport: Kept) -> None:
        self._transport = transport

    @property
    def errors(self) -> list[dict[str, Any]]:
        return [event for event in self._transport.events if "type" not in event]

    @property
    def check_ins(self) -> list[dict[str, Any]]:
        return [event for event in self._transport.events if event.get("type") == "check_in"]

    @property
    def transactions(self) -> list[dict[str, Any]]:
        return [event for event in self._transport.events if event.get("type") == "transaction"]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Sent]]:
    """Start the SDK with the integration; it is removed after the test."""
    before = client_middleware.entries, server_middleware.entries
    monkeypatch.setattr(worker_hooks, "_death_handlers", [])

    def begin(capture: Any = "last", crons: bool = False, **options: Any) -> Sent:
        transport = Kept()
        sentry_sdk.init(
            dsn="https://key@sentry.invalid/1",
            release="1",  # else the SDK asks git
            transport=transport,
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=[ClockIntegration(capture, crons=crons), LoggingIntegration()],
            **{"traces_sample_rate": 1.0, **options},
        )
        ClockIntegration.setup_once()  # the SDK does it only for the first test
        return Sent(transport)

    yield begin
    sentry_sdk.get_client().close(timeout=0)
    sentry_sdk.get_global_scope().set_client(None)
    client_middleware.entries, server_middleware.entries = before


def test_a_run_continues_the_trace_of_its_push(
    start: Callable[..., Sent], redis: Redis, bench: Callable[..., Bench]
) -> None:
    sent = start()

    with sentry_sdk.start_transaction(op="http.server", name="/sign-up") as request:
        SayHelloJob.perform_async()
    headers = pushed(redis)["trace_propagation_headers"]
    bench().run_all()

    web, run = sent.transactions
    [publish] = web["spans"]
    [process] = run["spans"]
    trace = run["contexts"]["trace"]
    assert isinstance(headers, dict)
    assert headers["sentry-trace"].startswith(request.trace_id)
    assert headers["baggage"]
    assert (run["transaction"], trace["op"], trace["status"]) == ("SayHelloJob", "queue.task.clock", "ok")
    assert trace["trace_id"] == web["contexts"]["trace"]["trace_id"]
    assert trace["parent_span_id"] == publish["span_id"]
    assert (publish["op"], process["op"]) == ("queue.publish", "queue.process")
    assert publish["data"]["messaging.message.id"] == process["data"]["messaging.message.id"]
    assert process["data"]["messaging.destination.name"] == "default"
    assert process["data"]["messaging.message.retry.count"] == 0
    assert process["data"]["messaging.message.receive.latency"] >= 0


@pytest.mark.parametrize("fields", [{"sentry-trace": "a" * 32 + "-" + "b" * 16 + "-1"}, {"sentry-trace": 7}, {}])
def test_a_payload_of_another_client_is_run(
    start: Callable[..., Sent], redis: Redis, bench: Callable[..., Bench], fields: dict[str, object]
) -> None:
    sent = start()
    client_middleware.remove(store_trace)
    SayHelloJob.set(jid="x").perform_async()
    payload = pushed(redis)
    redis.delete("queue:default")

    redis.lpush("queue:default", encode({**payload, **fields}))

    bench().run_all()

    [run] = sent.transactions
    assert (run["contexts"]["trace"]["trace_id"] == "a" * 32) is (fields.get("sentry-trace") not in (None, 7))


def test_only_the_last_failure_is_reported(
    start: Callable[..., Sent], redis: Redis, bench: Callable[..., Bench]
) -> None:
    sent = start()
    parts = bench()
    FailWithSecretJob.perform_async(SECRET)
    parts.run_all()
    assert sent.errors == []

    retry_all(redis, parts)

    [error] = sent.errors
    assert error["exception"]["values"][-1]["type"] == "RuntimeError"
    assert error["exception"]["values"][-1]["mechanism"] == {"type": "clock", "handled": False}
    assert error["contexts"]["trace"]["trace_id"] == sent.transactions[-1]["contexts"]["trace"]["trace_id"]
    assert error["tags"]["clock.class"] == "FailWithSecretJob"
    assert error["transaction"] == "FailWithSecretJob"
    assert next(crumb["message"] for crumb in error["breadcrumbs"]["values"]) == "about to fail"
    assert [run["contexts"]["trace"]["status"] for run in sent.transactions] == ["internal_error"] * 2
    assert SECRET not in str(sent.errors) + str(sent.transactions)


@pytest.mark.filterwarnings("ignore:The send_default_pii option is deprecated")  # by versions with data_collection
def test_all_failures_are_reported_by_option(
    start: Callable[..., Sent], redis: Redis, bench: Callable[..., Bench]
) -> None:
    sent = start(capture="all", send_default_pii=True)
    parts = bench()
    FailWithSecretJob.perform_async(SECRET)

    parts.run_all()
    retry_all(redis, parts)

    assert [error["contexts"]["clock.job"]["retry_count"] for error in sent.errors] == [None, 0]
    assert sent.errors[0]["contexts"]["clock.job"]["args"] == [SECRET]


@pytest.mark.filterwarnings("ignore:The send_default_pii option is deprecated")
def test_arguments_in_redact_are_hidden_even_if_personal_data_may_be_sent(
    start: Callable[..., Sent], bench: Callable[..., Bench]
) -> None:
    sent = start(capture="all", send_default_pii=True)
    ChargeSecretCardJob.perform_async(SECRET, 4711)

    bench().run_all()

    [error] = sent.errors
    [*_, frame] = error["exception"]["values"][-1]["stacktrace"]["frames"]
    assert frame["vars"]["amount"] == "4711"
    assert SECRET not in str(sent.errors) + str(sent.transactions)


def test_arguments_of_a_job_function_are_hidden_too(
    start: Callable[..., Sent], bench: Callable[..., Bench]
) -> None:
    sent = start()
    charge_all_cards.perform_async(SECRET)

    bench().run_all()

    assert len(sent.errors) == 1
    assert SECRET not in str(sent.errors) + str(sent.transactions)


def test_what_is_no_failure_is_not_reported(start: Callable[..., Sent], bench: Callable[..., Bench]) -> None:
    sent = start(capture="all")
    DropItJob.perform_async()
    SayHelloAsyncJob.perform_async()

    bench().run_all()

    assert sent.errors == []
    assert [run["contexts"]["trace"]["status"] for run in sent.transactions] == ["cancelled", "ok"]


def test_a_job_that_cannot_run_is_reported_once(
    start: Callable[..., Sent], redis: Redis, bench: Callable[..., Bench]
) -> None:
    sent = start()
    redis.sadd("queues", "default")
    redis.lpush("queue:default", "{nonsense")

    bench().run_all()

    [error] = sent.errors
    assert error["exception"]["values"][-1]["type"] == "UnreadablePayload"


@pytest.mark.filterwarnings("ignore:The send_default_pii option is deprecated")
def test_a_job_whose_arguments_are_no_list_is_reported_with_its_text(
    start: Callable[..., Sent], redis: Redis, bench: Callable[..., Bench]
) -> None:
    sent = start(send_default_pii=True)
    redis.sadd("queues", "default")
    redis.lpush("queue:default", encode({"class": "SayHelloJob", "args": {"a": 1}, "jid": "odd"}))

    bench().run_all()

    [error] = sent.errors
    assert "odd" in error["contexts"]["clock.job"]["args"][0]


def test_an_error_that_takes_no_attributes_is_reported_without_the_scopes_of_its_run(
    start: Callable[..., Sent], bench: Callable[..., Bench]
) -> None:
    sent = start()
    HeatOvenJob.perform_async(20)

    bench().run_all()

    [error] = sent.errors
    assert error["exception"]["values"][-1]["type"] == "OvenColdError"
    assert error["tags"]["clock.class"] == "HeatOvenJob"


def test_the_variables_of_functions_that_a_job_calls_are_kept(
    start: Callable[..., Sent], bench: Callable[..., Bench]
) -> None:
    sent = start()
    GrindGrainJob.perform_async(SECRET)

    bench().run_all()

    [error] = sent.errors
    *_, perform, called = error["exception"]["values"][-1]["stacktrace"]["frames"]
    assert called["vars"] == {"stone": "'granite'"}
    assert "kilos" not in perform["vars"]
    assert SECRET not in str(sent.errors)


def test_an_error_of_a_run_of_an_event_names_the_event(
    start: Callable[..., Sent], redis: Redis, bench: Callable[..., Bench]
) -> None:
    sent = start()
    GrindGrainJob.perform_async("1")
    payload = pushed(redis)
    redis.delete("queue:default")
    redis.lpush("queue:default", encode({**payload, "clock": {"event": "nightly", "due": 1}}))

    bench().run_all()

    [error] = sent.errors
    assert error["tags"]["clock.event"] == "nightly"


def test_tags_that_the_application_gives_as_pairs_stay_as_they_are() -> None:
    event = {"tags": [["shop", "bread"]]}

    assert _Describe({"class": "SayHelloJob"}, "default", None)(event, {})["tags"] == [["shop", "bread"]]


def test_a_death_without_a_failure_or_without_the_sdk_is_not_reported(start: Callable[..., Sent]) -> None:
    sent = start()

    report_death({"class": "SayHelloJob"}, Discard("not needed"))
    sentry_sdk.get_global_scope().set_client(None)
    report_death({"class": "SayHelloJob"}, RuntimeError("no flour"))

    assert sent.errors == []


def test_the_middleware_is_the_only_one_of_an_application_without_others(
    start: Callable[..., Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_middleware, "entries", ())

    start()

    assert tuple(server_middleware) == (continue_trace,)


def test_the_lines_of_jobs_are_reported_as_the_sdk_does(
    start: Callable[..., Sent], bench: Callable[..., Bench]
) -> None:
    sent = start()
    SayHelloJob.set(jid="hello").perform_async()

    bench().run_all()

    [error] = sent.errors
    assert error["logentry"]["message"] == "the printer is out of paper"
    assert error["tags"]["clock.jid"] == "hello"


def test_nothing_is_sent_before_the_sdk_is_started(redis: Redis, bench: Callable[..., Bench], start: Any) -> None:
    ClockIntegration.setup_once()
    SayHelloJob.perform_async()

    assert "trace_propagation_headers" not in pushed(redis)
    assert bench().run_all() == 1


def test_a_wrong_option_and_a_missing_package_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="capture is 'first'; it must be 'last' or 'all'"):
        ClockIntegration("first")  # type: ignore[arg-type]  # that is the point

    monkeypatch.delitem(sys.modules, "clock.contrib.sentry")
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    with pytest.raises(ImportError, match="needs the package `sentry-sdk`: pip install"):
        __import__("clock.contrib.sentry")


def test_the_middleware_is_added_once_and_outermost(start: Callable[..., Sent], fake_clock: FakeClock) -> None:
    start()
    ClockIntegration.setup_once()

    assert [entry for entry in server_middleware if entry is continue_trace] == [server_middleware.entries[0]]
    assert worker_hooks._death_handlers == [report_death]


@pytest.fixture
def crons(
    start: Callable[..., Sent], monkeypatch: pytest.MonkeyPatch, fake_clock: FakeClock
) -> Iterator[tuple[Sent, MonitoredEvents]]:
    """The SDK with its check-ins, in a process that reports as a clock and a worker do; and a timetable."""
    monkeypatch.setattr(monitors, "VARIABLES", ())
    sent = start(crons=True)
    timetable = testing.loads(
        "from clock import every\nfrom tests.contrib.test_sentry import BakeWithSentryJob\n"
        "every().day.at('06:00', 'Europe/Berlin').named('bread').monitor(max_runtime=7200)"
        ".do(BakeWithSentryJob, 'done')\n"
        "every(6).hours.named('news').monitor().do(print)\n"
    )
    with reporting_jobs({}, fake_clock):
        yield sent, MonitoredEvents(timetable, datetime(2026, 1, 1, tzinfo=UTC), defines=True)
    monitors.listeners.remove(check_in)


DEFINITION = {
    "schedule": {"type": "crontab", "value": "0 6 * * *"},
    "timezone": "Europe/Berlin",
    "checkin_margin": 5,
    "max_runtime": 120,
}


@pytest.mark.parametrize(
    ("outcome", "statuses"), [("done", ["in_progress", "ok"]), ("fails", ["in_progress", "error"])]
)
def test_a_run_of_a_monitored_event_is_one_check_in_with_its_retries(
    crons: tuple[Sent, MonitoredEvents],
    redis: Redis,
    bench: Callable[..., Bench],
    outcome: str,
    statuses: list[str],
) -> None:
    sent, monitored = crons
    prepared = monitored.timetable.event("bread").action
    assert isinstance(prepared, Enqueue)

    prepared.job.perform_async(outcome)
    parts = bench()
    parts.run_all()
    retry_all(redis, parts)

    assert [one["status"] for one in sent.check_ins] == statuses
    assert {(one["monitor_slug"], len(one["check_in_id"])) for one in sent.check_ins} == {("bread", 32)}
    assert len({one["check_in_id"] for one in sent.check_ins}) == 1
    assert all(one["monitor_config"] == DEFINITION for one in sent.check_ins)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (DecisionKind.FIRED, "ok"),
        (DecisionKind.ERROR, "error"),
        (DecisionKind.MISSED, "error"),
        (DecisionKind.PAUSED, "ok"),
        (DecisionKind.REFUSED, "ok"),
        (DecisionKind.OVERLAP, "ok"),
    ],
)
def test_what_the_clock_decides_is_a_check_in(
    crons: tuple[Sent, MonitoredEvents], fake_clock: FakeClock, kind: DecisionKind, status: str
) -> None:
    sent, monitored = crons

    clock_reports(monitored, Senders([], fake_clock).put)(Decision("news", "", 0, 1, kind))

    [one] = sent.check_ins
    assert (one["monitor_slug"], one["status"]) == ("news", status)
    assert one["monitor_config"]["schedule"] == {"type": "interval", "value": 360, "unit": "minute"}


ROWS = """
from datetime import timedelta
from clock import sync_events
from tests.contrib.test_sentry import BakeWithSentryJob
rows = [
    {"name": "rolls", "cron": "0 7 * * *", "args": ["done"], "monitor": {"slug": "oven", "grace": 120}},
    {"name": "plain", "cron": "0 7 * * *", "args": ["done"]},
]
sync_events(lambda: rows, every=timedelta(minutes=1), do=BakeWithSentryJob)
"""


def test_events_of_rows_and_schedules_carry_their_definition_also_when_they_are_edited(
    crons: tuple[Sent, MonitoredEvents], redis: Redis, bench: Callable[..., Bench], fake_clock: FakeClock
) -> None:
    sent, _ = crons
    rows = testing.loads(ROWS)
    stored = Schedules(redis=redis)
    stored.put("cake", job=BakeWithSentryJob, args=["done"], cron="0 9 * * *", monitor=True)
    monitored = MonitoredEvents(with_schedules(rows, redis), fake_clock.now(), defines=True)
    note = clock_reports(monitored, Senders([], fake_clock).put)

    def schedules() -> dict[str, Any]:
        """What the check-ins of one run of each event, and of a missed one, carry."""
        begin = len(sent.check_ins)
        for event in with_rows(monitored.timetable).events:
            assert isinstance(event.action, Enqueue)
            event.action.job.perform_async("done")
            note(Decision(event.name, "", 0, 1, DecisionKind.MISSED))
        bench().run_all()
        found = sent.check_ins[begin:]
        assert [one["monitor_slug"] for one in found].count("oven") == 3
        return {one["monitor_slug"]: one["monitor_config"]["schedule"]["value"] for one in found}

    assert schedules() == {"oven": "0 7 * * *", "cake": "0 9 * * *"}
    rows.names["rows"][0]["cron"] = "30 7 * * *"  # type: ignore[index]
    stored.put("cake", job=BakeWithSentryJob, args=["done"], cron="30 9 * * *", monitor=True)
    assert schedules() == {"oven": "30 7 * * *", "cake": "30 9 * * *"}
    margins = {one["monitor_slug"]: one["monitor_config"]["checkin_margin"] for one in sent.check_ins}
    assert margins == {"oven": 2, "cake": 5}


def test_no_run_is_reported_twice(
    crons: tuple[Sent, MonitoredEvents], monkeypatch: pytest.MonkeyPatch, fake_clock: FakeClock
) -> None:
    sent, monitored = crons
    put = Senders([], fake_clock).put
    ClockIntegration(crons=True)  # a second integration adds no second listener

    clock_reports(monitored, put)(Decision("news", "", 0, 1, DecisionKind.FIRED))
    monkeypatch.setenv("CLOCK_SENTRY_CRONS_DSN", "https://public@sentry.invalid/12")  # the clock sends them itself
    clock_reports(monitored, put)(Decision("news", "", 1, 2, DecisionKind.FIRED))
    clock_reports(monitored, put)(Decision("bread", "", 2, 3, DecisionKind.FIRED))

    assert len(sent.check_ins) == 1
