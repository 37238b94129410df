"""The clock as a process: how soon it fires after its start, how soon another takes over, what it costs idle.

    python benchmarks/clock_process.py [--idle SECONDS]

A Valkey on this machine, real processes and signals. Ten events; one of them every second.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis

from benchmarks.faults.server import Server
from clock.clocks import SystemClock

ROUNDS = 5
JOB = """
from clock import Job, configure, every
class CountJob(Job):
    def perform(self, number): ...
configure(tz="UTC")
"""
EVERY_SECOND = JOB + 'every(1).seconds.do(CountJob, 1).named("often").catch_up("all")\n'
DAILY = JOB + 'for n in range(10):\n    every().day.at("03:00").do(CountJob, n).named(f"e{n}")\n'

TIME, NEVER = SystemClock(), threading.Event()


@contextmanager
def clock(folder: Path, server: Server, text: str) -> Iterator[subprocess.Popen[bytes]]:
    """A clock process of such a clock file."""
    file = folder / "clock.py"
    file.write_text(text)
    process = subprocess.Popen(
        [sys.executable, "-m", "clock", "run", str(file)],
        env={**os.environ, "REDIS_URL": server.url, "PYTHONDONTWRITEBYTECODE": ""},  # else each start compiles
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(redis: Redis, jobs: int) -> float:
    """Wait until so many jobs are in the queue; the moment."""
    while redis.llen("queue:default") < jobs:
        TIME.wait(NEVER, 0.001)
    return TIME.monotonic()


def holder(redis: Redis) -> Any:
    """Who leads."""
    return redis.hget("clock:lease", "identity")


def wait_for_other(redis: Redis, before: Any) -> float:
    """Wait until another clock leads; the moment."""
    while holder(redis) in (before, None):
        TIME.wait(NEVER, 0.001)
    return TIME.monotonic()


def first_enqueue(folder: Path, server: Server) -> float:
    """Seconds from the start of the process to its first job in Redis: an event is owed when it starts."""
    redis = server.redis
    redis.flushall()
    with clock(folder, server, EVERY_SECOND):
        wait_for(redis, 1)
    TIME.wait(NEVER, 1.5)
    before, started = redis.llen("queue:default"), TIME.monotonic()
    redis.delete("clock:lease")
    with clock(folder, server, EVERY_SECOND):
        return wait_for(redis, before + 1) - started


def take_over(folder: Path, server: Server, how: signal.Signals) -> float:
    """Seconds from the signal to the leader until the other clock leads."""
    redis = server.redis
    redis.flushall()
    with clock(folder, server, EVERY_SECOND) as leader:
        wait_for(redis, 1)
        with clock(folder, server, EVERY_SECOND):
            TIME.wait(NEVER, 2)
            before, sent = holder(redis), TIME.monotonic()
            leader.send_signal(how)
            return wait_for_other(redis, before) - sent


def idle(folder: Path, server: Server, seconds: float) -> tuple[float, int]:
    """The part of a core that an idle clock with 10 events uses, and the kB that it holds."""
    server.redis.flushall()
    with clock(folder, server, DAILY) as process:
        TIME.wait(NEVER, 2)
        before = cpu_seconds(process.pid)
        TIME.wait(NEVER, seconds)
        used = cpu_seconds(process.pid) - before
        status = Path(f"/proc/{process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        return used / seconds, int(found[1]) if found else 0


def cpu_seconds(pid: int) -> float:
    """The processor time that a process has used, to the microsecond where the system tells it."""
    run_ns = Path(f"/proc/{pid}/schedstat").read_text().split()[0]
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return max(int(run_ns), sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)) / 1e9


def median(numbers: list[float]) -> float:
    """The one in the middle."""
    return sorted(numbers)[len(numbers) // 2]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--idle", type=float, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Server(Path(name)) as server:
        folder = Path(name)
        starts = [first_enqueue(folder, server) for _ in range(ROUNDS)]
        print(f"first enqueue after the start: median {median(starts) * 1000:.0f} ms")
        terms = [take_over(folder, server, signal.SIGTERM) for _ in range(ROUNDS)]
        print(f"take-over after SIGTERM: median {median(terms) * 1000:.0f} ms, longest {max(terms) * 1000:.0f} ms")
        kills = [take_over(folder, server, signal.SIGKILL) for _ in range(ROUNDS)]
        print(f"take-over after SIGKILL: median {median(kills):.2f} s, longest {max(kills):.2f} s")
        part, resident = idle(folder, server, options.idle)
        print(f"idle with 10 events: {part * 100:.3f} % of a core, {resident / 1024:.1f} MB")


if __name__ == "__main__":
    main()
