"""What workers lose and repeat when they, or Redis, are killed: nothing, and no more than was in flight.

    python benchmarks/faults/worker.py [--jobs 20000] [--fan-out 100000] [--only fan_out] [--seed 1]

Each of these raises AssertionError where a promise is broken.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent.parent))  # so that it can be run as a file

from benchmarks.faults.crew import crew, wait_until
from benchmarks.faults.payloads import fuzzed
from benchmarks.faults.rules_shop.jobs import FanOutNotesJob
from benchmarks.faults.server import Server
from clock.store.repairs import schedule_dead
from clock.store.server.connection import set_default

WORKERS = 3
WORK_SECONDS = 0.002  # of each job
FROZEN_SECONDS = 6.0  # three times as long as a heartbeat is valid here
MOST_KILLS = 200  # for all jobs
KILLS = 10  # of the workers of a fan-out
FIRST_GOOD = 1_000_000  # numbers that no fuzzed payload has


def redis_server(folder: Path) -> Server:
    """Debian's Redis, which writes each command to disk before it answers."""
    return Server(folder, fsync="always", program="redis-server")


def kills(folder: Path, jobs: int, rng: random.Random) -> str:
    """SIGKILL a random worker every few hundred ms: each job runs, and only what was in flight runs again.

    On a busy machine fewer kills: workers that are killed as soon as they have started finish nothing.
    """
    in_flight = strikes = wanted = 0
    with (
        redis_server(folder) as server,
        crew(folder, server, count=WORKERS, heartbeat=0.5) as workers,
    ):
        workers.push(jobs, WORK_SECONDS)
        while len(runs := workers.runs()) < jobs * 0.9:
            time.sleep(rng.uniform(0.1, 0.5))
            if len(runs) >= wanted:
                in_flight += workers.strike(signal.SIGKILL, rng)
                strikes += 1
                wanted = len(runs) + jobs // MOST_KILLS
        workers.wait_for(jobs)
        runs, buried = workers.runs(), workers.buried()
    repeats = sum(runs.values()) - len(runs)
    assert repeats <= in_flight, f"{repeats} repeats, but {in_flight} in flight"
    assert len(buried) <= 1 + strikes / 10, f"{len(buried)} jobs were taken for what kills workers"
    return (
        f"{jobs} jobs, {strikes} kills, {in_flight} jobs in flight then, {repeats} run again, none lost, "
        f"{len(buried)} dead that ran while three workers were killed"
    )


