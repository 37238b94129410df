"""Flow control under faults: 20 classes with all rules, random batches, and workers, clocks and Redis that fail.

    python benchmarks/faults/rules.py [--seconds 600] [--batches 10000] [--seed 1]

Workers and clocks get SIGKILL, SIGTERM, or SIGSTOP and later SIGCONT; connections are cut; Redis is killed and
started again. Then all jobs run to their end, and the state of Redis and the trace of the jobs are compared with
the rules: no start over a limit (but for workers that were declared dead), each callback once, no batch stuck, no
lock, place or blocked job left, each job of an exactly-once fan-out pushed once. Exits 1 if a rule was broken.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from clock.clocks import from_ms

sys.path.insert(0, str(Path(__file__).parent.parent.parent))  # so that it can be run as a file

from benchmarks.faults.crew import ROOT, WorkerGroup, crew
from benchmarks.faults.rules_shop.jobs import MAXIMA, MIXED, FanOutNotesJob, NoteEventJob
from benchmarks.faults.server import Server
from benchmarks.faults.worker import redis_server
from clock import Batch
from clock.api import cancel
from clock.errors import BatchDone, StoreError
from clock.inspection.doctor.deep import children_finding, lost_holders, lost_locks
from clock.inspection.jobs.batches import failures
from clock.store import keys
from clock.store.jobs.flow import batches as stored
from clock.store.server.connection import connect, set_default
from tests.limited import violations

WORKERS, CLOCKS = 3, 2
FATES = ["ok"] * 16 + ["fail once", "die", "discard", "discard"]
FAN_OUT = 2_000
EVENTS = ("success", "complete", "death")
OWN = "batch-"  # how the names of our own batches start; the clocks push others
DRAIN_SECONDS = 600.0  # until all jobs have ended, after the last fault
YEARS_MS = 10**14  # all holders and locks are old then
CLOCK_FILE = """
from benchmarks.faults.rules_shop.jobs import MIXED, NoteEventJob
from clock import DUE_AT, Batch, every

def push_batch(due):
    with Batch(on_complete=NoteEventJob.signature(f"firing {due}", "complete")):
        for number in range(3):
            MIXED[5].perform_async(number, 0.0, "ok")

