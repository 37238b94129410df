"""How late is what is due every second enqueued? Twenty events, beside other schedulers.

    python benchmarks/lateness.py [--seconds 60] [NAME ...]

Each scheduler runs in a process of its own and pushes to a Valkey on this machine; an observer notes when a job
arrives. Lateness is told against the whole second for schedulers that aim at it, else against the earliest moment
of a second at which the event's own jobs arrive. What is not installed is passed over.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from redis import Redis

from benchmarks.faults.server import Server
from clock.clocks import SystemClock

EVENTS = 20
#: name -> (its command's words, the list that it pushes to, how a job names its event, whether it aims at seconds)
Named = Callable[[dict[str, Any]], object]


def _celery_event(job: dict[str, Any]) -> object:
    return job["headers"]["argsrepr"]


SCHEDULERS: dict[str, tuple[list[str], str, Named, bool]] = {
    "clock": (["-m", "clock", "run", "events.py"], "queue:default", lambda job: job["args"][0], True),
    "bare timer": (["-m", "benchmarks.schedulers.with_a_timer"], "jobs", lambda job: job["event"], True),
    "schedule": (["-m", "benchmarks.schedulers.with_schedule"], "jobs", lambda job: job["event"], False),
    "apscheduler": (["-m", "benchmarks.schedulers.with_apscheduler"], "jobs", lambda job: job["event"], True),
    "apscheduler 4": (["-m", "benchmarks.schedulers.with_apscheduler4"], "jobs", lambda job: job["event"], True),
    "celery beat": (["-m", "benchmarks.schedulers.with_celery_beat"], "celery", _celery_event, False),
    "rq cron": (["-m", "benchmarks.schedulers.with_rq_cron"], "jobs", lambda job: job["event"], False),
}
CLOCK_FILE = f"""
from clock import Job, configure, every
class CountJob(Job):
    def perform(self, number): ...
configure(tz="UTC")
for number in range({EVENTS}):
    every(1).seconds.do(CountJob, number).named(f"event.{{number}}")
"""


def observe(redis: Redis, key: str, seconds: float, is_running: Callable[[], bool]) -> list[tuple[float, bytes]]:
    """When which job arrived, for so many seconds after the first."""
    time = SystemClock()
    arrived: list[tuple[float, bytes]] = []
    until = time.monotonic() + seconds + 15
    while time.monotonic() < until and is_running():
        first: Any = redis.brpop([key], timeout=1)
        at = time.now().timestamp()
        if first is None:
            continue
        if not arrived:
            until = time.monotonic() + seconds
        rest: Any = redis.rpop(key, 1000) or []
        arrived += [(at, payload) for payload in (first[1], *rest)]
    return arrived


def latenesses(
    arrived: list[tuple[float, bytes]], named: Named, aims_at_seconds: bool
) -> tuple[list[float], float]:
    """In milliseconds, in order of size; and by how many ms a minute the jobs of an event drift apart."""
    by_event: dict[object, list[float]] = defaultdict(list)
    for at, payload in arrived:
        by_event[named(json.loads(payload))].append(at)
    late, drifts = [], []
    for instants in by_event.values():
        first = instants[0]
        # Without a second to aim at: the earliest that its jobs come, seen from the first.
        origin = first // 1 if aims_at_seconds else first + min((at - first + 0.5) % 1 - 0.5 for at in instants)
        of_event = [(at - origin - round(at - origin - 0.3)) * 1000 for at in instants[1:]]
        half = max(1, len(of_event) // 2)
        drifts.append((median(of_event[half:]) - median(of_event[:half])) * 60 / half)
        late += of_event
    return sorted(late), median(drifts)


def measure(name: str, seconds: float) -> str:
    """A line about a scheduler."""
    words, key, named, aims = SCHEDULERS[name]
    with tempfile.TemporaryDirectory() as folder_name, Server(Path(folder_name)) as server:
        folder = Path(folder_name)
        (folder / "events.py").write_text(CLOCK_FILE)
        root = str(Path(__file__).parents[1])
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=folder,
            env={**os.environ, "REDIS_URL": server.url, "PYTHONPATH": root, "EVENTS": str(EVENTS)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        arrived = observe(server.redis, key, seconds, lambda: process.poll() is None)
        failed = process.poll() is not None
        process.kill()
        errors = process.communicate()[1].decode().strip().splitlines()
    if failed or not arrived:
        return f"{name:13} not measured: {errors[-1] if errors else 'no job arrived'}"
    late, drift = latenesses(arrived, named, aims)
    part = {share: late[min(len(late) - 1, int(len(late) * share))] for share in (0.5, 0.99)}
    return (
        f"{name:13} p50 {part[0.5]:7.2f} ms  p99 {part[0.99]:7.2f} ms  longest {late[-1]:7.2f} ms  "
        f"drift {drift:+7.1f} ms a minute  ({len(late)} jobs)"
    )


def main() -> None:
    """Measure one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("names", nargs="*", default=list(SCHEDULERS))
    options = parser.parse_args()
    for name in options.names:
        print(measure(name, options.seconds), flush=True)


if __name__ == "__main__":
    main()
