"""Random faults of a Redis Cluster while clocks, workers and a pusher run: what is lost, missed and doubled.

    python -m benchmarks.faults.cluster [--seconds 180] [--durable 0] [--seed 7]

3 primaries and 3 replicas, 2 clocks, 2 workers and a process that pushes 50 jobs a second. Every few seconds one
fault: a planned fail-over, a move of the namespace's slot, or a primary that hangs (SIGSTOP) for 1 or 6 s, longer
than the cluster's node timeout of 2 s. It needs `redis-server` 7 and exits 1 if a confirmed push or a run is lost.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.clusters import Cluster
from tests.process.test_fail_over import CLOCK_FILE, NOTE_JOB, Pushes, firings, gaps
from tests.servers import Servers

SETTLE_SECONDS = 10.0  # until all processes run, and until the last fault is over
HANGS = (1.0, 6.0)  # seconds: below and above the node timeout


class Faults:
    """Causes one fault after another, and counts them."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self._cluster = cluster
        self._random = random.Random(seed)  # noqa: S311  # not for secrets
        self.done: Counter[str] = Counter()

    def run(self, seconds: float) -> None:
        """Cause faults for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            fault = self._random.choice((self.fail_over, self.move, self.hang))
            fault()
            self.done[fault.__name__] += 1
            time.sleep(self._random.uniform(2, 5))

    def fail_over(self) -> None:
        """Promote the replica of the namespace's node."""
        self._cluster.promote(self._cluster.replica_of(self._cluster.owner("shop")))

    def move(self) -> None:
        """Move the namespace's slot to another primary."""
        owner = self._cluster.owner("shop")
        others = [node for node in self._cluster.primaries() if node is not owner]
        self._cluster.move("shop", self._random.choice(others), 0.01)

    def hang(self) -> None:
        """Stop the process of the namespace's node for a while: its connections stay open."""
        info: Any = self._cluster.owner("shop").info("server")
        os.kill(info["process_id"], signal.SIGSTOP)
        time.sleep(self._random.choice(HANGS))
        os.kill(info["process_id"], signal.SIGCONT)


def start(folder: Path, url: str) -> list[subprocess.Popen[bytes]]:
    """Write the application, and start its clocks and workers."""
    for name, text in (("lib/clock.py", CLOCK_FILE), ("jobs/__init__.py", ""), ("jobs/note_job.py", NOTE_JOB)):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text.replace(".do(", '.catch_up("all").do('))
    environ = {**os.environ, "REDIS_URL": url}
    commands = (["lib/clock.py"], ["lib/clock.py"], ["worker"], ["worker"])
    with (folder / "log").open("ab") as log:
        return [
            subprocess.Popen(
                [sys.executable, "-m", "clock", *words], cwd=folder, env=environ, stdout=log, stderr=log
            )
            for words in commands
        ]


def stop(processes: list[subprocess.Popen[bytes]]) -> None:
    """Stop them; kill those that do not end."""
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()


def report(faults: Faults, pushes: Pushes, notes: Path) -> bool:
    """Print what happened. False: a confirmed push or a run was lost."""
    runs = Counter(notes.read_text().splitlines())
    lost, missed = set(pushes.done) - set(runs), gaps(sorted(set(firings(notes))))
    print(f"faults: {dict(faults.done)}")
    print(f"pushes: {len(pushes.done)} confirmed, {len(lost)} of them lost; {len(pushes.failed)} failed")
    print(f"runs of the clock: {len(set(firings(notes)))}, {len(missed)} missed")
    print(f"jobs that ran twice: {sum(count > 1 for count in runs.values())}")
    return not lost and not missed


def main() -> None:
    """Run the faults, and print what was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--durable", type=int, default=0)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    os.environ |= {"CLOCK_NAMESPACE": "shop", "CLOCK_DURABLE": str(given.durable)}
    servers, folder = Servers(), Path(tempfile.mkdtemp(prefix="clock-faults-"))
    processes: list[subprocess.Popen[bytes]] = []
    try:
        cluster = Cluster(servers, replicas=3)
        processes = start(folder, cluster.url)
        time.sleep(SETTLE_SECONDS)
        pushes, faults = Pushes(cluster.url), Faults(cluster, given.seed)
        faults.run(given.seconds)
        pushes.stop()
        time.sleep(SETTLE_SECONDS)
        stop(processes)
        is_well = report(faults, pushes, folder / "notes")
    finally:
        stop(processes)
        servers.end()
    print(f"log: {folder / 'log'}")
    sys.exit(0 if is_well else 1)


if __name__ == "__main__":
    main()