every(1).seconds.do(push_batch, DUE_AT).named("batch")
every(1).seconds.do(MIXED[11], 7, 0.01, "ok").named("unique")
every(2).seconds.do(MIXED[18], 3, 0.0, "ok").named("all rules")
"""


class Run(NamedTuple):
    """A run of a job, by its trace."""

    jid: str
    pid: int
    limits: tuple[str, ...]
    started: float
    ended: float


@dataclass
class Faults:
    """What was done to the processes. A run of a process that has ended did not last longer than it."""

    done: Counter[str] = field(default_factory=Counter)
    ends: dict[int, float] = field(default_factory=dict)  # pid -> when it ended
    frozen: set[int] = field(default_factory=set)  # pids that were stopped for a while


class Mishaps:
    """Random faults of workers, clocks and Redis."""

    def __init__(self, folder: Path, server: Server, workers: WorkerGroup, rng: random.Random) -> None:
        self.faults = Faults()
        self._server = server
        self._workers = workers
        self._rng = rng
        self._log = (folder / "clocks.log").open("ab")
        self._file = folder / "clock_file.py"
        self._file.write_text(CLOCK_FILE)
        self._clocks = [self._clock() for _ in range(CLOCKS)]
        self._kinds: list[tuple[Callable[[], None], str]] = [
            (lambda: self._end_worker(signal.SIGKILL), "SIGKILL of a worker"),
            (lambda: self._end_worker(signal.SIGKILL), "SIGKILL of a worker"),
            (lambda: self._end_worker(signal.SIGTERM), "SIGTERM of a worker"),
            (self._freeze_worker, "SIGSTOP of a worker"),
            (lambda: self._end_clock(signal.SIGKILL), "SIGKILL of a clock"),
            (lambda: self._end_clock(signal.SIGTERM), "SIGTERM of a clock"),
            (server.cut_connections, "connections cut"),
            (self._kill_redis, "Redis killed"),
        ]

    def one(self) -> None:
        """Do one of them."""
        fault, name = self._rng.choice(self._kinds)
        fault()
        self.faults.done[name] += 1

    def _clock(self) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-m", "clock", str(self._file), "--log-level", "warning"]
        environment = self._workers.environment
        return subprocess.Popen(words, cwd=ROOT, env=environment, stdout=self._log, stderr=self._log)

    def _end_worker(self, number: signal.Signals) -> None:
        victim = self._rng.choice(self._workers.members)
        _end(victim, number)
        self.faults.ends[victim.pid] = time.time()
        self._workers.members.remove(victim)
        self._workers.start()

    def _freeze_worker(self) -> None:
        victim = self._rng.choice(self._workers.members)
        victim.send_signal(signal.SIGSTOP)
        self.faults.frozen.add(victim.pid)
        time.sleep(self._rng.uniform(0.5, 6))
        victim.send_signal(signal.SIGCONT)

    def _end_clock(self, number: signal.Signals) -> None:
        victim = self._rng.choice(self._clocks)
        _end(victim, number)
        self._clocks.remove(victim)
        self._clocks.append(self._clock())

    def _kill_redis(self) -> None:
        self._server.kill()
        time.sleep(self._rng.uniform(0, 1))
        self._server.start()

    def end(self) -> None:
        """No more faults: end the clocks, and replace workers that have ended by themselves."""
        for clock in self._clocks:
            _end(clock, signal.SIGTERM)
        self._log.close()
        for member in [member for member in self._workers.members if member.poll() is not None]:
            self.faults.done["worker ended by itself"] += 1
            self.faults.ends[member.pid] = time.time()
            self._workers.members.remove(member)
            self._workers.start()


class Pushes(threading.Thread):
    """Pushes random batches, jobs followed by another and fan-outs, and cancels jobs, while faults happen.

    It ends when all are pushed, or the time is over; `count` is how many batches were pushed.
    """

    def __init__(self, count: int, seconds: float, rng: random.Random) -> None:
        super().__init__()
        self._seconds = seconds
        self._most = count
        self.count = 0
        self._rng = rng
        self.fan_outs: list[int] = []

    def run(self) -> None:
        """Push them."""
        started = time.monotonic()
        for number in range(self._most):
            if time.monotonic() > started + self._seconds:
                break
            while not _pushed(self._batch, number):
                time.sleep(0.05)
            if number % 20 == 0:
                _pushed(self._follow, number)
            if number % 1_000 == 500:
                _pushed(self._fan_out, number)
            self.count = number + 1
            time.sleep(max(0.0, started + number * self._seconds / self._most - time.monotonic()))

    def _batch(self, number: int) -> None:
        """The same children with each try: a batch that was pushed in part gets those that are missing."""
        rng, name = random.Random(number), f"{OWN}{number}"  # noqa: S311  # no secret
        success, complete, death = (NoteEventJob.signature(name, event) for event in EVENTS)
        jids = []
        with Batch(id=name, on_success=success, on_complete=complete, on_death=death):
            for _ in range(rng.choice([0, 1, 1, 2, 3, 6])):
                fate = rng.choice(FATES)
                job = rng.choice(MIXED).set(retry=0 if fate == "die" else 2)
                jids.append(job.perform_async(rng.randrange(1_000_000), rng.uniform(0, 0.004), fate))
        if jids and number % 25 == 0:
            cancel(rng.choice(jids))

    def _follow(self, number: int) -> None:
        following = NoteEventJob.signature(f"follow {number}", "then")
        MIXED[2].set(then=following).perform_async(1, 0.0, "ok")

    def _fan_out(self, number: int) -> None:
        self.fan_outs.append(number)
        FanOutNotesJob.perform_async(number, FAN_OUT)


def _pushed(push: Callable[[int], None], number: int) -> bool:
    """Whether a push succeeded; False: Redis was away. A batch that is done needs no more pushes."""
    try:
        push(number)
    except StoreError:
        return False
    except BatchDone:
        pass
    return True


def _end(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    process.send_signal(signal.SIGCONT)
    process.send_signal(number)
    process.wait(60)


def rules(folder: Path, seconds: float, count: int, rng: random.Random) -> tuple[str, list[str]]:
    """Run it: what happened, in words, and what broke a rule."""
    with redis_server(folder) as server:
        set_default(connect(server.url))
        shop = "benchmarks/faults/rules_shop"
        with crew(folder, server, count=WORKERS, heartbeat=0.5, shop=shop) as workers:
            mishaps = Mishaps(folder, server, workers, rng)
            pushes = Pushes(count, seconds, rng)
            pushes.start()
            ends_at = time.monotonic() + seconds
            while time.monotonic() < ends_at:
                time.sleep(rng.uniform(0.2, 1.5))
                mishaps.one()
            mishaps.end()
            pushes.join()
            took = _drain(server)
            lines = list(_lines(folder / "trace"))
        wrong = [*_left(server), *_wrong_batches(server, pushes.count, lines), *_wrong_pushes(lines)]
        over, excused = _over_limits(_runs(lines, mishaps.faults), mishaps.faults)
        overlaps = int(server.redis.get(keys.OVERLAPS) or 0)
        healed = int(server.redis.get(keys.HEALED) or 0)
        set_default(None)
    starts = sum(line["kind"] == "start" for line in lines)
    faults = ", ".join(f"{times} x {name}" for name, times in sorted(mishaps.faults.done.items()))
    return (
        f"{starts:,} starts, {pushes.count:,} batches, {len(pushes.fan_outs)} fan-outs of {FAN_OUT:,}; {faults}; "
        f"{len(over)} starts over a limit, {excused} beside a worker that was declared dead "
        f"({overlaps} jobs ended after that); {healed} places and locks healed; drained in {took:.0f} s"
    ), [*wrong, *over]


def _drain(server: Server) -> float:
    """Wait until all jobs have ended; the seconds that it took."""
    started, redis = time.monotonic(), server.redis
    sets = (keys.SCHEDULE, keys.RETRY, keys.BLOCKED, keys.FREED)
    while time.monotonic() < started + DRAIN_SECONDS:
        waiting = [*(redis.zcard(name) for name in sets), redis.llen("queue:default")]
        if not any(waiting) and not redis.keys(f"{keys.IN_PROGRESS}*"):
            break
        time.sleep(0.5)
    return time.monotonic() - started


def _left(server: Server) -> Iterator[str]:
    """What is left in Redis, though all jobs have ended."""
    redis = server.redis
    for name in (keys.SCHEDULE, keys.RETRY, keys.BLOCKED, keys.FREED, keys.LIMIT_HOLDERS, keys.LIMIT_RESERVED):
        if count := redis.zcard(name):
            yield f"{count} left in {name}: {redis.zrange(name, 0, 2)}"
    if waiting := redis.llen("queue:default"):
        yield f"{waiting} left in the queue"
    if locks := redis.hgetall(keys.UNIQUE):
        yield f"locks left: {locks}"
    yield from violations(redis)
    yield from (f"lost holder: {one}" for one in lost_holders(redis, from_ms(YEARS_MS)))
    yield from (f"lost lock: {one}" for one in lost_locks(redis, from_ms(YEARS_MS)))
    finding = children_finding(redis, datetime.now(UTC))
    if finding.grade.name != "GOOD":
        yield str(finding)


def _wrong_batches(server: Server, count: int, lines: list[dict[str, Any]]) -> Iterator[str]:
    """Batches that are stuck, and callbacks that were not pushed once."""
    jids: dict[tuple[str, str], set[str]] = defaultdict(set)
    for line in lines:
        if line["kind"] == "event":
            jids[line["name"], line["event"]].add(line["jid"])
    yield from (
        f"{name}: {event} was pushed as {found}" for (name, event), found in jids.items() if len(found) > 1
    )
    for bid, batch in stored.read_all(server.redis).items():
        if batch.state != "done":
            yield f"{bid} is stuck: {batch.state}, {stored.count(server.redis, [bid])}"
        elif bid.startswith(OWN):
            how = {child.how for child in failures(server.redis, bid, 100)}
            expected = {"complete"} | ({"death"} if "dead" in how else set()) | (set() if how else {"success"})
            found = {event for name, event in jids if name == bid}
            if found != expected:
                yield f"{bid}: callbacks {found}, not {expected}; {how}"
    known = sum(bid.startswith(OWN) for bid in stored.read_all(server.redis))
    if known != count:
        yield f"{known} of {count} batches"


def _wrong_pushes(lines: list[dict[str, Any]]) -> Iterator[str]:
    """Jobs of a fan-out that were not pushed once."""
    jids: dict[tuple[int, int], set[str]] = defaultdict(set)
    for line in lines:
        if line["kind"] == "counted":
            jids[line["fan_out"], line["number"]].add(line["jid"])
    yield from (f"fan-out {which}: pushed {len(found)} times" for which, found in jids.items() if len(found) > 1)
    sizes = Counter(fan_out for fan_out, _ in jids)
    yield from (f"fan-out {one} has {size} jobs" for one, size in sizes.items() if size != FAN_OUT)


def _lines(trace: Path) -> Iterator[dict[str, Any]]:
    for line in trace.read_text().splitlines():
        with suppress(ValueError):  # a killed process may leave half a line
            yield json.loads(line)


def _runs(lines: list[dict[str, Any]], faults: Faults) -> list[Run]:
    open_runs: dict[tuple[str, int], Mapping[str, Any]] = {}
    found = []
    for line in lines:
        if line["kind"] == "start":
            open_runs[line["jid"], line["pid"]] = line
        elif line["kind"] == "end" and (begun := open_runs.pop((line["jid"], line["pid"]), None)):
            found.append(Run(line["jid"], line["pid"], tuple(begun["limits"]), begun["at"], line["at"]))
    for (jid, pid), begun in open_runs.items():
        found.append(Run(jid, pid, tuple(begun["limits"]), begun["at"], faults.ends.get(pid, begun["at"])))
    return found


def _over_limits(runs: list[Run], faults: Faults) -> tuple[list[str], int]:
    """The starts over a limit, in words, and how many there were beside a worker that was declared dead."""
    wrong, excused = [], 0
    for name, most in MAXIMA.items():
        active: list[Run] = []
        for run in sorted((run for run in runs if name in run.limits), key=lambda run: run.started):
            active = [*(one for one in active if one.ended > run.started), run]
            if len(active) <= most:
                continue
            if any(one.pid in faults.frozen for one in active) or len({one.jid for one in active}) < len(active):
                excused += 1
            else:
                wrong.append(f"{name}: {len(active)} of {most} run at {run.started:.3f}: {active}")
    return wrong, excused


def main() -> None:
    """Run it in full size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--batches", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rng = random.Random(given.seed)  # noqa: S311  # no secret
    with tempfile.TemporaryDirectory() as folder:
        words, wrong = rules(Path(folder), given.seconds, given.batches, rng)
    print(words)
    print(f"{len(wrong)} violations", *wrong[:50], sep="\n  ")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