def frozen(folder: Path, jobs: int, rng: random.Random) -> str:
    """Jobs that hold the interpreter lock for many heartbeats, among others: each job runs once."""
    holding = max(2, jobs // 1_000)
    with redis_server(folder) as server, crew(folder, server, count=WORKERS, heartbeat=0.5) as workers:
        workers.push(jobs, WORK_SECONDS)
        for number in range(jobs, jobs + holding):
            wait_until(lambda: len(workers.runs()) > rng.uniform(0, 0.5) * jobs, "some jobs have run")
            workers.push_frozen([number], FROZEN_SECONDS)
        workers.wait_for(jobs + holding)
        wait_until(lambda: not server.redis.keys("clock:in_progress:*"), "all are done")
        runs, buried = workers.runs(), workers.buried()
        workers.check_all_live()
    repeated = {number: count for number, count in runs.items() if count > 1}
    assert not repeated, f"run more than once: {repeated}"
    assert not buried, f"in dead: {buried}"
    return f"{jobs} jobs beside {holding} that held the interpreter lock for {FROZEN_SECONDS:g} s: each ran once"


def stops(folder: Path, jobs: int, rng: random.Random) -> str:
    """SIGTERM a random worker every few hundred ms: each job runs once."""
    strikes = 0
    with redis_server(folder) as server, crew(folder, server, count=WORKERS) as workers:
        workers.push(jobs, WORK_SECONDS)
        while len(workers.runs()) < jobs * 0.9:
            time.sleep(rng.uniform(0.1, 0.5))
            left = workers.strike(signal.SIGTERM, rng)
            assert left == 0, f"a stopped worker left {left} jobs in progress"
            strikes += 1
        workers.wait_for(jobs)
    repeated = {number: count for number, count in workers.runs().items() if count > 1}
    assert not repeated, f"run more than once: {repeated}"
    return f"{jobs} jobs, {strikes} stops, each ran once"


def outages(folder: Path, jobs: int, rng: random.Random) -> str:
    """Cut connections, and kill and restart Redis, which writes each command to disk: no job is lost."""
    with redis_server(folder) as server:
        with crew(folder, server, count=WORKERS) as workers:
            workers.push(jobs, WORK_SECONDS)
            for share in (0.15, 0.3, 0.45, 0.6):
                wait_until(lambda share=share: len(workers.runs()) > jobs * share, "some jobs have run")
                server.cut_connections()
                if share in (0.3, 0.6):
                    server.kill()
                    time.sleep(rng.uniform(0, 0.5))
                    server.start()
            workers.wait_for(jobs)
            workers.check_all_live()
        left = server.redis.keys("clock:in_progress:*")
    assert not left, f"still in progress: {left}"
    repeats = sum(workers.runs().values()) - jobs
    return f"{jobs} jobs, 2 restarts of Redis, 4 times all connections cut: none lost, {repeats} run again"


def nonsense(folder: Path, jobs: int, rng: random.Random) -> str:
    """Fuzzed payloads, ten for each good job: all good ones run, each bad one is accounted for."""
    bad = fuzzed(jobs * 10, rng)
    numbers = range(FIRST_GOOD, FIRST_GOOD + jobs)
    good = [
        json.dumps({"class": "TraceRunJob", "args": [number], "jid": f"good{number}"}).encode()
        for number in numbers
    ]
    payloads = [*bad, *good]
    rng.shuffle(payloads)
    with redis_server(folder) as server, crew(folder, server, count=1) as workers:
        for start in range(0, len(payloads), 1_000):
            server.redis.lpush("queue:default", *payloads[start : start + 1_000])
        wait_until(lambda: server.redis.llen("queue:default") == 0, "all are taken")
        wait_until(lambda: not server.redis.keys("clock:in_progress:*"), "all are done")
        workers.check_all_live()
        where = Counter(
            dead=int(server.redis.zcard("dead")),
            retry=int(server.redis.zcard("retry")),
            parked=sum(int(server.redis.llen(name)) for name in server.redis.keys("clock:parked:*")),
            done=int(server.redis.get("stat:processed") or 0) - int(server.redis.get("stat:failed") or 0),
        )
    runs = workers.runs()
    wrong = {number: runs[number] for number in numbers if runs[number] != 1}
    assert not wrong, f"good jobs that did not run once: {wrong}"
    assert where.total() == len(payloads), f"{len(payloads)} were pushed, but {dict(where)}"
    return f"{jobs} good jobs ran among {len(bad)} bad payloads; {dict(where)}"


def fan_out(folder: Path, jobs: int, rng: random.Random) -> str:
    """SIGKILL ten times a worker while one job pushes many others, exactly once each: each is pushed once."""
    with (
        redis_server(folder) as server,
        crew(folder, server, count=WORKERS, heartbeat=0.5, shop="benchmarks/faults/rules_shop") as workers,
    ):
        set_default(server.redis)
        FanOutNotesJob.perform_async(1, jobs)
        set_default(None)
        runs = FanOutRuns(folder / "trace")
        for kill in range(KILLS):
            wait_until(lambda kill=kill: _progress(server, runs) > kill * jobs / KILLS, "it goes on")
            workers.strike(signal.SIGKILL, rng)
        wait_until(lambda: _progress(server, runs) == jobs, "all are pushed and have run")
        workers.check_all_live()
    doubled = {number: jids for number, jids in runs.jids.items() if len(jids) > 1}
    assert not doubled, f"pushed more than once: {doubled}"
    return f"a fan-out of {jobs}, {KILLS} kills: each job was pushed once"


class FanOutRuns:
    """The jids under which each job of the fan-out has run, read from the trace."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace
        self._read = 0  # bytes
        self.jids: dict[int, set[str]] = {}

    def read_on(self) -> None:
        """Read the lines that were added."""
        if not self._trace.exists():
            return
        with self._trace.open("rb") as file:
            file.seek(self._read)
            lines, _, _ = file.read().rpartition(b"\n")
        self._read += len(lines) + 1 if lines else 0
        for line in lines.splitlines():
            with suppress(ValueError):  # a killed process may leave half a line
                run = json.loads(line)
                self.jids.setdefault(run["number"], set()).add(run["jid"])


def _progress(server: Server, runs: FanOutRuns) -> int:
    """How many jobs of the fan-out have run. Retries jobs that are dead because three workers died with them."""
    rows: Any = server.redis.zrange("dead", 0, -1)
    schedule_dead(server.redis, rows, time.time())
    runs.read_on()
    return len(runs.jids)


FAULTS: dict[str, Callable[[Path, int, random.Random], str]] = {
    fault.__name__: fault for fault in (kills, frozen, stops, outages, nonsense, fan_out)
}


def main() -> None:
    """Run all in full size, or one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--fan-out", type=int, default=100_000, help="jobs that one job pushes")
    parser.add_argument("--only", choices=FAULTS, help="run this one alone")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    counts = {"nonsense": given.jobs // 20, "fan_out": given.fan_out}
    for name in [given.only] if given.only else FAULTS:
        rng = random.Random(given.seed)  # noqa: S311  # no secret
        with tempfile.TemporaryDirectory() as folder:
            print(f"{name}: {FAULTS[name](Path(folder), counts.get(name, given.jobs), rng)}", flush=True)


if __name__ == "__main__":
    main()
