"""What a job costs Redis: commands, bytes on the network, and microseconds of the CPU of its one thread.

    python benchmarks/cost.py [--jobs 20000]

A server of its own is started. Jobs are pushed one by one, pushed in bulk, and claimed and acknowledged as a busy
worker does. The server's INFO counts commands (those inside scripts, too), bytes, and the CPU time of its main
thread, kernel included. Redis runs all commands on that thread: a second of it, divided by the cost of a job, is
the ceiling of one server.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it can be run as a file

from redis import Redis

from clock.clocks import from_ms
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.queues import Parcel, push_commands
from clock.store.server.connection import connect
from clock.store.server.embedded import embedded
from clock.store.server.sending import send

PAYLOAD = json.dumps(
    {"class": "SendReceiptJob", "args": [12345, "mail"], "jid": "0" * 24, "queue": "default", "retry": True}
)
BULK = 1_000  # jobs in one command of perform_bulk
FEW, MANY = 1, 50  # jobs in a claim of a worker with long jobs, and of a busy one with short jobs


@dataclass(frozen=True, slots=True)
class Counters:
    """What a server has done: commands, bytes in and out, microseconds of CPU of its main thread."""

    commands: float
    bytes: float
    cpu_us: float

    @classmethod
    def of(cls, redis: Redis) -> Counters:
        """Up to now."""
        info: Any = redis.info("everything")
        cpu = info["used_cpu_user_main_thread"] + info["used_cpu_sys_main_thread"]
        network = info["total_net_input_bytes"] + info["total_net_output_bytes"]
        return cls(info["total_commands_processed"], network, cpu * 1e6)


def measure(redis: Redis, name: str, jobs: int, act: Callable[[], None]) -> float:
    """Run something that handles so many jobs, and print what each cost. Returns its microseconds of CPU."""
    before = Counters.of(redis)
    act()
    after = Counters.of(redis)
    cpu = (after.cpu_us - before.cpu_us) / jobs
    commands = (after.commands - before.commands) / jobs
    size = (after.bytes - before.bytes) / jobs
    print(
        f"{name:36} {commands:6.2f} commands {size:7.0f} bytes {cpu:7.2f} us  ->  {1e6 / cpu:9,.0f} jobs a second"
    )
    return cpu


def push_singly(redis: Redis, jobs: int) -> None:
    """As many `perform_async`."""
    for _ in range(jobs):
        send(redis, [push_commands([Parcel("default", [PAYLOAD])])], within=5.0)


def push_in_bulk(redis: Redis, jobs: int) -> None:
    """One `perform_bulk`."""
    batches = [push_commands([Parcel("default", [PAYLOAD] * BULK)]) for _ in range(jobs // BULK)]
    send(redis, batches, within=60.0)


def drain(redis: Redis, at_once: int) -> None:
    """Claim and acknowledge all jobs, so many in a round trip."""
    own, done = InProgress(redis, "benchmark"), list[int]()
    while jobs := own.claim(["default"], at_once, done=done, now=from_ms(0), expires_seconds=60.0):
        done = [job.number for job in jobs]


def main() -> None:
    """Print the costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=20_000)
    jobs: int = parser.parse_args().jobs
    with tempfile.TemporaryDirectory() as folder:
        redis = connect(embedded.start_or_join(Path(folder)), max_connections=4)
        redis.config_set("appendonly", "no")
        single = measure(redis, "perform_async", jobs, lambda: push_singly(redis, jobs))
        few = measure(redis, f"claim and acknowledge, {FEW} at once", jobs, lambda: drain(redis, FEW))
        bulk = measure(redis, f"perform_bulk, {BULK} at once", jobs, lambda: push_in_bulk(redis, jobs))
        many = measure(redis, f"claim and acknowledge, {MANY} at once", jobs, lambda: drain(redis, MANY))
        redis.close()
    for name, cost in (("single pushes and claims", single + few), ("bulk pushes and claims", bulk + many)):
        print(f"ceiling of one server with {name}: {1e6 / cost:,.0f} jobs a second")


if __name__ == "__main__":
    main()
