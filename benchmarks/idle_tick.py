"""What a tick costs while nothing is due, by how much is declared: ours beside other schedulers.

    python benchmarks/idle_tick.py

Each program holds N events of which none is due, and its own tick is called again and again; that of Celery's
beat is `tick`, of the `schedule` package `run_pending`, of APScheduler the look at its memory job store.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it can be run as a file

import schedule

from benchmarks.declarations import declared
from clock.rehearsal.ledger import MemoryLedger
from clock.testing import FakeClock
from clock.ticker import Signature, Ticker

COUNTS = (100, 1_000, 10_000, 100_000)
MOST_OF_PEERS = 10_000  # setting up more takes the slower of them minutes
LONG = timedelta(days=300)
SECONDS = 0.2

Tick = Callable[[], object]


def clocks(count: int) -> Tick:
    """Our ticker's tick, on a clock that stands still between two due instants."""
    clock = FakeClock(datetime(2026, 11, 24, 6, 0, 30, tzinfo=UTC))
    signature = Signature("benchmark", "benchmark")
    ticker = Ticker(declared(count), ledger=MemoryLedger(), clock=clock, signature=signature)
    ticker.tick()
    clock.advance(timedelta(seconds=1))
    return ticker.tick


def schedules(count: int) -> Tick:
    """The `schedule` package's."""
    scheduler = schedule.Scheduler()
    for _ in range(count):
        scheduler.every(300).days.do(print)
    return lambda: scheduler.run_pending()


def apschedulers(count: int) -> Tick:
    """APScheduler 3's, with its memory job store; no thread is started."""
    base: Any = import_module("apscheduler.schedulers.base")
    looks = type("Looks", (base.BaseScheduler,), {"wakeup": lambda self: None, "shutdown": lambda self: None})
    scheduler = looks(timezone="UTC")
    scheduler.start()
    later = datetime.now(UTC) + LONG
    for number in range(count):
        scheduler.add_job(print, "interval", days=300, id=str(number), start_date=later)
    return lambda: scheduler._process_jobs()


def beats(count: int) -> Tick:
    """Celery beat's, with a schedule in memory and nothing to send."""
    celery: Any = import_module("celery")
    beat: Any = import_module("celery.beat")
    app = celery.Celery("benchmark", broker="memory://", set_as_current=False)
    app.conf.beat_schedule = {str(n): {"task": "benchmark.nothing", "schedule": LONG} for n in range(count)}
    scheduler = beat.Scheduler(app=app)
    return lambda: scheduler.tick()


def microseconds(tick: Tick) -> float:
    """The microseconds of one tick, of as many as go into a moment; the first ones are not counted."""
    for _ in range(3):
        tick()
    ticks, begun = 0, time.perf_counter()
    while (took := time.perf_counter() - begun) < SECONDS:
        tick()
        ticks += 1
    return took / ticks * 1e6


def row(name: str, prepare: Callable[[int], Tick], most: int) -> list[float]:
    """Measure and print one program."""
    print(f"  {name:24}", end="", flush=True)
    try:
        found = []
        for count in COUNTS:
            if count <= most:
                found.append(microseconds(prepare(count)))
                print(f"{found[-1]:13,.1f}", end="", flush=True)
        print()
    except ImportError as error:
        print(f"   {error.name} is not installed")
        return []
    return found


def main() -> None:
    """Print the table."""
    logging.disable(logging.CRITICAL)
    print("Microseconds of a tick with nothing due, by events declared")
    print(f"  {'':24}" + "".join(f"{count:13,}" for count in COUNTS))
    found = row("clock", clocks, max(COUNTS))
    row("schedule.run_pending()", schedules, MOST_OF_PEERS)
    row("APScheduler 3, memory", apschedulers, MOST_OF_PEERS)
    row("Celery beat", beats, MOST_OF_PEERS)
    ratio = max(found) / min(found)
    print(f"  clock, costliest over cheapest: {ratio:.2f}; goal: the same but for noise: ", end="")
    print("met" if ratio < 1.5 else "NOT met")


if __name__ == "__main__":
    main()
