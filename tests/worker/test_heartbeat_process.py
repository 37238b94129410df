"""The heartbeat process on simulated time: when it sends heartbeats for its worker, warns, kills it, and ends."""

import os
import select
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from clock.store import keys
from clock.store.jobs.worker_register import End
from clock.store.server.client import client
from clock.testing import FakeClock
from clock.worker.heartbeat import heartbeat_process
from clock.worker.heartbeat.heartbeat_process import REPORT, Assignment, HeartbeatProcess, run_beside
from clock.worker.heartbeat.process_state import OtherProcess

WORKER = "here:1:a"
REGISTERED = 1.0  # the score of a worker whose heartbeat nobody renews
NEVER = (float("inf"), float("-inf"))


class Waits:
    """In place of the module `select`: time passes while the process waits, at most until `until`."""

    def __init__(self, clock: FakeClock) -> None:
        self.until = float("inf")
        self._clock = clock

    def select(self, read: Sequence[Any], write: Sequence[Any], errors: Sequence[Any], seconds: float) -> Any:
        found = select.select(read, write, errors, 0)
        if not any(found):
            self._clock.advance(timedelta(seconds=min(seconds, self.until - self._clock.monotonic())))
        return found


class Watched(OtherProcess):
    """A worker's process, as the test says."""

    def __init__(self, clock: FakeClock) -> None:
        self.descriptor = None
        self.ends_at = float("inf")
        self.stopped = False
        self.signals: list[signal.Signals] = []
        self._clock = clock

    def has_ended(self) -> bool:
        return self._clock.monotonic() >= self.ends_at

    def is_stopped(self) -> bool:
        return self.stopped

    def send(self, number: signal.Signals) -> None:
        self.signals.append(number)


class Beside:
    """A heartbeat process with its worker, which beats every 5 s; `end` is the worker's end of the channel."""

    def __init__(self, redis: Redis, clock: FakeClock, waits: Waits, frozen_seconds: float = 60.0) -> None:
        self.worker = Watched(clock)
        self.end, its = socket.socketpair()
        self.end.setblocking(False)
        assignment = Assignment(WORKER, "redis://", beat_seconds=5, frozen_seconds=frozen_seconds)
        self.process = HeartbeatProcess(assignment, self.worker, its, redis, clock=clock)
        self._clock = clock
        self._waits = waits
        self._its = its

    def passes(self, seconds: float) -> None:
        """So many seconds pass."""
        self._waits.until = self._clock.monotonic() + seconds
        while self._clock.monotonic() < self._waits.until:
            assert self.process.turn()
        self._waits.until = float("inf")

    def beats(self, seconds: float) -> None:
        """For so many seconds, the worker sends its heartbeats itself."""
        for _ in range(int(seconds / 5)):
            self.end.send(b".b")
            self.passes(5)

    def reports(self) -> list[tuple[float, float]]:
        """The messages to the worker since the last call: its first and last heartbeat without a gap."""
        try:
            received = self.end.recv(65_536)
        except BlockingIOError:
            return []
        found = list(REPORT.iter_unpack(received))
        assert {pid for pid, _, _ in found} == {os.getpid()}
        return [(first, last) for _, first, last in found]

    def close(self) -> None:
        self.end.close()
        self._its.close()


