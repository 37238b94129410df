"""Monitors: what is sent, and a rehearsed year against servers that behave as the providers document."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from redis import Redis

from clock import Discard, IterableJob, Job, monitors, server_middleware, testing, worker_hooks
from clock.cli.app import cli
from clock.clocks import SystemClock
from clock.errors import ConfigurationError, DeclarationError
from clock.monitors.clock_reports import MonitoredEvents, clock_reports
from clock.monitors.job_reports import report_jobs
from clock.monitors.providers import Healthchecks, Report, Request, providers_in
from clock.monitors.sender import WAITING, Refused, Sender, Senders, send
from clock.monitors.sync import sync
from clock.store.ledger.decision import Decision, DecisionKind
from clock.testing import FakeClock
from clock.timetable import Event, Timetable, schedule_for_monitor, with_rows
from tests.monitors.fake_providers import FakeProviders
from tests.patience import eventually
from tests.worker.conftest import Bench

pytestmark = pytest.mark.usefixtures("log_as_before")  # a command sets the log up

ENVIRONMENT = {
    "HEALTHCHECKS_PING_KEY": "ping-key",
    "HEALTHCHECKS_API_KEY": "api-key",
    "CRONITOR_API_KEY": "cronitor-key",
    "CLOCK_SENTRY_CRONS_DSN": "https://public@sentry.invalid/12",
}
START = datetime(2026, 1, 1, tzinfo=UTC)


class BakeRollsJob(Job):
    retry = 1

    def perform(self, outcome: str = "done") -> None:
        if outcome == "fails":
            raise RuntimeError("no flour")
        if outcome == "is dropped":
            raise Discard("not needed")
        if outcome == "is cancelled":
            self.context.state.cancel()
            self.check()


def loads(*lines: str) -> Timetable:
    head = "from datetime import timedelta\nfrom clock import configure, cron, every, rrule, sync_events\n"
    return testing.loads(
        head
        + "from tests.monitors.test_monitors import BakeRollsJob\nconfigure(tz='Europe/Berlin')\n"
        + "\n".join(lines)
    )


YEAR = (
    "every().day.at('06:00').named('bread').monitor().do(BakeRollsJob)",
    "every().weekday.at('09:00').named('rolls').except_on('DE-BY').monitor().do(BakeRollsJob)",
    "cron('0 8,10 * * mon-sat').named('oven').monitor(grace=timedelta(minutes=2)).do(BakeRollsJob)",
    "every().day.at('02:30').named('night').monitor().do(print)",
    "every(6).hours.named('news').monitor().do(BakeRollsJob)",
    "every().sunday.at('08:00').named('cake').if_(lambda due: due.day < 8).monitor().do(print)",
    "every().day.at('12:00').named('lunch').jitter(timedelta(minutes=20)).monitor().do(BakeRollsJob)",
    "every().month.on(1).at('00:00').named('bill').monitor().do(print)",
)


def rehearsed(
    timetable: Timetable, servers: FakeProviders, downtime: list[tuple[datetime, datetime]], days: int = 365
) -> None:
    """Some days of the clock and of a worker that takes a minute for each job, reported to the servers."""
    providers = providers_in(ENVIRONMENT)
    servers.now = START.timestamp()
    assert [one.problem for one in sync(timetable, providers, START, send=servers.receive)].count("") == 24
    end = START + timedelta(days=days)
    history = testing.run(timetable, start_time=START, end_time=end, downtime=downtime)
    reports: list[tuple[float, Report]] = []
    monitored = MonitoredEvents(timetable, START, defines=False)
    for decision in history.decisions:
        at = decision.due_ms / 1000
        if decision.kind in (DecisionKind.MISSED, DecisionKind.CAUGHT_UP):
            at = next(
                until.timestamp() for since, until in downtime if since.timestamp() < at <= until.timestamp()
            )
        given: list[Report] = []
        clock_reports(monitored, given.append)(decision)
        reports += [(at, report) for report in given]
        event = timetable.event(decision.event)
        if event.enqueues and event.monitor and decision.kind in (DecisionKind.FIRED, DecisionKind.CAUGHT_UP):
            run = f"{event.name}{decision.due_ms}"
            reports += [
                (at, Report(event.monitor.slug, "start", run)),
                (at + 60, Report(event.monitor.slug, "success", run)),
            ]
    for at, report in sorted(reports, key=lambda entry: entry[0]):
        servers.pass_time(at)
        for provider in providers:
            servers.receive(provider.report(report))
    servers.pass_time(end.timestamp())


@pytest.mark.slow
def test_a_rehearsed_year_raises_no_false_alarm() -> None:
    servers = FakeProviders()

    rehearsed(loads(*YEAR), servers, [])

    assert servers.alarms == []
    assert len(servers.seen) > 10_000


@pytest.mark.slow
def test_each_injected_miss_raises_an_alarm_within_its_grace() -> None:
    servers, timetable = FakeProviders(), loads(*YEAR)
    first = datetime(2026, 2, 1, 0, 10, tzinfo=UTC), datetime(2026, 2, 1, 9, 0, tzinfo=UTC)  # a Sunday
    second = datetime(2026, 3, 4, 4, 0, tzinfo=UTC), datetime(2026, 3, 4, 13, 30, tzinfo=UTC)  # a Wednesday

    rehearsed(timetable, servers, [first, second], days=100)

    missed = {
        "bread": [first, second],
        "night": [first],
        "oven": [second],
        "rolls": [second],
        "news": [first, second],
    }
    for slug, times in missed.items():
        event = timetable.event(slug)
        for since, until in times:
            for provider in ("healthchecks", "cronitor", "sentry"):
                alarms = [at for who, name, at in servers.alarms if (who, name) == (provider, slug)]
                inside = [at for at in alarms if since.timestamp() < at <= until.timestamp()]
                assert inside, (provider, slug)
                schedule = schedule_for_monitor(event, START)
                if schedule and schedule.cron and event.monitor:
                    [due, *_] = map(datetime.timestamp, _dues(event, since, until))
                    assert inside[0] <= due + servers.checks[provider, slug].grace + 1
    outside = [
        (who, slug, at)
        for who, slug, at in servers.alarms
        if not any(since.timestamp() < at <= until.timestamp() for since, until in (first, second))
    ]
    assert outside == []


def _dues(event: Any, since: datetime, until: datetime) -> list[datetime]:
    found = event.due_between(int(since.timestamp()), int(until.timestamp()), anchor=START)
    return [datetime.fromtimestamp(due, UTC) for due in found]


def test_a_wrong_monitor_is_refused_with_its_line() -> None:
    with pytest.raises(
        DeclarationError, match=r"clock.py:5: .print.*: monitor is .*'Not A Slug'.*it must be True, a slug of a-z"
    ):
        loads("every().day.monitor('Not A Slug').do(print)")
    with pytest.raises(DeclarationError, match=r"grace is .*it must be at least a minute"):
        loads("every().day.monitor(grace=timedelta(seconds=5)).do(print)")


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Report]]:
    """What a worker reports."""
    before = server_middleware.entries
    monkeypatch.setattr(worker_hooks, "_death_handlers", [])
    found: list[Report] = []
    report_jobs(found.append)
    yield found
    server_middleware.entries = before


@pytest.mark.parametrize(
    ("outcome", "states"),
    [
        ("done", ["start", "success"]),
        ("is dropped", ["start", "success"]),
        ("is cancelled", ["start", "success"]),
        ("fails", ["start", "failure"]),
    ],
)
def test_a_worker_reports_a_run_once_with_its_retries(
    reports: list[Report], redis: Redis, bench: Callable[..., Bench], outcome: str, states: list[str]
) -> None:
    parts = bench()
    BakeRollsJob.set(fields={"clock_monitor": "bread"}).perform_async(outcome)
    BakeRollsJob.perform_async()  # of no event

    parts.run_all()
    for text in redis.zrange("retry", 0, -1):
        assert isinstance(text, bytes)
        redis.lpush("queue:default", text)
    parts.run_all()

    assert [report.state for report in reports] == states
    assert len({report.run for report in reports}) == 1
    assert reports[0].slug == "bread"


def test_the_job_of_a_monitored_event_carries_the_monitor() -> None:
    [event] = loads("every().day.at('06:00').named('bread').monitor().do(BakeRollsJob, 'done')").events

    assert event.prepared is not None
    assert json.loads(event.prepared.text("bread", 0, None, "j", "1"))["x_clock_monitor"] == "bread"
    assert str(event.action) == "BakeRollsJob('done')"


def test_requests_reach_a_server_and_a_refusal_is_told_apart(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[tuple[str, str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name is http.server's
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            seen.append((self.command, self.path, body))
            self.send_response(404 if "gone" in self.path else 503 if "busy" in self.path else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        sender = Sender(Healthchecks(f"http://127.0.0.1:{server.server_port}/key", "", ""), SystemClock())
        sender.put(Report("gone", "success", "1"))
        sender.put(Report("bread", "failure", "2", message="RuntimeError"))
        eventually(lambda: len(seen) == 2, "two requests")
        sender.stop()
        with pytest.raises(Refused, match="HTTP 404"):
            send(Request("POST", f"http://127.0.0.1:{server.server_port}/gone"))
        with pytest.raises(OSError, match="HTTP 503"):  # worth another try
            send(Request("POST", f"http://127.0.0.1:{server.server_port}/busy"))
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)

    assert seen[1][1].startswith("/key/bread/fail?rid=")
    assert seen[1][2] == b"RuntimeError"
    assert "healthchecks gone refused a report: HTTP 404" in caplog.text


def test_a_provider_that_is_down_costs_nothing_and_the_oldest_reports_are_dropped() -> None:
    released, sent = threading.Event(), []

    def hang(request: Request) -> None:
        released.wait(60)
        sent.append(request)

    sender = Sender(Healthchecks("http://x", "", ""), SystemClock(), send=hang)
    for number in range(WAITING + 51):
        sender.put(Report(f"n{number}", "success", str(number)))

    assert sender.dropped in (50, 51)  # one may be on its way already
    released.set()
    eventually(lambda: len(sent) >= WAITING, "the reports that wait")
    sender.stop()
    assert f"/n{WAITING + 50}?" in sent[-1].url


def test_sync_shows_what_it_would_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "clock.py"
    file.write_text(
        "from clock import configure, every\nconfigure(tz='UTC')\nevery().day.named('a').at('06:00')"
        ".monitor().do(print)\n"
    )
    monkeypatch.chdir(tmp_path)

    none = CliRunner().invoke(cli, ["monitors", "sync", "clock.py"], env={})
    shown = CliRunner().invoke(cli, ["monitors", "sync", "clock.py", "--dry-run"], env=ENVIRONMENT)
    as_json = CliRunner().invoke(cli, ["monitors", "sync", "clock.py", "--dry-run", "--json"], env=ENVIRONMENT)

    assert isinstance(none.exception, ConfigurationError)
    assert "Set one of HEALTHCHECKS_PING_KEY, CRONITOR_API_KEY" in str(none.exception)
    assert [line.split()[0] for line in shown.output.splitlines()] == ["healthchecks", "cronitor", "sentry"]
    assert "0 6 * * * (UTC)  would be set" in shown.output
    assert json.loads(as_json.output)[0]["cron"] == "0 6 * * *"


def test_one_slug_is_for_one_event() -> None:
    timetable = loads(
        "every().day.named('a').monitor('x').do(print)", "every().week.named('b').monitor('x').do(print)"
    )

    with pytest.raises(ConfigurationError, match="'b' and 'a' have the same monitor 'x'"):
        list(sync(timetable, providers_in(ENVIRONMENT), START, dry_run=True))


@pytest.mark.parametrize(
    "environment", [{"CLOCK_SENTRY_CRONS_DSN": "https://x/y"}, {"CLOCK_MONITOR_WEBHOOK": "file:///etc/passwd"}]
)
def test_an_invalid_provider_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=f"{next(iter(environment))} is invalid"):
        providers_in(environment)


def test_a_webhook_gets_each_report() -> None:
    servers = FakeProviders()
    [webhook] = providers_in({"CLOCK_MONITOR_WEBHOOK": "https://example.invalid/hook"})

    servers.receive(webhook.report(Report("bread", "miss", "1", "bread", 5, "too late")))

    assert servers.posted[0]["state"] == "miss"


def test_a_listener_that_raises_affects_no_job_and_no_other_listener(
    fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Report] = []

    def refuse(report: Report) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr("clock.monitors.sender.listeners", [refuse, heard.append])

    Senders([], fake_clock).put(Report("nightly", "success", "1"))

    assert [report.slug for report in heard] == ["nightly"]
    assert "A listener of monitors failed" in caplog.text


def test_events_of_deleted_rows_are_dropped_and_those_of_the_read_before_are_still_reported() -> None:
    timetable = loads("sync_events(lambda: rows, every=timedelta(minutes=1), do=BakeRollsJob)", "rows = []")
    rows: list[dict[str, object]] = timetable.names["rows"]  # type: ignore[assignment]
    monitored = MonitoredEvents(timetable, START, defines=False)

    def reported(*names: str) -> list[str | None]:
        """Read the rows, and note a missed run of each of them."""
        rows[:] = [{"name": name, "cron": "0 6 * * *", "monitor": True} for name in names]
        with_rows(monitored.timetable)
        given: list[Report] = []
        for name in ("bread", "rolls"):
            clock_reports(monitored, given.append)(Decision(name, "", 0, 1, DecisionKind.MISSED))
        return [report.event for report in given]

    assert reported("bread") == ["bread"]
    assert reported("rolls") == ["bread", "rolls"]  # the ticker may still run it
    assert reported("rolls") == ["rolls"]
    assert reported() == ["rolls"]
    assert reported() == []


@pytest.mark.parametrize(
    ("file", "environment"),
    [
        ("every().day.named('a').monitor().do(print)", {"HEALTHCHECKS_PING_KEY": "k"}),
        ("every().day.named('a').monitor().do(print)", {"CLOCK_MONITOR_WEBHOOK": "https://example.invalid/hook"}),
        ("every().day.named('a').do(print)", ENVIRONMENT),
    ],
)
def test_sync_names_what_is_missing_if_there_is_nothing_to_set_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, environment: dict[str, str]
) -> None:
    (tmp_path / "clock.py").write_text(f"from clock import every\n{file}\n")
    monkeypatch.chdir(tmp_path)

    shown = CliRunner().invoke(cli, ["monitors", "sync", "clock.py"], env=environment)

    assert shown.exit_code == 0
    assert "add .monitor() to events; healthchecks.io also needs HEALTHCHECKS_API_KEY" in shown.output


def test_sync_exits_1_if_a_provider_cannot_be_reached_and_shows_a_period_in_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clock.py").write_text("from clock import every\nevery(10).minutes.monitor().do(print)\n")
    monkeypatch.chdir(tmp_path)
    away = {"CRONITOR_API_KEY": "k", "CRONITOR_API_URL": "http://127.0.0.1:1"}

    shown = CliRunner().invoke(cli, ["monitors", "sync", "clock.py", "--json"], env=away)

    [one] = json.loads(shown.output)
    assert shown.exit_code == 1
    assert one["seconds"] == 600
    assert one["problem"].startswith("not reached: URLError: ")


def test_a_refused_definition_is_a_problem_of_its_monitor_alone() -> None:
    asked: list[Request] = []

    def refuse_first(request: Request) -> None:
        asked.append(request)
        if len(asked) == 1:
            raise Refused("HTTP 401")

    timetable = loads("every().day.named('a').monitor().do(print)")

    found = list(sync(timetable, providers_in(ENVIRONMENT), START, send=refuse_first))

    assert [one.problem for one in found] == ["refused: HTTP 401", "", ""]


def test_a_report_that_is_not_answered_is_sent_again_twice(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[str] = []

    def fail(request: Request) -> None:
        sent.append(request.url.partition("?")[0])
        if request.url.startswith("http://x/bread") and len(sent) == 2:
            return
        raise OSError("HTTP 503")

    class QuickClock(SystemClock):
        def wait(self, stop: threading.Event, seconds: float) -> bool:
            return super().wait(stop, 0.001)

    sender = Sender(Healthchecks("http://x", "", ""), QuickClock(), send=fail)
    sender.put(Report("bread", "success", "1"))
    sender.put(Report("rolls", "success", "2"))
    eventually(lambda: len(sent) == 5, "all tries")
    sender.stop()

    assert sent == ["http://x/bread"] * 2 + ["http://x/rolls"] * 3
    assert "healthchecks rolls did not get a report: OSError" in caplog.text
    assert "bread" not in caplog.text


@pytest.mark.parametrize(
    ("decision", "told"),
    [
        (
            Decision("bread", "", 0, 1, DecisionKind.REFUSED, {"reason": "rain"}),
            ("success", "refused: rain"),
        ),
        (Decision("bread", "", 0, 1, DecisionKind.MISSED, {}), ("miss", "missed: ")),
        (Decision("bread", "", 0, 1, DecisionKind.ERROR, {"reason": "oven"}), ("failure", "error: oven")),
        (Decision("bread", "", 0, 1, DecisionKind.FIRED, {}), ("success", "")),
        (Decision("unmonitored", "", 0, 1, DecisionKind.FIRED, {}), None),
        (Decision("gone", "", 0, 1, DecisionKind.FIRED, {}), None),
    ],
)
def test_a_decision_of_a_monitored_event_is_reported(decision: Decision, told: tuple[str, str] | None) -> None:
    timetable = loads(
        "every().day.named('bread').monitor().do(print)", "every().day.named('unmonitored').do(print)"
    )
    found: list[Report] = []

    clock_reports(MonitoredEvents(timetable, START, defines=False), found.append)(decision)

    assert [(report.state, report.message) for report in found] == ([told] if told else [])


class RestDoughJob(IterableJob):
    def items(self, *, cursor: int | None) -> Iterator[tuple[int, int]]:
        for number in range((cursor or 0) + 1, 3):
            yield number, number

    def each(self, number: int) -> None:
        for call in resting:
            call(number)


resting: list[Callable[[int], object]] = []


def test_an_iterating_job_that_continues_later_has_not_succeeded_yet(
    reports: list[Report], redis: Redis, bench: Callable[..., Bench]
) -> None:
    parts = bench()
    RestDoughJob.set(fields={"clock_monitor": "dough"}).perform_async()
    resting[:] = [lambda _: parts.fetcher.claims.stopped.set()]

    parts.processor.process(parts.take())
    stopped = [report.state for report in reports]
    resting.clear()
    bench("host:2:def").run_all()

    assert stopped == ["start"]
    assert reports[-1].state == "success"


def test_the_death_of_a_job_without_a_monitor_is_not_reported(
    reports: list[Report], redis: Redis, bench: Callable[..., Bench]
) -> None:
    BakeRollsJob.set(retry=0).perform_async("fails")

    bench().run_all()

    assert reports == []
    assert redis.zcard("dead") == 1


def test_all_providers_and_listeners_get_each_report(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[str] = []

    def fail(_: Report) -> None:
        raise RuntimeError("listener")

    monkeypatch.setattr(monitors, "listeners", [fail, lambda report: heard.append(report.slug)])
    monkeypatch.setattr("clock.monitors.sender.listeners", monitors.listeners)
    senders = Senders(providers_in({"CLOCK_MONITOR_WEBHOOK": "http://127.0.0.1:1"}), SystemClock())

    senders.put(Report("bread", "success", "1"))
    senders.stop()

    assert heard == ["bread"]
    assert "webhook bread did not get a report" in caplog.text
    assert "A listener of monitors failed; no other report is affected" in caplog.text


def test_a_provider_without_a_report_has_no_thread_to_stop() -> None:
    Senders(providers_in(ENVIRONMENT), SystemClock()).stop()


def test_a_definition_is_made_once_for_each_schedule_and_only_so_many_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("clock.monitors.clock_reports.MOST_DEFINITIONS", 1)
    timetable = loads(
        "every().day.named('bread').monitor().do(print)",
        "every().week.named('rolls').monitor().do(print)",
        "rrule('FREQ=DAILY;UNTIL=20200101T000000Z', 'UTC').named('over').monitor().do(print)",
        "every().day.named('plain').do(print)",
    )

    found = MonitoredEvents(timetable, START, defines=True)

    assert len(found._definitions) == 1
    monitors = [event.monitor for event in found.timetable.events]
    assert [one and bool(one.definition) for one in monitors] == [True, True, False, None]
    asked: list[Event] = []
    monkeypatch.setattr("clock.monitors.clock_reports.schedule_for_monitor", lambda event, _: asked.append(event))
    for _ in range(2):
        found._defined(timetable.event("bread"))
    assert len(asked) == 1
