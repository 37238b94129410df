"""The clock as a whole, on a thread: what it logs, who leads, and how it ends."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from redis import Redis

from clock.clocks import Correction, ServerClock, to_ms
from clock.errors import StoreError
from clock.store import keys
from clock.store.ledger import timetable_changes
from clock.store.ledger.clock_register import AboutClock, ClockRegister
from clock.store.server.checks.permissions import SelfCheck
from clock.testing import FakeClock
from clock.ticker import ClockIdentity, ClockProcess, Release
from clock.ticker.clock_process import GRACE_SECONDS, NAMED
from clock.timetable import Timetable
from tests.patience import PATIENCE_SECONDS, eventually
from tests.ticker import jobs

Declare = Callable[..., Timetable]
SECOND = timedelta(seconds=1)
SLOW = "from tests.ticker.jobs import slow\n"
DAILY = """
every().day.at("06:00").do(FetchNewsJob, "news").named("daily")
every().day.until("2020-01-01").do(FetchNewsJob, "old").named("over")
"""


class Running:
    """Clock processes on threads, and what they called when they were stuck."""

    def __init__(self, redis: Redis, clock: FakeClock) -> None:
        self._redis = redis
        self._clock = clock
        self._threads: list[tuple[ClockProcess, threading.Thread]] = []
        self.stuck: list[str] = []

    def new(self, timetable: Timetable, name: str = "web1") -> ClockProcess:
        about = AboutClock(
            name, 1, "v1", started_at=to_ms(self._clock.now()), events=len(timetable.events), skew_ms=0
        )
        return ClockProcess(
            timetable,
            self._redis,
            lease_redis=self._redis,
            identity=ClockIdentity(f"{name}:1:a", Release("v1", 1), about),
            machine=self._clock,
            on_stuck=lambda: self.stuck.append(name),
        )

    def start(self, timetable: Timetable, name: str = "web1") -> ClockProcess:
        process = self.new(timetable, name)
        thread = threading.Thread(target=process.run, daemon=True)
        thread.start()
        self._threads.append((process, thread))
        eventually(lambda: ClockRegister(self._redis).living(self._clock.now()).get(f"{name}:1:a"), "a heartbeat")
        return process

    def end(self) -> None:
        for process, thread in self._threads:
            process.stop(0)
            thread.join(PATIENCE_SECONDS)
        assert not any(thread.is_alive() for _, thread in self._threads)


@pytest.fixture
def running(redis: Redis, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr(ServerClock, "correct", lambda *_: Correction())  # Redis's time does not follow the test's
    running = Running(redis, fake_clock)
    yield running
    running.end()


def test_a_clock_logs_its_start_and_its_end_and_leaves_nothing_behind(
    declare: Declare, running: Running, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "clock.clock")

    process = running.start(declare(DAILY))
    led = process.leads
    running.end()

    assert led
    assert caplog.messages[0] == "Starting clock for 2 events: [ daily over ]"
    assert caplog.messages[-2:] == ["Released leadership", "Stopped"]
    assert running.stuck == []
    assert not redis.exists(keys.LEASE, keys.CLOCKS)


def test_a_clock_records_its_file_for_the_dashboard_only_while_it_leads(
    declare: Declare, running: Running, redis: Redis
) -> None:
    process = running.new(declare(DAILY))

    on_standby = process._record_timetable()
    process._leader.beat()
    as_leader = process._record_timetable()

    assert (on_standby, as_leader) == (False, True)
    assert len(timetable_changes.read(redis, 10)) == 1


def test_the_first_line_of_the_log_names_a_few_dozen_of_many_events(
    declare: Declare, running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "clock.clock")

    running.start(
        declare(f"for n in range({NAMED + 2}):\n    every().day.do(FetchNewsJob, n).named(f'event{{n}}')\n")
    )

    names = " ".join(f"event{n}" for n in range(NAMED))
    assert caplog.messages[0] == f"Starting clock for {NAMED + 2} events: [ {names} and 2 more ]"


def test_a_clock_writes_its_events_and_their_next_runs_to_the_log(
    declare: Declare, running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "clock.clock")
    leader, standby = running.start(declare(DAILY)), running.start(declare(DAILY), "web2")
    caplog.clear()

    leader.log_timetable()
    standby.log_timetable()

    first, daily, over, second, *_ = caplog.messages
    assert first == "This clock is the leader; 2 events:"
    assert "; next run at " in daily
    assert "T06:00:00+00:00" in daily
    assert "next run" not in over
    assert second == "This clock is on standby; 2 events:"


class Blocked:
    """An action that runs until the test sets `may_end`."""

    def __init__(self) -> None:
        self.began, self.may_end = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.began.set()
        assert self.may_end.wait(PATIENCE_SECONDS)


@pytest.fixture
def blocked(running: Running) -> Iterator[Blocked]:
    jobs.hooks["slow"] = action = Blocked()
    yield action
    action.may_end.set()


def test_a_due_instant_behind_a_slow_action_is_overdue(
    declare: Declare, running: Running, blocked: Blocked, redis: Redis, fake_clock: FakeClock
) -> None:
    lines = "every().second.do(slow).named('slow')\nevery().second.do(print).named('behind')\n"
    process = running.start(declare(SLOW, lines))
    eventually(lambda: redis.exists(keys.NEXT_DUE), "the first round")
    standby = running.start(declare(SLOW, lines), "web2")
    before = process.seconds_overdue, process.seconds_since_look

    fake_clock.advance(SECOND)
    assert blocked.began.wait(PATIENCE_SECONDS)
    fake_clock.advance(5 * SECOND)

    assert before == (0.0, 0.0)
    assert (process.seconds_overdue, standby.seconds_overdue) == (5.0, 0.0)
    assert process.seconds_since_look == 5.0
    assert process.seconds_since_round in (5.0, 6.0)  # the first round may have ended a little later


def test_each_round_starts_the_time_since_the_last_round_again(
    declare: Declare, running: Running, fake_clock: FakeClock
) -> None:
    process = running.start(declare(DAILY))
    fake_clock.advance(SECOND)

    def has_ended_a_round() -> bool:
        ended = process.seconds_since_round == 0.0
        if not ended:
            fake_clock.advance(SECOND)  # the loop may not have waited yet
        return ended

    eventually(has_ended_a_round, "the end of a round")


def test_a_clock_whose_action_does_not_end_hands_over_after_its_patience(
    declare: Declare,
    running: Running,
    blocked: Blocked,
    redis: Redis,
    fake_clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    process = running.start(declare(SLOW, "every().second.do(slow).named('slow')\n"))
    fake_clock.advance(SECOND)
    assert blocked.began.wait(PATIENCE_SECONDS)

    process.stop(2)
    fake_clock.advance(timedelta(seconds=2))
    before = list(running.stuck), redis.exists(keys.LEASE)
    fake_clock.advance(timedelta(seconds=GRACE_SECONDS))
    eventually(lambda: running.stuck, "that the clock gives up")

    assert before == ([], 1)
    eventually(lambda: not redis.exists(keys.LEASE), "the hand over")  # the clock waits for it a limited time
    assert "An action or a Redis command is still running after 2 s; abandoning it" in caplog.messages


def test_a_clock_reports_that_actions_on_threads_have_not_ended(
    declare: Declare, running: Running, blocked: Blocked, redis: Redis, fake_clock: FakeClock
) -> None:
    process = running.start(declare(SLOW, "every().second.do(slow).named('slow').thread()\n"))
    fake_clock.advance(SECOND)
    assert blocked.began.wait(PATIENCE_SECONDS)

    process.stop(0)
    eventually(lambda: running.stuck, "the report")

    assert running.stuck == ["web1"]
    assert not redis.exists(keys.LEASE)


def test_a_clock_that_redis_refused_is_not_stuck_when_it_is_stopped(
    declare: Declare,
    redis: Redis,
    running: Running,
    fake_clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    process = running.new(declare(DAILY))
    monkeypatch.setattr(SelfCheck, "look", refuse)
    with pytest.raises(StoreError):
        process.run()

    process.stop(2)
    fake_clock.advance(timedelta(seconds=2 + GRACE_SECONDS))
    eventually(lambda: "stop" not in {thread.name for thread in threading.enumerate()}, "the end of the stop")

    assert running.stuck == []
    assert "abandoning it" not in caplog.text


def refuse(_: SelfCheck) -> None:
    raise StoreError("no permission")
