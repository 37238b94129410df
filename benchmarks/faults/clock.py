"""Three clocks on one clock file, killed, stopped, cut off and misled: is each due instant enqueued exactly once?

    python -m benchmarks.faults.clock --seconds 1800

Fifty events of one second and a few: job classes, and callables that push several jobs. Meanwhile random clocks
get SIGKILL, SIGSTOP and later SIGCONT, or SIGTERM, and are started again; their machines' wall clocks are set
forwards and back; connections are cut; the server is killed and started again. It loses the ledger, a part of it,
or all that it has, and an older snapshot is restored; jobs that are lost with that are counted first. In the end
the jobs in the queue and the history are counted against the timetable, which is a pure function of the anchors.
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
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis

from benchmarks.faults.server import Server
from clock.clocks import SystemClock, from_ms
from clock.store import keys, listing
from clock.store.ledger import history, next_due
from clock.timetable import Timetable, load

CLOCKS = 3
LEDGER = (keys.LEDGER_ANCHOR, keys.LEDGER_DECLARATION, keys.LEDGER_DECIDED)
QUEUE = "queue:default"
STEPS = (-3600, -5, -0.3, 0, 0.3, 5, 3600)  # seconds that a machine's wall clock is set off by
EVENTS = 50
PATIENCE_SECONDS = 60.0  # until the clocks have decided all that was due when the faults ended
ROOT = Path(__file__).parents[2]

CLOCK_FILE = """
from clock import Job, configure, every

class CountJob(Job):
    def perform(self, *args): ...

def push_three():
    CountJob.perform_async("one")
    CountJob.perform_bulk([["two"], ["three"]])

configure(tz="UTC", catch_up="all")
for number in range(40):
    every(1 + number % 5).seconds.do(CountJob, number).named(f"job.{number}")
for number in range(10):
    action = every(1 + number % 3).seconds.do(push_three).named(f"callable.{number}")
    if number % 2:
        action.thread()
