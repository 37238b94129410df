"""Jobs claimed behind one that turns out to be long: other threads run them, or other workers."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from redis import Redis

from clock.clocks import SystemClock
from clock.worker import Queue, Worker, WorkerOptions
from tests.patience import PATIENCE_SECONDS
from tests.worker import jobs
from tests.worker.jobs import HoldThingJob, NoteThingJob


@contextmanager
def working(redis: Redis, identity: str, concurrency: int) -> Iterator[Worker]:
    """A worker that runs on threads of this process."""
    options = WorkerOptions((Queue("default"),), concurrency, stop_timeout_seconds=PATIENCE_SECONDS)
    worker = Worker(redis, options, identity=identity, clock=SystemClock())
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield worker
    finally:
        jobs.let_go.set()
        worker.stop()
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()


@pytest.fixture
def ran_all() -> Iterator[Callable[[int], bool]]:
    """Waits until so many jobs have begun; False: they did not."""
    jobs.ran.clear()
    jobs.let_go.clear()
    yield jobs.wait_until_begun
    jobs.let_go.set()


def test_jobs_behind_a_long_one_go_to_other_threads(redis: Redis, ran_all: Callable[[int], bool]) -> None:
    with working(redis, "here:1:a", concurrency=2):
        NoteThingJob.perform_bulk([[number] for number in range(1_000)])  # now jobs are known to be short
        assert ran_all(1_000)

        HoldThingJob.perform_bulk([[1], [2]])

        assert ran_all(1_002)


def test_jobs_that_no_thread_can_take_soon_go_to_a_worker_that_can(
    redis: Redis, ran_all: Callable[[int], bool]
) -> None:
    with working(redis, "here:1:a", concurrency=1):
        NoteThingJob.perform_bulk([[number] for number in range(1_000)])
        assert ran_all(1_000)
        HoldThingJob.perform_bulk([["held"]] * 5)
        assert ran_all(1_001)

        with working(redis, "here:1:b", concurrency=4):
            assert ran_all(1_005)


def test_two_workers_share_long_jobs_at_once(redis: Redis, ran_all: Callable[[int], bool]) -> None:
    HoldThingJob.perform_bulk([["held"]] * 6)

    with working(redis, "here:1:a", concurrency=3), working(redis, "here:1:b", concurrency=3):
        assert ran_all(6)
