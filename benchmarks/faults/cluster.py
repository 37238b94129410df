"""Random faults of a Redis Cluster while clocks, workers and a pusher run: what is lost, missed and doubled.

    python -m benchmarks.faults.cluster [--seconds 180] [--faults N] [--durable 0] [--shards 1] [--hosts] ...

3 primaries and 3 replicas, 2 clocks and 2 workers (with 3 shards 5 and 4), and a process that pushes 50 jobs a
second. Every few seconds one fault: a planned fail-over; a move of the slot of a shard; a primary that hangs
(SIGSTOP) for 1 or 6 s, longer than the cluster's node timeout of 2 s; or a primary whose answers are 200 ms late.
With `--hosts` each node runs in a network namespace. The packets of the late primary are delayed to all, also to
the other nodes. And there are partitions: a primary does not get the packets of the application, the application
does not get those of a primary, or a primary is cut off from the other nodes.

The long form is `--seconds 3600`; `--faults 4` ends after so many. It needs `redis-server` 7, and root for
`--hosts`. It prints the time of each fault and of each lost push; with `--hosts` the nodes' logs are beside that
of the processes. It exits 1 if a run of the clock is missed; with `--durable 1` also if a run is decided twice or
a confirmed push is lost. Without it, Redis loses what it had not replicated, and that is counted.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from redis import Redis

from benchmarks.faults.hosts import Hosts
from clock import Job
from clock.store.server.shards import namespace_of_shard
from tests.clusters import Cluster, Start
from tests.process.test_fail_over import CLOCK_FILE, NOTE_JOB, Pushes, firings, gaps
from tests.servers import Servers

SETTLE_SECONDS = 60.0  # at most, until all processes run; and until all jobs have run
HANGS = (1.0, 6.0)  # seconds: below and above the node timeout
EVENT = "each-second"
RECENT = 100  # decisions of the clock that are read after each fault: it takes less seconds
SLOW_SECONDS, LATE_SECONDS = 4.0, 0.2


class NoteJob(Job):
    """The job of the application, to be pushed."""

    def perform(self, what: str) -> None:
        """Nothing: the application's own class runs."""


class ClientPushes(Pushes):
    """Pushes by the client, which spreads them over the shards; and when each was confirmed."""

    def __init__(self, url: str) -> None:
        self.confirmed_at: dict[str, str] = {}
        super().__init__(url)

    def push(self, redis: Redis, what: str) -> None:
        """Push one job by the client."""
        NoteJob.set(jid=what).perform_async(what)
        self.confirmed_at[what] = now()


class Faults:
    """Causes one fault after another, and counts them."""

    def __init__(self, cluster: Cluster, seed: int, shards: int, hosts: Hosts | None) -> None:
        self._cluster = cluster
        self._hosts = hosts
        self._spaces = [namespace_of_shard("shop", number) for number in range(shards)]
        self._space = "shop"
        self._random = random.Random(seed)  # noqa: S311  # not for secrets
        self.done: Counter[str] = Counter()
        self._decided: dict[int, set[bytes]] = {}  # due instant -> ids of its entries in the history

    def run(self, seconds: float, most: int | None) -> None:
        """Cause faults for so long, or so many."""
        end = time.monotonic() + seconds
        partitions = (self.cut_off, self.mute, self.deaf) if self._hosts else ()
        kinds = [self.fail_over, self.slow, *partitions, self.move, self.hang]
        while time.monotonic() < end and (most is None or self.done.total() < most):
            number = self.done.total()  # each kind once, then at random
            fault = kinds[number] if number < len(kinds) else self._random.choice(kinds)
            self._space = self._random.choice(self._spaces)
            print(f"{now()} {fault.__name__} {self._space} on {self._cluster.host_of(self._owner())}", flush=True)
            fault()
            print(f"{now()} end of {fault.__name__}", flush=True)
            self.done[fault.__name__] += 1
            time.sleep(self._random.uniform(2, 5))
            self.note_decisions()

    def note_decisions(self) -> None:
        """Read the latest decisions of the clock."""
        rows: Any = self._cluster.owner("shop").xrevrange(f"{{shop}}:clock:history:{EVENT}", count=RECENT)
        for entry, fields in rows:
            self._decided.setdefault(json.loads(fields[b"entry"])["due"], set()).add(entry)

    @property
    def decided_twice(self) -> list[int]:
        """The due instants with two decisions."""
        return [due for due, entries in self._decided.items() if len(entries) > 1]

    def fail_over(self) -> None:
        """Promote the replica of the namespace's node."""
        self._cluster.promote(self._cluster.replica_of(self._owner()))

    def move(self) -> None:
        """Move the namespace's slot to another primary."""
        owner = self._owner()
        others = [node for node in self._cluster.primaries() if node is not owner]
        self._cluster.move(self._space, self._random.choice(others), 0.01)

    def hang(self) -> None:
        """Stop the process of the namespace's node for a while: its connections stay open."""
        self._pause(self._pid(), self._random.choice(HANGS))

    def slow(self) -> None:
        """Make each answer of the namespace's node 200 ms late."""
        if self._hosts:
            self._hosts.late(self._cluster.host_of(self._owner()), LATE_SECONDS, SLOW_SECONDS)
            return
        pid, end = self._pid(), time.monotonic() + SLOW_SECONDS
        while time.monotonic() < end:
            self._pause(pid, LATE_SECONDS)
            time.sleep(0.02)

    def deaf(self) -> None:
        """Drop what the application sends to the node: a partition of one direction."""
        self._cut("INPUT", [])

    def mute(self) -> None:
        """Drop what the node sends to the application: it runs commands, and their answers are lost."""
        self._cut("OUTPUT", [])

    def cut_off(self) -> None:
        """Cut the node off from the other nodes: its replica takes over while the application still reaches it."""
        owner = self._cluster.host_of(self._owner())
        self._cut("INPUT", [host for host in self._cluster.hosts if host != owner])

    def _owner(self) -> Redis:
        return self._cluster.owner(self._space)

    def _pid(self) -> int:
        info: Any = self._owner().info("server")
        return int(info["process_id"])

    def _pause(self, pid: int, seconds: float) -> None:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(pid, signal.SIGCONT)

    def _cut(self, chain: str, nodes: list[str]) -> None:
        assert self._hosts is not None
        others, seconds = nodes or [self._hosts.outside], self._random.choice(HANGS)
        self._hosts.cut(self._cluster.host_of(self._owner()), chain, others, seconds)


