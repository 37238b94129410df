"""A worker in this process, with its threads."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from clock.clocks import SystemClock
from clock.errors import WorkerStuck
from clock.testing import FakeClock
from clock.worker import Queue, Worker, WorkerOptions
from tests.patience import PATIENCE_SECONDS, eventually
from tests.worker import jobs
from tests.worker.jobs import AwaitThingJob, HoldThingJob, NoteThingJob


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

    monkeypatch.setattr("clock.worker.heartbeat.watchdog.STUCK_SECONDS", -1.0)
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
    worker = Worker(redis, WorkerOptions((Queue("default"),), 2), identity="here:1:a", clock=clock)
    clock.advance(timedelta(seconds=90))

    assert (worker.seconds_since_fetch, worker.seconds_since_look) == (90, 90)
    worker.quiet()
    assert worker.seconds_since_fetch == 0  # it is not wanted any more
