"""How fast processes drain a queue: beside a bare loop, beside Sidekiq, and beside other Python programs.

    python benchmarks/drain.py [--seconds 5] [--only clock --only Huey]

Each program runs the same jobs on a Redis of its own kind, one after the other; what counts is the ratios. Run by
`make benchmark`, which installs the programs; those that are not installed are left out.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it can be run as a file

from redis import Redis

from benchmarks.workers.running import (
    BARE,
    CLOCK,
    PEERS,
    SIDEKIQ,
    Program,
    drain_for,
    push,
    server,
    sidekiq_is_here,
)
from benchmarks.workers.same_jobs import NAP_SECONDS, THREADS


def measure(
    redis: Redis,
    program: Program,
    seconds: float,
    kind: str = "nothing",
    level: str = "warning",
    processes: int = 1,
) -> float:
    """Jobs per second, printed; 0 if the program cannot be run here."""
    try:
        speed = drain_for(redis, program, kind, seconds, level, processes)
    except (subprocess.CalledProcessError, TimeoutError, OSError) as error:
        print(f"  {program.name:12} -  ({error})", flush=True)
        return 0.0
    print(f"  {program.name:12}{speed:9,.0f} jobs/s", flush=True)
    return speed


def ideal(count: int = 1_000) -> float:
    """Naps per second of ten threads that do nothing else: what sleeping itself allows on this machine."""

    def sleep_often() -> None:
        for _ in range(count):
            time.sleep(NAP_SECONDS)

    threads = [threading.Thread(target=sleep_often) for _ in range(THREADS)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return count * THREADS / (time.monotonic() - started)


def most_pops(redis: Redis, count: int = 100_000, at_once: int = 50) -> float:
    """Jobs a second that Redis's core can pop: payloads divided by the CPU seconds of its main thread."""
    redis.flushall()
    push(redis, BARE, "nothing", count)
    before = main_thread_seconds(redis)
    with redis.pipeline(transaction=False) as pipeline:
        for _ in range(count // at_once):
            pipeline.rpop("bare", at_once)
        pipeline.execute()
    speed = count / (main_thread_seconds(redis) - before)
    print(f"  {'Redis pops':12}{speed:9,.0f} jobs/s, {at_once} at once", flush=True)
    return speed


def main_thread_seconds(redis: Redis) -> float:
    """The CPU seconds that the server's main thread has used."""
    info: Any = redis.info("cpu")
    return float(info["used_cpu_user_main_thread"]) + float(info["used_cpu_sys_main_thread"])


def compare(what: str, ours: float, theirs: float, goal: float | None) -> None:
    """Print a ratio and its goal, if it has one."""
    if theirs:
        print(f"  {what}: {ours / theirs:.2f}" + (f" (goal: {goal:g})" if goal else ""), flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="about how long each program works")
    parser.add_argument("--only", action="append", help="a program; may be repeated")
    given = parser.parse_args()
    peers = [peer for peer in PEERS if not given.only or peer.name in given.only]
    with server() as redis:
        print("Jobs that do nothing, log level warning, one process:")
        bare = measure(redis, BARE, given.seconds)
        clock = measure(redis, CLOCK, given.seconds)
        sidekiq = measure(redis, SIDEKIQ, given.seconds) if sidekiq_is_here() else 0.0
        speeds = {peer.name: measure(redis, peer, given.seconds) for peer in peers}
        best = max(speeds.values(), default=0.0)
        print("Several processes:")
        doubled = 0.0
        for peer in peers:
            if best and speeds[peer.name] == best:
                print(f"  two of {peer.name}:")
                doubled = measure(redis, peer, given.seconds, processes=2)
        print("  four of clock:")
        four = measure(redis, CLOCK, given.seconds, processes=4)
        pops = most_pops(redis)
        print("With a line logged for each job:")
        logged = measure(redis, CLOCK, given.seconds, level="info")
        print(f"Jobs that wait {NAP_SECONDS * 1000:g} ms, {THREADS} threads:")
        limit = ideal()
        print(f"  {'no program':12}{limit:9,.0f} naps/s")
        napped = measure(redis, CLOCK, given.seconds, kind="nap")
    print("Ratios:")
    compare("clock to a bare loop", clock, bare, 0.5)
    compare("clock to Sidekiq", clock, sidekiq, 2)
    compare("clock to the best peer", clock, best, 10)
    compare("clock to two processes of the best peer", clock, doubled, 10)
    compare("four processes of clock to Redis's pops", four, pops, None)
    compare("clock with its log to the best peer without", logged, best, 5)
    compare("clock to threads that only wait", napped, limit, 0.9)


if __name__ == "__main__":
    main()
