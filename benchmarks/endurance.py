"""What a worker costs while it has nothing to do, and whether its memory grows with the jobs it has run.

python benchmarks/endurance.py [--jobs 1000000] [--idle-seconds 20]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it can be run as a file

from redis import Redis

from benchmarks.workers.running import CLOCK, push, server, start_of, wait_until, worker

TICKS = os.sysconf("SC_CLK_TCK")
STEPS = 5


def processor_seconds(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mb(pid: int) -> float:
    """Memory that a process holds now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def idle_share(redis: Redis, seconds: float) -> float:
    """The share of a core that an idle worker uses."""
    redis.flushall()
    with worker(redis, CLOCK) as process:
        start_of(redis, CLOCK)
        time.sleep(2)
        before, began = processor_seconds(process.pid), time.monotonic()
        time.sleep(seconds)
        return (processor_seconds(process.pid) - before) / (time.monotonic() - began)


def memory(redis: Redis, jobs: int) -> list[float]:
    """MB held after each fifth of so many jobs."""
    redis.flushall()
    found = []
    with worker(redis, CLOCK) as process:
        start_of(redis, CLOCK)
        for _ in range(STEPS):
            push(redis, CLOCK, "nothing", jobs // STEPS)
            wait_until(lambda: not redis.exists("queue:default"), "all have run")
            found.append(resident_mb(process.pid))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=200_000)
    parser.add_argument("--idle-seconds", type=float, default=20.0)
    given = parser.parse_args()
    with server() as redis:
        share = idle_share(redis, given.idle_seconds)
        print(f"An idle worker uses {share:.2%} of a core (goal: under 1 %)", flush=True)
        held = memory(redis, given.jobs)
    print(f"Memory after each fifth of {given.jobs:,} jobs: {', '.join(f'{mb:.1f}' for mb in held)} MB")
    print(f"Growth since the first fifth: {held[-1] - held[0]:.1f} MB (goal: none)")


if __name__ == "__main__":
    main()