def now() -> str:
    """The time of day, to compare with the log of the processes."""
    return f"{datetime.now(UTC):%H:%M:%S.%f}"[:-3]


def start(folder: Path, url: str, shards: int) -> list[subprocess.Popen[bytes]]:
    """Write the application, and start its clocks and workers."""
    for name, text in (("lib/clock.py", CLOCK_FILE), ("jobs/__init__.py", ""), ("jobs/note_job.py", NOTE_JOB)):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text.replace(".do(", '.catch_up("all").do('))
    environ = {**os.environ, "REDIS_URL": url}
    clocks, workers = max(2, 2 * shards - 1), shards + 1
    commands = [*[["lib/clock.py"]] * clocks, *[["worker"]] * workers]
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


def runs(notes: Path) -> Counter[str]:
    """How often each job ran."""
    return Counter(notes.read_text().splitlines()) if notes.exists() else Counter()


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds, for `SETTLE_SECONDS` at most: the report shows what is missing."""
    end = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < end and not condition():
        time.sleep(0.5)


def places_of(cluster: Cluster, whats: set[str]) -> dict[str, str]:
    """The key that holds each of these jobs; a job that is in no key is missing."""
    found: dict[str, str] = {}
    for node in cluster.primaries():
        for key in node.scan_iter():
            text = b"\n".join(_members(node, key)).decode(errors="replace")
            found |= {what: key.decode() for what in whats if f'"jid":"{what}"' in text}
    return found


def _members(node: Any, key: bytes) -> list[bytes]:
    kind = node.type(key)
    if kind == b"hash":
        return [*node.hgetall(key).values()]
    return [*node.lrange(key, 0, -1)] if kind == b"list" else [*node.zrange(key, 0, -1)] if kind == b"zset" else []


def report(faults: Faults, pushes: ClientPushes, notes: Path, durable: int) -> bool:
    """Print what happened. False: a run was missed or decided twice, or a durable push was lost."""
    ran = runs(notes)
    doubled = [what for what, count in ran.items() if count > 1]
    lost, missed = set(pushes.done) - set(ran), gaps(sorted(set(firings(notes))))
    for what in sorted(lost):
        print(f"lost: {what}, confirmed at {pushes.confirmed_at[what]}")
    print(f"faults: {dict(faults.done)}")
    print(f"pushes: {len(pushes.done)} confirmed, {len(lost)} of them lost; {len(pushes.failed)} failed")
    decided = f"{len(missed)} missed, {len(faults.decided_twice)} decided twice"
    print(f"runs of the clock: {len(set(firings(notes)))}, {decided}")
    of_clock = sum(what.startswith("20") for what in doubled)
    print(f"jobs that ran twice: {len(doubled)}, {of_clock} of them of the clock")
    is_lost = bool(lost) and durable > 0
    return not (is_lost or missed or (durable and faults.decided_twice))


def starts(hosts: Hosts, folder: Path) -> list[Start]:
    """How each node is started on its host."""
    return [
        Start(
            address,
            hosts.on(number),
            ("--bind", address, "--protected-mode", "no", "--logfile", f"{folder}/{address}.log"),
        )
        for number, address in enumerate(hosts.addresses)
    ]


def options() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--faults", type=int, help="end after so many")
    parser.add_argument("--durable", type=int, default=0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--hosts", action="store_true", help="run each node in a network namespace")
    return parser.parse_args()


def main() -> None:
    """Run the faults, and print what was lost."""
    given = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # removes the hosts
    os.environ |= {"CLOCK_NAMESPACE": "shop", "CLOCK_DURABLE": str(given.durable)}
    os.environ["CLOCK_SHARDS"] = str(given.shards)
    hosts = Hosts(6) if given.hosts else None
    servers, folder = Servers(), Path(tempfile.mkdtemp(prefix="clock-faults-"))
    notes, processes = folder / "notes", list[subprocess.Popen[bytes]]()
    try:
        cluster = Cluster(servers, replicas=3, starts=starts(hosts, folder) if hosts else None)
        processes = start(folder, cluster.url, given.shards)
        os.environ["REDIS_URL"] = cluster.url
        pushes = ClientPushes(cluster.url)
        wait_for(lambda: len(firings(notes)) > 1 if notes.exists() else False)
        faults = Faults(cluster, given.seed, given.shards, hosts)
        faults.run(given.seconds, given.faults)
        pushes.stop()
        wait_for(lambda: set(pushes.done) <= set(runs(notes)))
        for what, key in places_of(cluster, set(pushes.done) - set(runs(notes))).items():
            print(f"{what} has not run: it is in {key}", flush=True)
        faults.note_decisions()
        stop(processes)
        is_well = report(faults, pushes, notes, given.durable)
    finally:
        stop(processes)
        servers.end()
        if hosts:
            hosts.end()
    print(f"log: {folder / 'log'}")
    sys.exit(0 if is_well else 1)


if __name__ == "__main__":
    main()