@pytest.fixture
def waits(fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Waits:
    found = Waits(fake_clock)
    monkeypatch.setattr("clock.worker.heartbeat.heartbeat_process.select", found)
    return found


@pytest.fixture(autouse=True)
def alarms(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The alarms that the process sets: they would end the tests."""
    found: list[int] = []
    monkeypatch.setattr(signal, "alarm", found.append)
    return found


@pytest.fixture
def build(redis: Redis, fake_clock: FakeClock, waits: Waits) -> Iterator[Callable[..., Beside]]:
    made: list[Beside] = []

    def beside(where: Redis = redis, **options: float) -> Beside:
        redis.zadd(keys.WORKERS, {WORKER: REGISTERED})
        made.append(Beside(where, fake_clock, waits, **options))
        return made[-1]

    yield beside
    for each in made:
        each.close()


Build = Callable[..., Beside]


def frozen(redis: Redis) -> int:
    """For how many seconds the worker is shown as frozen."""
    found: Any = redis.hget(WORKER, "frozen")
    return int(found)


def test_a_worker_that_sends_its_heartbeats_needs_no_other(build: Build, redis: Redis) -> None:
    beside = build()

    beside.beats(60)

    assert beside.reports() == []
    assert redis.zscore(keys.WORKERS, WORKER) == REGISTERED


def test_heartbeats_are_sent_for_a_worker_that_is_late_with_its_own(build: Build, redis: Redis) -> None:
    beside = build()
    beside.passes(7)
    assert beside.reports() == []

    beside.passes(11)

    assert beside.reports() == [(7.5, 7.5), (7.5, 12.5), (7.5, 17.5)]
    assert frozen(redis) == 17
    expires, now = redis.zscore(keys.WORKERS, WORKER), redis.time()[0] * 1000
    assert isinstance(expires, float)
    assert now + 15_000 < expires < now + 25_000


def test_a_worker_whose_heartbeat_thread_alone_is_late_is_not_shown_as_frozen(build: Build, redis: Redis) -> None:
    beside = build()

    for _ in range(10):
        beside.end.send(b".")
        beside.passes(1)

    assert beside.reports() == [(7.5, 7.5)]
    assert frozen(redis) == 0


def test_a_worker_is_frozen_since_its_last_sign(build: Build, redis: Redis) -> None:
    beside = build()
    beside.passes(8)
    beside.end.send(b".")

    beside.passes(4.5)

    assert frozen(redis) == 4


def test_after_a_heartbeat_of_the_worker_the_next_one_is_late_again_after_seven_seconds(build: Build) -> None:
    beside = build()
    beside.passes(8)
    beside.end.send(b".b")
    beside.passes(7)
    assert beside.reports() == [(7.5, 7.5)]

    beside.passes(1)

    assert beside.reports() == [(7.5, 15.5)]


@pytest.mark.parametrize(("seconds", "has_gap"), [(10, False), (20, True)])
def test_a_report_begins_after_the_last_gap_in_which_no_heartbeat_was_sent_here(
    build: Build, seconds: float, has_gap: bool
) -> None:
    beside = build()
    beside.passes(8)
    beside.beats(seconds)
    beside.reports()

    beside.passes(5)

    last = 8 + seconds + 2.5
    assert beside.reports() == [(last if has_gap else 7.5, last)]


def test_a_frozen_worker_is_logged_once_each_time(build: Build, caplog: pytest.LogCaptureFixture) -> None:
    beside = build()
    beside.passes(20)
    assert caplog.messages == []

    beside.passes(30)
    assert caplog.messages == [
        f"Worker {WORKER} has been frozen for 22 s: a job holds the interpreter lock (GIL). The heartbeat "
        "continues. The worker is killed after 60 s (frozen_timeout)."
    ]

    beside.end.send(b".")
    beside.passes(30)
    assert len(caplog.messages) == 2


def test_a_frozen_worker_is_killed_after_its_timeout(
    build: Build, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    beside = build()
    beside.passes(60)
    assert beside.worker.signals == []

    beside.passes(2)
    assert beside.worker.signals == [signal.SIGABRT, signal.SIGKILL]
    assert f"Killing worker {WORKER}: it has been frozen for 6" in caplog.text
    beside.process.report_end()
    assert redis.zscore(keys.WORKERS, WORKER) == End.FROZEN

    beside.passes(59)
    assert len(beside.worker.signals) == 2
    beside.passes(0.5)
    assert len(beside.worker.signals) == 4


@pytest.mark.parametrize(("frozen_seconds", "killed_after"), [(0, 200), (1, 20)])
def test_a_frozen_worker_is_killed_only_with_a_timeout_and_not_before_its_heartbeat_would_expire(
    build: Build, caplog: pytest.LogCaptureFixture, frozen_seconds: float, killed_after: float
) -> None:
    beside = build(frozen_seconds=frozen_seconds)

    beside.passes(killed_after)
    assert beside.worker.signals == []
    beside.passes(2)

    assert bool(beside.worker.signals) is bool(frozen_seconds)
    assert ("is killed after" in caplog.text) is False


def test_a_stopped_worker_gets_no_heartbeats_and_is_not_killed(build: Build, redis: Redis) -> None:
    beside = build()
    beside.worker.stopped = True
    beside.passes(100)
    assert (beside.reports(), beside.worker.signals) == ([], [])

    beside.worker.stopped = False
    beside.passes(2)

    assert len(beside.reports()) == 1
    assert 0 < frozen(redis) <= 4


def test_a_machine_that_was_suspended_does_not_make_its_worker_frozen(build: Build, fake_clock: FakeClock) -> None:
    beside = build()
    beside.passes(30)

    fake_clock.advance(timedelta(hours=1))
    beside.passes(25)
    assert beside.worker.signals == []

    beside.passes(0.5)
    assert beside.worker.signals


def test_a_heartbeat_that_redis_does_not_get_is_sent_again_every_second(
    build: Build, free_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "clock.worker")
    beside = build(client(f"redis://127.0.0.1:{free_port}", 1))

    beside.passes(10.5)

    assert caplog.text.count(f"Could not send the heartbeat of worker {WORKER}") == 4
    assert beside.reports() == []


def test_the_end_of_a_worker_is_reported(build: Build, redis: Redis, alarms: list[int]) -> None:
    beside = build()
    beside.worker.ends_at = 3.0

    beside.process.run()

    assert beside.reports() == [NEVER]
    assert redis.zscore(keys.WORKERS, WORKER) == End.ENDED
    assert alarms == [5]


@pytest.mark.parametrize(("is_replacement", "reported"), [(False, [NEVER]), (True, [NEVER, (0.0, 0.0)])])
def test_a_heartbeat_process_that_replaces_another_one_sends_its_first_heartbeat_at_once(
    build: Build, is_replacement: bool, reported: list[tuple[float, float]]
) -> None:
    beside = build()
    beside.worker.ends_at = 3.0

    beside.process.run(is_replacement=is_replacement)

    assert beside.reports() == reported


def test_the_end_of_a_worker_that_closes_the_channel_first_is_reported(
    build: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    beside = build()
    beside.worker.ends_at = 2.0
    beside.end.close()

    beside.process.run()

    assert redis.zscore(keys.WORKERS, WORKER) == End.ENDED
    assert fake_clock.monotonic() < 2.1


def test_a_worker_that_closes_the_channel_and_runs_on_is_left_alone(
    build: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    beside = build()
    beside.end.close()

    beside.process.run()

    assert redis.zscore(keys.WORKERS, WORKER) == REGISTERED
    assert 5 <= fake_clock.monotonic() < 5.1


def test_a_worker_that_is_gone_with_reports_that_it_has_not_read_has_closed_the_channel(build: Build) -> None:
    beside = build()
    beside.process._report()
    beside.end.close()  # the other end of the channel raises ConnectionResetError

    assert not beside.process.turn()


def test_an_end_that_cannot_be_reported_is_logged(
    build: Build, free_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "clock.worker")
    beside = build(client(f"redis://127.0.0.1:{free_port}", 1))

    beside.process.report_end()

    assert f"Could not report the end of worker {WORKER}" in caplog.text


def test_a_log_that_nobody_reads_does_not_hold_up_the_heartbeat(
    build: Build, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = build()
    read, write = os.pipe()
    os.set_blocking(write, False)

    with os.fdopen(read), os.fdopen(write, "w") as stdout, monkeypatch.context() as patch:
        with suppress(BlockingIOError):
            while True:
                os.write(write, b"x" * 4096)
        patch.setattr("sys.stdout", stdout)
        beside.passes(62)

    assert caplog.messages == []
    assert len(beside.reports()) > 10


@pytest.fixture
def _in_this_process(monkeypatch: pytest.MonkeyPatch, log_as_before: None) -> None:
    """The heartbeat process is this one: it keeps its name and its handlers of signals, and waits briefly."""
    monkeypatch.setattr(heartbeat_process, "IGNORED", [])
    monkeypatch.setattr(heartbeat_process, "_name_process", lambda: None)
    monkeypatch.setattr(heartbeat_process, "LOOK_SECONDS", 0.001)


@pytest.fixture
def gone() -> int:
    """The id of a process that has ended."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.mark.usefixtures("_in_this_process")
@pytest.mark.parametrize("identity", ["here:1:a", "here:1:ab"])
def test_a_heartbeat_process_reads_its_assignment_before_the_signs(
    redis: Redis, redis_url: str, gone: int, identity: str
) -> None:
    redis.zadd(keys.WORKERS, {identity: REGISTERED})
    ours, its = socket.socketpair()

    with ours, its:
        ours.send(Assignment(identity, redis_url, beat_seconds=5, frozen_seconds=0).to_line() + b"...")
        run_beside(gone, its)

    assert redis.zscore(keys.WORKERS, identity) == End.ENDED


@pytest.mark.usefixtures("_in_this_process")
@pytest.mark.parametrize("is_open", [True, False])
def test_a_heartbeat_process_ends_with_a_worker_that_ends_before_it_assigns_anything(
    redis: Redis, gone: int, is_open: bool
) -> None:
    ours, its = socket.socketpair()

    with ours, its:
        if not is_open:
            ours.close()
        run_beside(gone if is_open else os.getpid(), its)

    assert redis.keys("*") == []
