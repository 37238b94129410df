"""How long an idle worker lets a job wait, from the push to its start, and how late delayed jobs begin.

    python benchmarks/latency.py [--jobs 200] [--rounds 3] [--only clock]

Jobs are pushed one at a time, far enough apart that each finds the worker idle. The programs take turns, so that a
busy moment of the machine is not laid to one of them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it can be run as a file

from redis import Redis

from benchmarks.workers.clock_jobs.jobs import StampWaitJob
from benchmarks.workers.running import (
    CLOCK,
    PEERS,
    SIDEKIQ,
    Program,
    push,
    server,
    sidekiq_is_here,
    start_of,
    wait_until,
    worker,
)
from clock.store.server.connection import set_default

WARM_UP = 50


def waits(redis: Redis, program: Program, jobs: int) -> list[float]:
    """Seconds that each job waited."""
    redis.flushall()
    with worker(redis, program):
        start_of(redis, program)
        push(redis, program, "stamp", WARM_UP + jobs)
        wait_until(lambda: redis.llen("benchmark:waits") >= WARM_UP + jobs, f"{program.name} has run all")
    found = [float(text) for text in redis.lrange("benchmark:waits", 0, -1)]
    return found[WARM_UP:]


def in_turn(redis: Redis, programs: Sequence[Program], jobs: int, rounds: int) -> dict[str, list[float]]:
    """Seconds that each program's jobs waited, in all rounds; one that does not work here is left out."""
    found: dict[str, list[float]] = {program.name: [] for program in programs}
    for _ in range(rounds):
        for program in programs:
            if program.name in found:
                try:
                    found[program.name] += waits(redis, program, jobs)
                except (subprocess.CalledProcessError, TimeoutError) as error:
                    print(f"  {program.name:12} -  ({error})", flush=True)
                    del found[program.name]
    return found


def lateness(redis: Redis, jobs: int) -> list[float]:
    """Seconds by which delayed jobs of clock begin after they are due."""
    redis.flushall()
    set_default(redis)
    with worker(redis, CLOCK):
        start_of(redis, CLOCK)
        for index in range(jobs):
            due = time.time() + 0.2 + 0.05 * index
            StampWaitJob.perform_at(due, due)
        wait_until(lambda: redis.llen("benchmark:waits") >= jobs, "all delayed jobs have run")
    return [float(text) for text in redis.lrange("benchmark:waits", 0, -1)]


def show(name: str, seconds: Sequence[float]) -> float:
    """Print the median and the 99th percentile in ms; the latter."""
    cuts = quantiles(seconds, n=100)
    print(f"  {name:12}{cuts[49] * 1000:9.2f} ms median{cuts[98] * 1000:9.2f} ms p99", flush=True)
    return cuts[98]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=200, help="how many are pushed to each program in a round")
    parser.add_argument("--rounds", type=int, default=3, help="how often it is each program's turn")
    parser.add_argument("--only", action="append", help="a program; may be repeated")
    given = parser.parse_args()
    programs = [CLOCK, *([SIDEKIQ] if sidekiq_is_here() else []), *PEERS]
    with server() as redis:
        chosen = [program for program in programs if not given.only or program.name in given.only]
        print("From push to start, one job at a time:")
        found = {
            name: show(name, seconds) for name, seconds in in_turn(redis, chosen, given.jobs, given.rounds).items()
        }
        print("Delayed jobs, after they are due:")
        late = show("clock", lateness(redis, 100))
    peers = [seconds for name, seconds in found.items() if name not in ("clock", "Sidekiq")]
    print("Goals:")
    if peers and "clock" in found:
        print(f"  clock's p99 to the best peer's: {found['clock'] / min(peers):.2f} (goal: 1 or less)")
    print(f"  delayed jobs begin within {late * 1000:.1f} ms of their instant (goal: 50 ms)")


if __name__ == "__main__":
    main()
