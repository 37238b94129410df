"""100,000 cron events with a job each in one process, beside APScheduler 3: memory, loading, a tick.

    python benchmarks/event_memory.py [--count 100000] [--rounds 3]

Each program runs in its own process. "Loaded" is the CPU seconds of the process until it waits for the first due
instant: clock also reads and writes its ledger in Redis, which APScheduler does not have. The ticks: one with
nothing due, and one with one event due, its job in Redis included. The floor of the latter is a script that runs
one LPUSH. The figure is the minimum of the rounds.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it can be run as a file

from redis import Redis

from benchmarks.workers.running import server

Figures = dict[str, float]
NIGHT = datetime(2026, 11, 24, 2, 59, 30, tzinfo=UTC)  # no event is due for half a minute, and then one
TICKS = 200
FILE = """
from clock import Job, configure, cron
class CountJob(Job):
    def perform(self, number): ...
configure(tz="UTC")
for n in range({count}):
    cron(f"{{n % 60}} {{4 + n % 20}} * * *").do(CountJob, n).named(f"e{{n}}")
cron("* 3 * * *").do(CountJob, -1).named("often")
"""


def clock(count: int, port: int) -> Figures:
    """The production ticker on a clock that the benchmark moves."""
    from clock.job.push.client import using_clock
    from clock.store.ledger.ledger import RedisLedger
    from clock.store.server.connection import connect
    from clock.testing import FakeClock
    from clock.ticker import Signature, Ticker
    from clock.timetable import load

    before = resident()
    time_of = FakeClock(NIGHT)
    with tempfile.TemporaryDirectory() as folder, using_clock(time_of):
        path = Path(folder) / "clock.py"
        path.write_text(FILE.format(count=count))
        begun = time.process_time()
        timetable = load(path)
        declared = time.process_time() - begun
        ledger = RedisLedger(connect(f"redis://127.0.0.1:{port}/0"))
        ticker = Ticker(timetable, ledger=ledger, clock=time_of, signature=Signature("here", "v1"))
        ticker.tick()
        loaded = time.process_time() - begun

        def next_minute() -> None:
            time_of.travel_to((time_of.now() + timedelta(minutes=1)).replace(second=0))

        return {
            "declared CPU s": declared,
            "loaded CPU s": loaded,
            "MB": resident(),
            "MB of the events": resident() - before,
            **ticks(ticker.tick, next_minute),
        }


def apscheduler(count: int, port: int) -> Figures:
    """APScheduler 3 with its memory job store; its own look at the store is the tick."""
    base: Any = import_module("apscheduler.schedulers.base")
    triggers: Any = import_module("apscheduler.triggers.cron")
    executors: Any = import_module("apscheduler.executors.debug")
    before = resident()
    now = NIGHT
    redis = Redis(port=port)

    def push(number: int) -> None:
        redis.lpush("queue:default", json.dumps({"class": "CountJob", "args": [number]}))

    base.datetime = type("Clock", (datetime,), {"now": classmethod(lambda cls, tz=None: now)})
    kinds: Any = type("Looks", (base.BaseScheduler,), {"wakeup": lambda self: None, "shutdown": lambda self: None})
    scheduler = kinds(
        timezone="UTC",
        executors={"default": executors.DebugExecutor()},
        job_defaults={
            "misfire_grace_time": None
        },  # its executor compares with the real time, and would push nothing
    )
    begun = time.process_time()
    for n in range(count):
        trigger = triggers.CronTrigger.from_crontab(f"{n % 60} {4 + n % 20} * * *", timezone="UTC")
        scheduler.add_job(push, trigger, args=[n], id=f"e{n}")
    scheduler.add_job(push, triggers.CronTrigger.from_crontab("* 3 * * *", timezone="UTC"), args=[-1], id="often")
    declared = time.process_time() - begun
    scheduler.start()
    loaded = time.process_time() - begun

    def next_minute() -> None:
        nonlocal now
        now = (now + timedelta(minutes=1)).replace(second=0)

    return {
        "declared CPU s": declared,
        "loaded CPU s": loaded,
        "MB": resident(),
        "MB of the events": resident() - before,
        **ticks(scheduler._process_jobs, next_minute),
    }


def ticks(tick: Callable[[], object], next_minute: Callable[[], None]) -> Figures:
    """The median of many ticks with nothing due, and of those with one event due."""
    idle, due = [], []
    for _ in range(TICKS):
        idle.append(took(tick))
    for _ in range(50):
        next_minute()
        due.append(took(tick))
        tick()
    return {"idle tick us": median(idle) * 1e6, "tick with one due us": median(due) * 1e6}


def took(tick: Callable[[], object]) -> float:
    """The seconds of one tick."""
    begun = time.perf_counter()
    tick()
    return time.perf_counter() - begun


def bare(count: int, port: int) -> Figures:
    """No scheduler: a script that runs one LPUSH, by the client library."""
    redis = Redis(port=port)
    script = redis.register_script("return redis.call('LPUSH', KEYS[1], ARGV[1])")
    payload = json.dumps({"class": "CountJob", "args": [-1], "jid": "0" * 24, "queue": "default", "retry": True})

    def push() -> None:
        script(keys=["queue:default"], args=[payload])

    push()
    return {"tick with one due us": median(took(push) for _ in range(TICKS)) * 1e6}


def resident() -> float:
    """The MB that this process holds."""
    gc.collect()
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


PROGRAMS: dict[str, Callable[[int, int], Figures]] = {"clock": clock, "apscheduler": apscheduler, "bare": bare}


def measured(program: str, count: int, redis: Redis) -> Figures:
    """The figures of one process."""
    redis.flushall()
    port = redis.connection_pool.connection_kwargs["port"]
    command = [sys.executable, __file__, "--program", program, "--port", str(port), "--count", str(count)]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=600, check=True)
    found: Figures = json.loads(ran.stdout.splitlines()[-1])
    assert redis.exists("queue:default"), f"{program} has pushed nothing"
    return found


def main() -> None:
    """Measure in processes, and print; or be one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--program", choices=PROGRAMS, help="measure this one here")
    parser.add_argument("--port", type=int)
    options = parser.parse_args()
    if options.program:
        logging.disable(logging.CRITICAL)
        print(json.dumps(PROGRAMS[options.program](options.count, options.port)))
        return
    least: dict[str, Figures] = {}
    with server() as redis:
        for _ in range(options.rounds):
            for program in PROGRAMS:
                for what, figure in measured(program, options.count, redis).items():
                    row = least.setdefault(what, {})
                    row[program] = min(figure, row.get(program, figure))
    print(f"{options.count} cron events with a job each: minimum of {options.rounds} rounds")
    for what, row in least.items():
        ratio = row["clock"] / row["apscheduler"]
        floor = f"  floor {row['bare']:.2f}" if "bare" in row else ""
        both = f"clock {row['clock']:10.2f}  APScheduler {row['apscheduler']:10.2f}"
        print(f"{what:24}{both}  ratio {ratio:.2f}{floor}")


if __name__ == "__main__":
    main()