"""


@dataclass
class Tally:
    """What was done to the clocks, and what they did."""

    faults: Counter[str] = field(default_factory=Counter)
    due: int = 0
    missed: int = 0  # recorded as missed: no clock kept up, and more were due than are caught up
    earlier: int = 0  # due before the ledger began anew: it was lost while no clock lived that knew it
    begun_anew: int = 0  # how often that happened
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    unrecorded: list[str] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)  # a clock that knew the ledger began it anew

    @property
    def is_perfect(self) -> bool:
        """Whether every due instant was enqueued exactly once, and stands in the history."""
        return self.due > 0 and not (self.lost or self.doubled or self.unrecorded or self.forgotten)

    def __str__(self) -> str:
        faults = ", ".join(f"{count} x {fault}" for fault, count in sorted(self.faults.items()))
        return (
            f"{self.due} due instants; lost {len(self.lost)}, doubled {len(self.doubled)}, "
            f"recorded as missed {self.missed}, "
            f"from an earlier ledger {self.earlier} (begun anew {self.begun_anew} times), "
            f"not in the history {len(self.unrecorded)}; faults: {faults}"
        )


class Clocks:
    """The clock processes. `mishaps` are what may happen to one of them, or to all."""

    def __init__(self, folder: Path, server: Server, chance: random.Random) -> None:
        self._folder = folder
        self._server = server
        self._chance = chance
        self._log = (folder / "clocks.log").open("w")
        self._running: list[subprocess.Popen[bytes]] = []
        self._stopped: set[int] = set()
        self._snapshot: tuple[dict[Any, Any], int] | None = None  # what was decided, and how many jobs waited
        self.flushed: list[bytes] = []  # jobs that were in the queue when everything was flushed
        self.flushed_at = 0  # ms; the history begins after it
        self.begun_anew: list[tuple[str, Any, Any]] = []  # what was lost, who led then, who led afterwards
        for number in range(CLOCKS):
            self._step(number, 0)
            self._running.append(self._start(number))
        self.mishaps: list[tuple[str, float, Callable[[], None]]] = [
            ("SIGKILL", 4, lambda: self._end(signal.SIGKILL)),
            ("SIGTERM", 3, lambda: self._end(signal.SIGTERM)),
            ("SIGSTOP", 4, self._stop_one),
            (
                "wall clock set",
                4,
                lambda: self._step(self._any(), chance.choice((-3600, -5, -0.3, 0, 0.3, 5, 3600))),
            ),
            ("connections cut", 3, self._server.cut_connections),
            ("server killed", 1, self._restart_server),
            ("a key of the ledger deleted", 2, lambda: self._lose(chance.choice(LEDGER))),
            ("everything flushed", 1, lambda: self._lose(None)),
            ("snapshot restored", 2, self._restore_snapshot),
        ]

    def disturb(self) -> str:
        """Let something happen; its name."""
        name, _, mishap = self._chance.choices(self.mishaps, [weight for _, weight, _ in self.mishaps])[0]
        mishap()
        self.revive()
        return name

    def revive(self) -> None:
        """Start what has ended, and now and then let go on what was stopped."""
        for number, process in enumerate(self._running):
            if number in self._stopped and self._chance.random() < 0.4:
                self.go_on(number)
            elif process.poll() is not None:
                self._running[number] = self._start(number)

    def go_on(self, number: int) -> None:
        """Let a stopped one go on."""
        self._stopped.discard(number)
        self._running[number].send_signal(signal.SIGCONT)

    def calm(self) -> None:
        """Let all go on, with nothing in their way."""
        for number in list(self._stopped):
            self.go_on(number)
        self.revive()

    def end(self) -> None:
        """Stop them all."""
        for process in self._running:
            if process.poll() is None:
                process.kill()
            process.wait()
        self._log.close()

    def _any(self) -> int:
        return self._chance.randrange(CLOCKS)

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "benchmarks.faults.stepping"),
                *(str(self._folder / "clock.py"), str(self._folder / f"step.{number}")),
            ],
            cwd=ROOT,
            env={**os.environ, "REDIS_URL": self._server.url},
            stdout=self._log,
            stderr=self._log,
        )

    def _end(self, how: signal.Signals) -> None:
        number = self._any()
        self._running[number].send_signal(how)
        if number in self._stopped:
            self.go_on(number)

    def _stop_one(self) -> None:
        number = self._any()
        self._stopped.add(number)
        self._running[number].send_signal(signal.SIGSTOP)

    def _step(self, number: int, seconds: float) -> None:
        staged = self._folder / f"step.{number}.new"
        staged.write_text(str(seconds))
        staged.rename(self._folder / f"step.{number}")

    def _lose(self, key: str | None) -> None:
        """Delete a key of the ledger, or everything, under a clock that leads, and leave it the time to notice."""
        if self._stopped or not self._has_settled_leader():
            return
        redis = self._server.redis
        with redis.pipeline() as pipeline:
            pipeline.lrange(QUEUE, 0, -1)
            pipeline.hgetall(keys.LEDGER_ANCHOR)
            pipeline.hget(keys.LEASE, "identity")
            pipeline.delete(key) if key else pipeline.flushall()
            jobs, anchors, leader, _ = pipeline.execute()
        if key is None:
            self.flushed += jobs
            self.flushed_at = redis.time()[0] * 1000
            self._snapshot = None
        give_up = SystemClock().monotonic() + PATIENCE_SECONDS
        while not all(redis.hlen(name) == EVENTS for name in LEDGER) and SystemClock().monotonic() < give_up:
            SystemClock().wait(threading.Event(), 0.1)
        if redis.hgetall(keys.LEDGER_ANCHOR) != anchors:
            self.begun_anew.append((key or "everything", leader, redis.hget(keys.LEASE, "identity")))

    def _has_settled_leader(self) -> bool:
        """Whether the leader lives and has nothing to catch up, so that it knows the whole ledger."""
        found = next_due.look(self._server.redis)
        pids = {str(process.pid) for process in self._running if process.poll() is None}
        return found.leader is not None and found.leader.split(":")[1] in pids and -5 < found.late_seconds < 0.5

    def _restore_snapshot(self) -> None:
        """Put back what was decided, and the jobs that waited, when this was called last; then look anew."""
        redis = self._server.redis
        if self._snapshot is not None:
            decided, count = self._snapshot
            with redis.pipeline() as pipeline:
                pipeline.hset(keys.LEDGER_DECIDED, mapping=decided)
                pipeline.ltrim(QUEUE, -count, -1) if count else pipeline.delete(QUEUE)
                pipeline.execute()
        with redis.pipeline() as pipeline:
            pipeline.hgetall(keys.LEDGER_DECIDED)
            pipeline.llen(QUEUE)
            decided, count = pipeline.execute()
        self._snapshot = (decided, count) if len(decided) == EVENTS else None

    def _restart_server(self) -> None:
        self._server.kill()
        self._server.start()


def run(folder: Path, seconds: float, seed: int) -> Tally:
    """Let the clocks run for so many seconds, disturb them every few seconds at least, and count."""
    chance, never, time = random.Random(seed), threading.Event(), SystemClock()  # noqa: S311  # faults, no secrets
    (folder / "clock.py").write_text(CLOCK_FILE)
    timetable = load(folder / "clock.py")
    server = Server(folder, fsync="always")
    tally = Tally()
    clocks = Clocks(folder, server, chance)
    try:
        until = time.monotonic() + seconds
        while time.monotonic() < until or tally.faults.total() < seconds / 4:  # a slow machine takes longer
            time.wait(never, chance.uniform(0.5, 3.0))
            tally.faults[clocks.disturb()] += 1
        clocks.calm()
        _wait_until_decided(server.redis, timetable, clocks)
        clocks.end()
        tally.begun_anew = len(clocks.begun_anew)
        _count(server.redis, timetable, tally, clocks.flushed, clocks.flushed_at)
        tally.forgotten = [
            f"{key}: {leader!r} led before and after, and began anew"
            for key, leader, later in clocks.begun_anew
            if leader == later
        ]
    finally:
        clocks.end()
        server.kill()
    return tally


def _wait_until_decided(redis: Redis, timetable: Timetable, clocks: Clocks) -> None:
    end_ms, time = redis.time()[0] * 1000, SystemClock()
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up:
        rows = listing.ledger(redis).values()
        if len(rows) == len(timetable.events) and all(row.entry.decided_ms >= end_ms - 10_000 for row in rows):
            return
        time.wait(threading.Event(), 0.2)
        clocks.revive()


def _count(redis: Redis, timetable: Timetable, tally: Tally, flushed: list[bytes], since_ms: int) -> None:
    rows: Any = redis.lrange(QUEUE, 0, -1)
    pushed: Counter[tuple[str, int]] = Counter()
    for payload in map(json.loads, [*rows, *flushed]):
        pushed[payload["clock"]["event"], payload["clock"]["due"]] += 1
    for name, row in listing.ledger(redis).items():
        entry = row.entry
        event = timetable.event(name)
        anchor = from_ms(entry.anchor_ms)
        jobs = 1 if event.enqueues else 3
        records = list(history.read(redis, name))
        recorded = {record["due"] for record in records if record["decision"] != "missed"}
        missed = [
            range(record.get("first") or record["due"], record["due"] + 1)
            for record in records
            if record["decision"] == "missed"
        ]
        kept_from_ms = max(since_ms, records[-1]["due"] if len(records) == history.HISTORY_LENGTH else 0)
        for due in event.due_between(entry.anchor_ms // 1000 - 1, entry.decided_ms // 1000, anchor=anchor):
            tally.due += 1
            times = pushed.pop((name, due * 1000), 0)
            if not times and any(due * 1000 in span for span in missed):
                tally.missed += 1
                continue
            what = f"{name} due {from_ms(due * 1000).isoformat()}: {times} jobs"
            if times < jobs:
                tally.lost.append(what)
            elif times > jobs:
                tally.doubled.append(what)
            if due * 1000 not in recorded and due * 1000 > kept_from_ms:
                tally.unrecorded.append(what)
        begun_ms = entry.anchor_ms if tally.begun_anew else 0
        for key in [key for key in pushed if key[0] == name and key[1] < begun_ms]:
            tally.earlier += pushed.pop(key)
    tally.doubled += [f"{name} due {due} ms, which is no due instant" for name, due in pushed]


def main() -> None:
    """Run it from the command line; exit code 1 where anything was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311  # faults, no secrets
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = run(Path(folder), options.seconds, options.seed)
        print(f"seed {options.seed}: {tally}")
        for line in [*tally.forgotten, *tally.lost, *tally.doubled, *tally.unrecorded][:20]:
            print(" ", line)
        if not tally.is_perfect:
            print(Path(folder, "clocks.log").read_text()[-5000:])
    sys.exit(not tally.is_perfect)


if __name__ == "__main__":
    main()
