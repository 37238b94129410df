"""What shards give: a model, its check by a discrete simulation, and a measurement on this machine.

    python -m benchmarks.shards model
    python -m benchmarks.shards simulate
    python -m benchmarks.shards measure [--seconds 10] [--shards 1 --shards 2 --shards 4]

The model has three figures: the microseconds that Redis needs for a push and for a claim (`benchmarks/cost.py`),
and the jobs a second of one worker process (`benchmarks/drain.py`, or threads divided by the time of a job). A
shard carries the lower of what its server and its workers do, and each shard gets the same share of the jobs.
"""

from __future__ import annotations

import argparse
import heapq
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from clock import Job
from clock.store.server.connection import connect, set_default, with_shards
from clock.store.server.shards import ShardSettings, every
from tests.servers import Servers, port_of

CLAIM_US, CLAIMED_JOB_US = 121.0, 5.1  # of Redis: a claim, and each job in it
MOST_CLAIMED = 50  # jobs in one claim of a busy worker
ROUND_TRIP_US = 200.0  # between two machines of one network
WORKERS, SHARDS = (10, 100, 1_000), (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True, slots=True)
class Load:
    """A kind of load: microseconds of Redis for a pushed job, and jobs a second of one worker process."""

    name: str
    push_us: float
    worker_speed: float

    @property
    def job_us(self) -> float:
        """Microseconds of Redis for a job, if workers are busy."""
        return self.push_us + CLAIM_US / MOST_CLAIMED + CLAIMED_JOB_US


LOADS = (
    Load("single pushes, jobs of 10 ms on 10 threads", 32.0, 1_000.0),
    Load("bulk pushes, jobs of 10 ms on 10 threads", 0.6, 1_000.0),
    Load("bulk pushes, jobs of 1 ms on 10 threads", 0.6, 5_000.0),
)


