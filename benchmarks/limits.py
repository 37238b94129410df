"""The cost of limits: the drain with a limit that never takes effect, and the wait beside 10,000 blocked jobs.

    python benchmarks/limits.py [--rounds 5] [--count 20000] [--blocked 10000]

Both kinds of jobs are drained in turn, so that a busy moment of the machine affects both; the ratio of the medians
counts. For the wait, jobs of another class are pushed to a worker that is idle, with and without blocked jobs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it can be run as a file

from redis import Redis

from benchmarks.workers.running import CLOCK, drain, push, server, start_of, wait_until, worker
from clock.store import keys
from clock.store.jobs.flow import limit_holders

GOAL, GOAL_MS = 0.95, 5.0
WARM_UP = 50


def drains(redis: Redis, count: int, rounds: int) -> float:
    """The drain with the limit, divided by the drain without it."""
    found: dict[str, list[float]] = {"nothing": [], "limited": []}
    for _ in range(rounds):
        for kind, speeds in found.items():
            speeds.append(drain(redis, CLOCK, kind, count))
    for kind, speeds in found.items():
        print(f"  {kind:8} {median(speeds):9,.0f} jobs/s  ({', '.join(f'{speed:,.0f}' for speed in speeds)})")
    return median(found["limited"]) / median(found["nothing"])


def wait_ms(redis: Redis, jobs: int, blocked: int) -> float:
    """The median wait of jobs of another class, in ms, while so many jobs are blocked."""
    redis.flushall()
    limit_holders.set_maximum(redis, "held back", 0)
    with worker(redis, CLOCK):
        start_of(redis, CLOCK)
        if blocked:
            push(redis, CLOCK, "held", blocked)
            wait_until(lambda: redis.zcard(keys.BLOCKED) >= blocked, "the jobs are blocked")
        push(redis, CLOCK, "stamp", WARM_UP + jobs)
        wait_until(lambda: redis.llen("benchmark:waits") >= WARM_UP + jobs, "all jobs have run")
    return 1000 * median(float(text) for text in redis.lrange("benchmark:waits", 0, -1)[WARM_UP:])


def main() -> None:
    """Measure both. Exits 1 if a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--blocked", type=int, default=10_000)
    options = parser.parse_args()
    with server() as redis:
        print("Drain without a limit, and with one that never takes effect:")
        ratio = drains(redis, options.count, options.rounds)
        print(f"  ratio: {ratio:.3f} (goal: {GOAL})")
        print("Median wait of another class's jobs:")
        alone = wait_ms(redis, 100, 0)
        beside = wait_ms(redis, 100, options.blocked)
        print(f"  {alone:.2f} ms alone, {beside:.2f} ms beside {options.blocked:,} blocked jobs")
    sys.exit(0 if ratio >= GOAL and beside - alone < GOAL_MS else 1)


if __name__ == "__main__":
    main()
