"""Worker processes to be killed, and the trace of what they ran."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.faults.server import Server
from benchmarks.faults.shop.jobs import HoldLockJob, TraceRunJob
from clock.store.server.connection import set_default

ROOT = Path(__file__).parent.parent.parent
PATIENCE_SECONDS = 120.0
SHOP = "benchmarks/faults/shop"
SHOWN_CHARACTERS = 10_000  # of the workers' output


def wait_until(condition: Any, what: str) -> None:
    """Wait until `condition()` holds. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited in vain until {what}")
        time.sleep(0.02)


class WorkerGroup:
    """Worker processes, and the trace of their jobs."""

    def __init__(self, folder: Path, server: Server, *, heartbeat: float = 5.0, shop: str = SHOP) -> None:
        self.redis = server.redis
        self._trace = folder / "trace"
        self._output = folder / "log"
        self._log = self._output.open("ab")
        self._shop = shop
        self.environment = {
            **os.environ,
            "REDIS_URL": server.url,
            "TRACE": str(self._trace),
            "CLOCK_HEARTBEAT": str(heartbeat),
            "PYTHONPATH": str(ROOT),
        }
        self.members: list[subprocess.Popen[bytes]] = []

    def start(self, count: int = 1) -> None:
        """Start workers."""
        words = [sys.executable, "-m", "clock", "worker", "-r", self._shop, "-c", "5"]
        for _ in range(count):
            self.members.append(
                subprocess.Popen(
                    [*words, "--log-level", "warning"],
                    cwd=ROOT,
                    env=self.environment,
                    stdout=self._log,
                    stderr=self._log,
                )
            )

    def push(self, count: int, seconds: float = 0.0) -> None:
        """Push jobs 0, 1, 2... that take so long each."""
        set_default(self.redis)
        TraceRunJob.perform_bulk([[number, seconds] for number in range(count)])
        set_default(None)

    def push_frozen(self, numbers: Sequence[int], seconds: float) -> None:
        """Push jobs of these numbers that hold the interpreter lock for so long each."""
        set_default(self.redis)
        HoldLockJob.perform_bulk([[number, seconds] for number in numbers])
        set_default(None)

    def strike(self, number: signal.Signals, rng: random.Random) -> int:
        """Send a signal to one that works, wait for its end, start another; how many jobs it left in progress."""
        working = [member for member in self.members if self._hash(member)]
        if not working:
            return 0
        victim = rng.choice(working)
        victim.send_signal(number)
        victim.wait(PATIENCE_SECONDS)
        self.members.remove(victim)
        name = self._hash(victim)
        left = int(self.redis.hlen(name)) if name else 0
        self.start()
        return left

    def runs(self) -> Counter[int]:
        """How often each job was run."""
        if not self._trace.exists():
            return Counter()
        lines = self._trace.read_text().splitlines()
        return Counter(int(line) for line in lines if line.isdigit())  # a fuzzed job may write anything

    def buried(self) -> set[int]:
        """The jobs that were buried because three workers died while they ran."""
        rows: Any = self.redis.zrange("dead", 0, -1)
        dead = [json.loads(row) for row in rows]
        return {job["args"][0] for job in dead if job["error_class"] == "WorkerKilled"}

    def wait_for(self, jobs: int) -> None:
        """Wait until so many different jobs have run, or are buried for having killed three workers.

        Raises AssertionError, which says where the others are.
        """
        try:
            wait_until(lambda: len(self.runs().keys() | self.buried()) == jobs, "each job has run")
        except TimeoutError:
            raise AssertionError(f"{jobs - len(self.runs())} jobs did not run; {self._whereabouts()}") from None

    def _whereabouts(self) -> str:
        held = {name: self.redis.hlen(name) for name in self.redis.keys("clock:in_progress:*")}
        sets = {name: self.redis.zcard(name) for name in ("retry", "schedule", "dead")}
        ended = [member.returncode for member in self.members if member.poll() is not None]
        return f"{self.redis.llen('queue:default')} wait; in progress {held}; {sets}; workers that ended: {ended}"

    def check_all_live(self) -> None:
        """Raises AssertionError with the exit codes, and the end of the output of all, if a worker has ended."""
        ended = {member.pid: member.returncode for member in self.members if member.poll() is not None}
        assert not ended, f"workers that ended (pid: exit code): {ended}; output:\n{self._output_end()}"

    def _output_end(self) -> str:
        return self._output.read_text(errors="replace")[-SHOWN_CHARACTERS:]

    def stop(self) -> None:
        """End all in order."""
        for member in self.members:
            member.terminate()
        for member in self.members:
            member.wait(PATIENCE_SECONDS)
        self._log.close()

    def _hash(self, member: subprocess.Popen[bytes]) -> bytes | None:
        names: Any = self.redis.keys(f"clock:in_progress:*:{member.pid}:*")
        return next(iter(names), None)


@contextmanager
def crew(
    folder: Path, server: Server, *, count: int, heartbeat: float = 5.0, shop: str = SHOP
) -> Iterator[WorkerGroup]:
    """Workers that are stopped at the end."""
    found = WorkerGroup(folder, server, heartbeat=heartbeat, shop=shop)
    found.start(count)
    try:
        yield found
    finally:
        found.stop()
