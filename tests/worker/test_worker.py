"""A worker in this process, with its threads."""

import os
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from clock.clocks import SystemClock
from clock.errors import StoreUnavailable, WorkerStuck
from clock.store import keys
from clock.store.jobs.worker_register import WorkerRegister
from clock.store.server.client import client
from clock.testing import FakeClock
from clock.worker import Queue, Worker, WorkerOptions
from clock.worker.heartbeat.heartbeat_link import HeartbeatLink
from clock.worker.heartbeat.heartbeat_process import BEATEN, REPORT, SIGN
from tests.patience import PATIENCE_SECONDS, eventually
from tests.worker import jobs
from tests.worker.jobs import AwaitThingJob, HoldThingJob, NoteThingJob

DRAINING = "Draining: not accepting new jobs"


def worker_of(redis: Redis, *queues: str, concurrency: int = 2) -> Worker:
    options = WorkerOptions(tuple(map(Queue, queues)), concurrency, stop_timeout_seconds=PATIENCE_SECONDS)
    return Worker(redis, options, identity="here:1:a", clock=SystemClock())


def running(worker: Worker) -> tuple[Callable[[], None], list[BaseException]]:
    """Run it on a thread; how to stop it, and what it raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            worker.run()
        except WorkerStuck as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def stop() -> None:
        jobs.let_go.set()
        worker.stop()
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()

    return stop, raised


@pytest.fixture(autouse=True)
def _fresh() -> None:
    jobs.ran.clear()
    jobs.let_go.clear()


def test_a_coroutine_job_that_does_not_end_in_time_is_put_back_and_then_cancelled(redis: Redis) -> None:
    options = WorkerOptions((Queue("default"),), 1, stop_timeout_seconds=0.1)
    worker = Worker(redis, options, identity="here:1:a", clock=SystemClock())
    AwaitThingJob.perform_async("long")
    stop, _ = running(worker)
    assert jobs.wait_until_begun(1)

    stop()

    assert [thing for _, thing in jobs.ran] == ["long", "finally"]
    assert (redis.llen("queue:default"), redis.zcard("retry"), redis.get("stat:failed")) == (1, 0, None)


def test_an_idle_worker_takes_from_each_of_its_queues_even_from_those_it_cannot_wait_on(redis: Redis) -> None:
    names = [f"q{number}" for number in range(5)]
    stop, _ = running(worker_of(redis, *names))
    try:
        for count, name in enumerate(names, 1):
            NoteThingJob.set(queue=name).perform_async(name)
            assert jobs.wait_until_begun(count)
    finally:
        stop()

    assert redis.keys("clock:in_progress:*") == []


def test_a_worker_that_alone_is_cut_off_puts_its_jobs_back_and_ends_with_an_error(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    HoldThingJob.perform_async("held")
    monkeypatch.setattr("clock.worker.worker.WATCH_SECONDS", 0.01)
    options = WorkerOptions(concurrency=1, stop_timeout_seconds=0.0)
    worker = Worker(redis, options, identity="here:1:a", clock=SystemClock())
    stop, raised = running(worker)
    assert jobs.wait_until_begun(1)

    monkeypatch.setattr("clock.worker.limits.STUCK_SECONDS", -1.0)
    eventually(lambda: raised, "the worker's error")

    [error] = raised
    assert isinstance(error, WorkerStuck)
    assert error.exit_code == 3
    assert redis.llen("queue:default") == 1
    stop()


def test_a_draining_worker_does_not_report_queues_without_a_worker(redis: Redis) -> None:
    worker = Worker(
        redis, WorkerOptions(concurrency=1, beat_seconds=0.01), identity="here:1:a", clock=SystemClock()
    )
    HoldThingJob.perform_async("long")
    stop, _ = running(worker)
    try:
        assert jobs.wait_until_begun(1)
        worker.quiet()
        NoteThingJob.set(queue="other").perform_async("later")
        beats = set[object]()

        def has_beaten() -> bool:
            beats.add(redis.hget("here:1:a", "beat"))
            return len(beats) > 3

        eventually(has_beaten, "three heartbeats")
        assert worker.problems == []
    finally:
        stop()


def test_a_worker_whose_machine_has_a_wrong_time_is_not_taken_for_dead(redis: Redis) -> None:
    worker = Worker(
        redis,
        WorkerOptions(concurrency=1, beat_seconds=0.01),
        identity="here:1:a",
        clock=SystemClock(timedelta(hours=-1)),
    )
    stop, _ = running(worker)
    try:
        eventually(lambda: redis.zscore("clock:workers", "here:1:a") is not None, "a heartbeat")
        expires = redis.zscore("clock:workers", "here:1:a")
    finally:
        stop()

    assert isinstance(expires, float)
    assert expires > (redis.time()[0] - 60) * 1000


def test_a_worker_tells_how_long_ago_redis_answered_a_fetch(redis: Redis) -> None:
    clock = FakeClock(datetime(2026, 11, 24, 6, tzinfo=UTC))
    clock.advance(timedelta(seconds=10))
    worker = Worker(redis, WorkerOptions((Queue("default"),), 2), identity="here:1:a", clock=clock)
    clock.advance(timedelta(seconds=90))

    assert (worker.seconds_since_fetch, worker.seconds_since_look) == (90, 90)
    worker.quiet()
    assert worker.seconds_since_fetch == 0  # it is not wanted any more


def started(redis: Redis, caplog: pytest.LogCaptureFixture, **options: Any) -> Worker:
    """A worker of the queue default that looks after itself without pauses."""
    caplog.set_level("INFO", "clock.worker")
    chosen = WorkerOptions(**{"concurrency": 1, "stop_timeout_seconds": PATIENCE_SECONDS, **options})
    return Worker(redis, chosen, identity="here:1:a", clock=SystemClock())


@pytest.fixture
def _watches_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clock.worker.worker.WATCH_SECONDS", 0.01)


def test_a_worker_logs_its_life(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    worker = started(redis, caplog, queues=(Queue("default"), Queue("low")), concurrency=2)
    assert not worker.runs_jobs
    stop, _ = running(worker)
    eventually(lambda: redis.zcard("clock:workers"), "a heartbeat")

    stop()
    worker.stop()

    assert [record.getMessage() for record in caplog.records if record.name == "clock.worker"] == [
        "Starting worker here:1:a: 2 threads, queues default, low, at most 4 connections to Redis",
        DRAINING,
        "Stopped",
    ]
    assert not worker.runs_jobs


def test_a_worker_that_stops_logs_how_many_jobs_run_and_waits_for_them(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    worker = started(redis, caplog, stop_timeout_seconds=123.0)
    HoldThingJob.perform_async("held")
    thread = threading.Thread(target=worker.run)
    thread.start()
    assert jobs.wait_until_begun(1)
    assert (worker.runs_jobs, worker.seconds_since_fetch) == (True, 0)

    worker.stop()
    eventually(lambda: "Stopping" in caplog.text, "it stops")
    assert "Stopping: 1 jobs running, waiting up to 123 s." in caplog.text
    assert thread.is_alive()
    jobs.let_go.set()
    thread.join(PATIENCE_SECONDS)

    assert not worker.runs_jobs
    assert "Putting" not in caplog.text
    assert redis.get("stat:processed") == b"1"


def test_a_worker_that_cannot_leave_redis_logs_who_puts_its_jobs_back(
    redis: Redis, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreUnavailable("Redis cannot be reached.")

    monkeypatch.setattr(WorkerRegister, "leave", fail)
    stop, _ = running(started(redis, caplog))

    stop()

    assert "Redis cannot be reached. Other workers put back the jobs in progress here." in caplog.messages


def test_a_worker_that_stops_at_once_puts_its_jobs_back(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    worker = started(redis, caplog)
    HoldThingJob.perform_async("held")
    thread = threading.Thread(target=worker.run)
    thread.start()
    assert jobs.wait_until_begun(1)

    worker.stop_now()
    thread.join(PATIENCE_SECONDS)

    assert "Putting 1 unfinished jobs back into their queues" in caplog.text
    assert redis.llen("queue:default") == 1
    assert worker.runs_jobs, "the thread of the job that was cut short runs on"
    jobs.let_go.set()


@pytest.mark.usefixtures("_watches_often")
def test_a_worker_stops_when_its_parent_is_gone(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    worker = started(redis, caplog, parent_pid=os.getpid())  # which is not its parent

    worker.run()

    assert "The parent process is gone; stopping" in caplog.text


@pytest.mark.usefixtures("_watches_often")
def test_a_worker_runs_on_with_its_parent(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    stop, _ = running(started(redis, caplog, parent_pid=os.getppid(), beat_seconds=0.01))
    NoteThingJob.perform_async(1)
    assert jobs.wait_until_begun(1)
    eventually(lambda: len(redis.keys("here:1:a")) == 1, "a heartbeat")

    stop()

    assert "The parent process is gone" not in caplog.text


@pytest.mark.usefixtures("_watches_often")
def test_a_worker_gives_signs_to_its_heartbeat_process_and_ends_it(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    clock = SystemClock()
    ours, its = socket.socketpair()
    ours.setblocking(False)
    link = HeartbeatLink(ours, clock=clock)
    worker = Worker(redis, WorkerOptions(concurrency=1), identity="here:1:a", clock=clock, link=link)
    stop, _ = running(worker)

    signs = b""
    its.settimeout(PATIENCE_SECONDS)
    while signs.count(SIGN) < 3 or BEATEN not in signs:
        signs += its.recv(4096)
    stop()

    while received := its.recv(4096):
        signs += received
    its.close()
    assert set(signs) == {*SIGN, *BEATEN}


@pytest.mark.parametrize(("beats_for", "answers"), [(25, True), (15, False)])
def test_redis_answers_if_it_has_heartbeats_of_a_whole_expiry_from_the_heartbeat_process(
    free_port: int, beats_for: float, answers: bool
) -> None:
    clock = FakeClock(datetime(2026, 11, 24, 6, tzinfo=UTC))
    clock.advance(timedelta(seconds=60))
    ours, its = socket.socketpair()
    ours.setblocking(False)
    link = HeartbeatLink(ours, clock=clock)
    away = client(f"redis://127.0.0.1:{free_port}", 1)
    worker = Worker(away, WorkerOptions(beat_seconds=5), identity="here:1:a", clock=clock, link=link)

    its.send(REPORT.pack(0, clock.monotonic() - beats_for, clock.monotonic()))

    assert worker._redis_answers() is answers
    ours.close()
    its.close()


def test_signals_of_sidekiqs_page_are_obeyed_and_unknown_ones_ignored(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    worker = started(redis, caplog, beat_seconds=0.01)
    stop, _ = running(worker)

    redis.lpush("here:1:a-signals", "TTIN", "USR7", "TSTP")
    eventually(lambda: DRAINING in caplog.messages, "it drains")  # the stacks have the words of this test
    stop()

    assert not any("An error in clock" in message for message in caplog.messages)
    shown = [record for record in caplog.records if record.getMessage() == "Thread job-1:"]
    assert "in take" in str(shown[0].stack_info)


def test_the_stacks_of_all_threads_and_coroutines_are_logged(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    worker = started(redis, caplog, stop_timeout_seconds=0.0)
    AwaitThingJob.perform_async("long")
    stop, _ = running(worker)
    assert jobs.wait_until_begun(1)

    worker.dump_threads()
    stop()

    stacks = {record.getMessage(): str(record.stack_info) for record in caplog.records if record.stack_info}
    assert "test_the_stacks_of_all_threads" in stacks["Thread MainThread:"]
    assert "await asyncio.sleep(PATIENCE_SECONDS)" in next(
        stack for name, stack in stacks.items() if name.startswith("Coroutine ")
    )


def test_a_worker_that_starts_logs_how_many_parked_jobs_it_releases(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    redis.sadd("clock:parked", "NoteThingJob")
    redis.lpush("clock:parked:NoteThingJob", '{"class":"NoteThingJob","args":[1],"jid":"1","queue":"default"}')
    stop, _ = running(started(redis, caplog))
    assert jobs.wait_until_begun(1)

    stop()

    assert caplog.text.count("parked jobs") == 1
    assert "Released 1 parked jobs: this worker can run them" in caplog.text


@pytest.mark.usefixtures("_watches_often")
def test_a_worker_is_not_replaced_without_a_limit(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    worker = started(redis, caplog)
    stop, _ = running(worker)
    NoteThingJob.perform_async(1)
    assert jobs.wait_until_begun(1)
    stop()

    assert not worker.is_renewed


@pytest.mark.usefixtures("_watches_often")
def test_a_worker_that_is_replaced_logs_why_once(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    NoteThingJob.perform_async(1)
    worker = started(redis, caplog, max_jobs=1)

    worker.run()

    assert caplog.text.count("This process ends and is replaced: it has run 1 jobs (max_jobs)") == 1


@pytest.mark.parametrize(("due_in", "is_empty"), [(-1, False), (0, False), (None, True), (60, True)])
def test_a_burst_waits_for_freed_jobs_that_are_due(redis: Redis, due_in: float | None, is_empty: bool) -> None:
    clock = FakeClock(datetime(2026, 11, 24, 6, tzinfo=UTC))
    if due_in is not None:
        redis.zadd(keys.FREED, {"no job": clock.now().timestamp() + due_in})

    assert Worker(redis, WorkerOptions(), identity="here:1:a", clock=clock)._is_drained() is is_empty
