"""Measures the version of clock in PYTHONPATH for `benchmarks/setups.py`; prints microseconds as JSON.

It uses only what versions before namespaces have, too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median

from redis import Redis

from clock import Job
from clock.job.push.client import using_clock
from clock.store.ledger.ledger import RedisLedger
from clock.store.server.connection import connect, default
from clock.testing import FakeClock
from clock.ticker import Signature, Ticker
from clock.timetable import load

PUSHES, BULK, JOBS, EVENTS, TICKS = 50, 500, 4_000, 20, 2
PARTS = 60  # each figure is the least of so many: short parts fit between other programs
LATE = 5 * EVENTS  # runs whose lateness is measured
MARK = 100  # jobs between two looks of a worker at its CPU time
SIX = datetime(2026, 11, 24, 6, tzinfo=UTC)
CLOCK_FILE = f"""
from clock import Job, configure, every
class CountJob(Job):
    def perform(self, number): ...
configure(tz="UTC")
for n in range({EVENTS}):
    every(1).seconds.do(CountJob, n).named(f"e{{n}}")
"""
APPLICATION = """
import time
from itertools import count
from pathlib import Path
from clock import Job
runs = count()
class NothingJob(Job):
    def perform(self, number):
        if next(runs) % 100 == 0:
            with Path("times").open("a") as times:
                times.write(f"{time.process_time()}\\n")
"""


class NothingJob(Job):
    """The job of the application, to be pushed."""

    def perform(self, number: int) -> None:
        """Nothing: the application's own class runs."""


def cost(act: Callable[[], object], count: int) -> float:
    """Microseconds of CPU for each of `count` steps; the least of several tries."""
    found = []
    for _ in range(PARTS):
        began = time.process_time()
        act()
        found.append(1e6 * (time.process_time() - began) / count)
    return min(found)


def push_singly() -> None:
    """As many `perform_async`."""
    for number in range(PUSHES):
        NothingJob.perform_async(number)


def push_in_bulk() -> None:
    """One `perform_bulk`."""
    NothingJob.perform_bulk([(number,) for number in range(1, BULK + 1)])


def run_by_worker(folder: Path) -> float:
    """Microseconds of a worker's CPU for a job: the least of the parts between its marks."""
    (folder / "jobs.py").write_text(APPLICATION)
    NothingJob.perform_bulk([(number,) for number in range(3 * JOBS)])
    times = folder / "times"
    words = ["-m", "clock", "worker", "-r", "jobs.py", "--log-level", "warning"]
    worker = subprocess.Popen([sys.executable, *words], cwd=folder)
    try:
        deadline = time.monotonic() + 60
        while (len(times.read_text().split()) if times.exists() else 0) < JOBS // MARK + 1:
            if time.monotonic() > deadline:
                raise TimeoutError("the worker does not run the jobs")
            time.sleep(0.02)
    finally:
        worker.terminate()
        worker.wait(30)
    marks = [float(mark) for mark in times.read_text().split()]
    return min(1e6 * (later - earlier) / MARK for earlier, later in pairwise(marks))


def commit(folder: Path) -> float:
    """Microseconds of the clock's CPU for a due instant."""
    (folder / "events.py").write_text(CLOCK_FILE)
    now = FakeClock(SIX)
    with using_clock(now):
        timetable, ledger = load(folder / "events.py"), RedisLedger(default())
        ticker = Ticker(timetable, ledger=ledger, clock=now, signature=Signature("h", "v"))
        ticker.tick()

        def tick() -> None:
            for _ in range(TICKS):
                now.advance(timedelta(seconds=1))
                ticker.tick()

        return cost(tick, EVENTS * TICKS)


def lateness(folder: Path) -> float:
    """Microseconds from the due instant of a run until its job is taken from Redis: the median of several."""
    namespace = os.environ.get("CLOCK_NAMESPACE")
    key = f"{{{namespace}}}:queue:default" if namespace else "queue:default"
    late: list[float] = []
    words = [sys.executable, "-m", "clock", "run", "events.py"]
    clock = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL)
    try:
        with Redis.from_url(os.environ["REDIS_URL"]) as redis:
            deadline = time.monotonic() + 60
            while len(late) < LATE:
                if redis.brpop([key], timeout=1) is not None:
                    late.append(time.time() % 1)
                elif time.monotonic() > deadline:
                    raise TimeoutError("the clock does not push")
    finally:
        clock.terminate()
        clock.wait(30)
    return 1e6 * median(late[EVENTS:])  # the first second may be late: the clock has just started


def main() -> None:
    """Measure and print."""
    NothingJob.perform_async(1)
    found = {"a push": cost(push_singly, PUSHES), "a job of a bulk push": cost(push_in_bulk, BULK)}
    with tempfile.TemporaryDirectory() as name:
        found["a due instant"] = commit(Path(name))
        with connect(os.environ["REDIS_URL"]) as redis:
            redis.flushall()
            found["lateness of a run"] = lateness(Path(name))
            redis.flushall()
        found["a job that a worker runs"] = run_by_worker(Path(name))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