def capacity(load: Load, workers: int, shards: int) -> float:
    """Jobs a second, by the model. The shard with the fewest workers limits all: each gets the same share."""
    return shards * min(workers // shards * load.worker_speed, 1e6 / load.job_us)


class Server:
    """A Redis: it runs one command after the other. Times are in microseconds."""

    def __init__(self) -> None:
        self.free_at = 0.0
        self.waiting = 0

    def run(self, at: float, cost: float) -> float:
        """When a command that arrives at `at` is done."""
        self.free_at = max(self.free_at, at) + cost
        return self.free_at


def simulate(load: Load, workers: int, shards: int, rate: float, seconds: float = 1.0) -> tuple[float, int]:
    """Jobs done a second in the second half, and jobs that wait at the end, if `rate` jobs a second are pushed.

    Pushes arrive at random, in parcels of a cost of about 30 us. A worker claims up to `MOST_CLAIMED` jobs, runs
    them, and claims again in the round trip that acknowledges them.
    """
    rng, end, done = random.Random(7), seconds * 1e6, 0  # noqa: S311  # not for secrets
    servers = [Server() for _ in range(shards)]
    parcel = max(1, round(30 / load.push_us))
    gap = 1e6 * parcel / rate
    events: list[tuple[float, int]] = [(rng.random() * ROUND_TRIP_US, worker) for worker in range(workers)]
    events.append((0.0, -1))
    heapq.heapify(events)
    while events[0][0] < end:
        at, worker = heapq.heappop(events)
        server = servers[worker % shards if worker >= 0 else rng.randrange(shards)]
        if worker < 0:
            server.run(at, parcel * load.push_us)
            server.waiting += parcel
            heapq.heappush(events, (at + rng.expovariate(1 / gap), -1))
            continue
        taken = min(server.waiting, MOST_CLAIMED)
        server.waiting -= taken
        answered = server.run(at, CLAIM_US + taken * CLAIMED_JOB_US) + ROUND_TRIP_US
        done += taken if at > end / 2 else 0
        idle = 0.0 if taken else 2_000.0  # a worker without jobs waits in Redis for the next one
        heapq.heappush(events, (answered + idle + taken * 1e6 / load.worker_speed, worker))
    return done / (seconds / 2), sum(server.waiting for server in servers)


def print_model() -> None:
    """Print the capacity for each number of workers and shards."""
    for load in LOADS:
        print(f"\n{load.name}: {load.job_us:.1f} us of Redis a job, {load.worker_speed:,.0f} jobs/s a process")
        print(f"{'workers':>8}" + "".join(f"{f'{shards} shards':>12}" for shards in SHARDS))
        for workers in WORKERS:
            row = [capacity(load, workers, shards) for shards in SHARDS]
            print(f"{workers:>8}" + "".join(f"{speed:>12,.0f}" if speed else f"{'-':>12}" for speed in row))


def print_simulation() -> None:
    """Push 90 % and 120 % of the model's capacity: the first must keep up, the second must not."""
    print(
        f"{'load':44} {'workers':>7} {'shards':>6} {'model':>10} {'at 90 %':>10} {'waiting':>8} {'at 120 %':>10}"
    )
    for load in LOADS:
        for workers, shards in ((10, 1), (10, 4), (100, 1), (100, 8), (1_000, 8), (1_000, 32)):
            model = capacity(load, workers, shards)
            below, waiting = simulate(load, workers, shards, 0.9 * model)
            above, _ = simulate(load, workers, shards, 1.2 * model)
            size = f"{load.name:44} {workers:>7} {shards:>6}"
            print(f"{size} {model:>10,.0f} {below:>10,.0f} {waiting:>8,} {above:>10,.0f}", flush=True)


class NothingJob(Job):
    """A job that does nothing."""

    def perform(self, number: int) -> None:
        """Nothing."""


APPLICATION = """
from clock import Job
class NothingJob(Job):
    def perform(self, number): ...
"""


def measure(shards: int, seconds: float, processes: int) -> tuple[float, float, float]:
    """With so many servers: microseconds of CPU for a push in bulk, jobs run a second, cores of the servers."""
    servers = Servers()
    try:
        nodes = [servers.start() for _ in range(shards)]
        urls = tuple(f"redis://127.0.0.1:{port_of(node)}" for node in nodes)
        home = with_shards(connect(urls[0], max_connections=2), ShardSettings(1, urls if shards > 1 else ()))
        set_default(home)
        count = int(seconds * 20_000)
        began = time.process_time()
        NothingJob.perform_bulk([(number,) for number in range(count)])
        push_us = 1e6 * (time.process_time() - began) / count
        return push_us, *drained(nodes, urls, count, processes)
    finally:
        set_default(None)
        servers.end()


def drained(nodes: Sequence[Redis], urls: Sequence[str], count: int, processes: int) -> tuple[float, float]:
    """Jobs a second of so many worker processes, and the cores that the servers used in the meantime."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        (Path(folder) / "jobs.py").write_text(APPLICATION)
        where = {"REDIS_URLS": " ".join(urls)} if len(urls) > 1 else {"REDIS_URL": urls[0]}
        words = ["worker", "-r", "jobs.py", "-p", str(processes), "--log-level", "warning"]
        process = subprocess.Popen(
            [sys.executable, "-m", "clock", *words], cwd=folder, env={**os.environ, **where}
        )
        stack.callback(process.wait, 40)
        stack.callback(process.terminate)
        home = with_shards(connect(urls[0]), ShardSettings(1, tuple(urls) if len(urls) > 1 else ()))
        left = count
        while left > 0.9 * count:  # all processes work now
            left = sum(place.llen("queue:default") for place in every(home))
            time.sleep(0.01)
        began, first, cpu = time.perf_counter(), left, cpu_seconds(nodes)
        while left > 0.1 * count:
            left = sum(place.llen("queue:default") for place in every(home))
            time.sleep(0.01)
        took = time.perf_counter() - began
        return (first - left) / took, (cpu_seconds(nodes) - cpu) / took


def cpu_seconds(nodes: Sequence[Redis]) -> float:
    """The CPU time of the servers so far."""
    return sum(
        float(info["used_cpu_user"]) + float(info["used_cpu_sys"]) for info in (n.info("cpu") for n in nodes)
    )


def main() -> None:
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("model", "simulate", "measure"), default="measure")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--shards", type=int, action="append")
    given = parser.parse_args()
    if given.what == "model":
        print_model()
    elif given.what == "simulate":
        print_simulation()
    else:
        for shards in given.shards or (1, 2, 4):
            push_us, speed, cores = measure(shards, given.seconds, processes=4)
            speeds = f"push {push_us:.1f} us of the pusher's CPU, {speed:,.0f} jobs/s run"
            print(f"{shards} shards: {speeds}, {1e6 * cores / speed:.1f} us of Redis a job", flush=True)


if __name__ == "__main__":
    main()
