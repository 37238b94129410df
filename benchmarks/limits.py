"""The cost of limits and rates: drains with one that never takes effect, and the wait beside 10,000 blocked jobs.

    python benchmarks/limits.py [--rounds 5] [--count 20000] [--blocked 10000]

The kinds of jobs are drained in turn, so that a busy moment of the machine affects all; the ratio of the medians
counts. The processor time of worker and Redis per job is printed too: on a busy machine it is the better measure.
On Linux, `chrt -f 10` before the command gives all processes real-time priority. So the drains of
docs/decisions/places-of-a-limit.md were measured; that page has the cost of each part, too.
For the wait, jobs of another class are pushed to a worker that is idle, with and without blocked jobs.
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
KINDS = ("nothing", "limited", "rated")


def drains(redis: Redis, count: int, rounds: int) -> float:
    """The slower one of the drains with a rule, divided by the drain without one."""
    speeds: dict[str, list[float]] = {kind: [] for kind in KINDS}
    costs: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    for _ in range(rounds):
        for kind in KINDS:
            speeds[kind].append(drain(redis, CLOCK, kind, count))
            costs[kind].append((processor_us(redis, "worker") / count, processor_us(redis, "redis") / count))
    for kind in KINDS:
        speed, ratio = median(speeds[kind]), median(speeds[kind]) / median(speeds["nothing"])
        used = [min(cost) for cost in zip(*costs[kind], strict=True)]
        part = sum(map(min, zip(*costs["nothing"], strict=True))) / sum(used)
        each = ", ".join(f"{one:,.0f}" for one in speeds[kind])
        print(f"  {kind:8} {speed:9,.0f} jobs/s, ratio {ratio:.3f} ({each})")
        words = f"{used[0]:.1f} + {used[1]:.1f} us of processor time per job (worker, Redis), ratio {part:.3f}"
        print(f"  {'':8} {words}")
    return min(median(speeds[kind]) for kind in KINDS) / median(speeds["nothing"])


def processor_us(redis: Redis, who: str) -> float:
    """The processor time that "worker" or "redis" used for the latest drain, in us."""
    started, ended = (float(redis.get(f"benchmark:{name}:{who}") or 0) for name in ("start", "end"))
    return 1_000_000 * (ended - started)


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
        print(f"Drain without a rule, and with a limit or a rate that never takes effect (goal: {GOAL}):")
        ratio = drains(redis, options.count, options.rounds)
        print("Median wait of another class's jobs:")
        alone = wait_ms(redis, 100, 0)
        beside = wait_ms(redis, 100, options.blocked)
        print(f"  {alone:.2f} ms alone, {beside:.2f} ms beside {options.blocked:,} blocked jobs")
    sys.exit(0 if ratio >= GOAL and beside - alone < GOAL_MS else 1)


if __name__ == "__main__":
    main()
