"""State that threads share, with a switch of threads every microsecond: nothing is lost or run twice."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest
from redis import Redis

from clock import Job
from clock.clocks import SystemClock
from clock.health.metrics import Metrics as PrometheusMetrics
from clock.job.context import JobRun
from clock.job.middleware.metrics import Metrics
from clock.store.jobs.moves import Claimed
from clock.store.ledger.ledger import RedisLedger
from clock.testing import FakeClock
from clock.ticker import Signature, Ticker
from clock.timetable import load
from clock.web.cache import Cached
from clock.worker import Queue, Worker, WorkerOptions
from clock.worker.fetching.handoff import Handoff, Slot
from tests.examples import ARE_MANY
from tests.patience import PATIENCE_SECONDS, eventually
from tests.traced import not_traced

THREADS = 4


@pytest.fixture(autouse=True)
def threads_switch_often() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def in_threads(*calls: Callable[[], object]) -> None:
    """Run the calls at once, each on a thread; all must return."""
    failed: list[BaseException] = []
    together = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> None:
        try:
            together.wait(PATIENCE_SECONDS)
            call()
        except BaseException as error:  # noqa: BLE001  # it is raised in the test's thread
            failed.append(error)

    threads = [threading.Thread(target=run, args=(call,), daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert not failed
    assert not any(thread.is_alive() for thread in threads), "a thread waits for ever"


def until_empty(handoff: Handoff) -> None:
    """Spin until the threads have taken all jobs: with a pause, a wake-up that is lost would not show."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(handoff):
        assert time.monotonic() < deadline, "a job waits, and all threads rest"


@pytest.mark.parametrize("is_short", [True, False])
def test_each_job_is_handed_to_one_thread_and_no_thread_sleeps_on(is_short: bool) -> None:
    handoff, taken, count = Handoff(THREADS), [list[int]() for _ in range(THREADS)], 1_000
    for _ in range(200):
        handoff.pace.note(1e-6 if is_short else 1.0)

    def work(number: int) -> None:
        slot = Slot(str(number))
        while (job := handoff.take(slot)) is not None:
            taken[number].append(job.number)

    def fetch() -> None:
        for number in range(count):
            handoff.add([Claimed(number, "default", b"")])
            if number % 3 == 0:
                until_empty(handoff)
        until_empty(handoff)
        handoff.stop()

    in_threads(fetch, *(lambda number=number: work(number) for number in range(THREADS)))

    assert sorted(number for part in taken for number in part) == list(range(count))


@not_traced
def test_no_run_is_missing_in_the_metrics(redis: Redis) -> None:
    metrics, each, done = Metrics(), 1_000, threading.Event()
    run = JobRun({"class": "ResizeJob"}, "default", "done", seconds=0.01)
    now = SystemClock().now()

    def note() -> None:
        for _ in range(each):
            metrics.note(run)

    def flush() -> None:
        while not done.is_set():
            metrics.flush(redis, now)

    flusher = threading.Thread(target=flush, daemon=True)
    flusher.start()
    in_threads(*[note] * THREADS)
    done.set()
    flusher.join(PATIENCE_SECONDS)
    metrics.flush(redis, now)

    minutes = [key for key in redis.keys("j|*") if redis.type(key) == b"hash"]
    assert minutes
    assert {int(redis.hget(key, "ResizeJob|p") or 0) for key in minutes} == {each * THREADS}


def test_a_cache_looks_once_for_many_requests() -> None:
    looks: list[int] = []

    def look() -> int:
        sum(number for number in range(20_000))  # other threads run now
        looks.append(len(looks))
        return looks[-1]

    cached, seen = Cached(look, 3_600, clock=SystemClock()), list[int]()

    in_threads(*[lambda: seen.extend(cached() for _ in range(500))] * THREADS)

    assert set(seen) == {0}
    assert looks == [0]


class CountRunJob(Job):
    """Notes its run."""

    ran: ClassVar[list[list[int]]] = []

    def perform(self, source: int, number: int) -> None:
        """Add the run to the list."""
        self.ran.append([source, number])


ACTIONS = """
from clock import configure, every
from tests.test_stress import CountRunJob
configure(tz="UTC")
for n in range(3):
    every(1).seconds.named(f"e{n}").catch_up("all").thread().do(
        lambda source=-n - 1: [CountRunJob.perform_async(source, number) for number in range(5)]
    )
"""
PUSHERS = 16


@pytest.mark.slow
def test_a_worker_loses_and_repeats_no_job_of_16_pushing_threads_and_of_a_clock_with_threads(
    redis: Redis, tmp_path: Path
) -> None:
    CountRunJob.ran.clear()
    (tmp_path / "clock.py").write_text(ACTIONS)
    each, ticks = (1_000, 300) if ARE_MANY else (25, 5)
    time_of = FakeClock(datetime(2026, 11, 24, 6, tzinfo=UTC))
    metrics = PrometheusMetrics(redis, SystemClock())
    options = WorkerOptions((Queue("default"),), concurrency=5)
    worker = Worker(redis, options, identity="h:1:a", clock=SystemClock(), listeners=[metrics.count_jobs()])
    works = threading.Thread(target=worker.run, daemon=True)
    works.start()
    ticker = Ticker(
        load(tmp_path / "clock.py"), ledger=RedisLedger(redis), clock=time_of, signature=Signature("h", "v1")
    )

    def push(source: int) -> None:
        for number in range(each):
            CountRunJob.perform_async(source, number)

    def tick() -> None:
        ticker.tick()
        for _ in range(ticks):
            time_of.advance(timedelta(seconds=1))
            ticker.tick()

    def all_ran() -> bool:
        ticker.tick()
        return len(CountRunJob.ran) >= PUSHERS * each + 3 * ticks * 5

    try:
        in_threads(tick, *(partial(push, source) for source in range(PUSHERS)))
        eventually(all_ran, "a run of each job")
    finally:
        ticker.stop()
        worker.stop()
        works.join(PATIENCE_SECONDS)

    of_threads = [[source, number] for source in range(PUSHERS) for number in range(each)]
    of_events = [[-n, number] for n in (1, 2, 3) for number in range(5)] * ticks
    assert sorted(CountRunJob.ran) == sorted(of_threads + of_events)
    assert redis.keys("clock:in_progress:*") == []
    assert counted(metrics) == len(CountRunJob.ran)


def counted(metrics: PrometheusMetrics) -> int:
    """The number of runs in the metrics."""
    request = {"REQUEST_METHOD": "GET", "PATH_INFO": "/metrics"}
    text = b"".join(metrics.app(request, lambda *_: lambda _data: None)).decode()
    rows = [line for line in text.splitlines() if "CountRunJob" in line and "_count{" in line]
    return sum(int(float(row.rpartition(" ")[2])) for row in rows)
