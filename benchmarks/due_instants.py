"""How fast due instants are enumerated: a clock file's year in order, single rules, and beside cron libraries.

    python benchmarks/due_instants.py

The libraries are stepped from instant to instant, which is all that they offer. What counts is the ratios.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from importlib import import_module
from itertools import islice, takewhile
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it can be run as a file

from cronsim import CronSim

from clock.timetable import Timetable, load
from clock.timetable.triggers.cron import Cron
from clock.timetable.triggers.intervals import Days, Elapsed, Trigger
from clock.timetable.triggers.zone_offsets import DAY, FOREVER, HOUR, MINUTE, to_seconds

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
ZONE = ZoneInfo("America/New_York")
ROUNDS = 3
CLOCK_FILE = """
from datetime import timedelta
from clock import configure, cron, every
configure(tz="America/New_York")
def act(*_): ...
for n in range(3):
    every(5).minutes.at(f":{n:02}").named(f"five.minutes.{n}").do(act)
for n in range(5):
    every().hour.at(f":{n + 5:02}").named(f"hourly.{n}").do(act)
for n in range(22):
    every().day.at(f"{n:02}:15").named(f"daily.{n}").do(act)
for n in range(6):
    cron(f"{n} {n} * * mon-fri").named(f"cron.{n}").do(act)
for n in range(4):
    every(timedelta(days=1), f"clockwork.{n}", at=f"0{n}:30")(act)
"""


def timetable() -> Timetable:
    """Forty events, three of them every 5 minutes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clock.py"
        path.write_text(CLOCK_FILE)
        return load(path)


def fastest(enumerate_all: Callable[[], Iterable[object]]) -> tuple[int, float]:
    """How many instants there are, and the seconds that the fastest of some rounds took."""
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        count = sum(1 for _ in enumerate_all())
        times.append(time.perf_counter() - begun)
    return count, min(times)


def ours(trigger: Trigger) -> Iterable[int]:
    """A trigger's year."""
    return trigger.due_between(to_seconds(START), to_seconds(END), to_seconds(START), None)


def one_by_one(trigger: Trigger) -> Iterable[int]:
    """The same as the clock asks for it: each time the next."""
    anchor = previous = to_seconds(START)
    while (due := next(iter(trigger.due_between(previous, FOREVER, anchor, previous)))) <= to_seconds(END):
        yield due
        previous = due


def show(what: str, count: int, seconds: float, compared: str = "") -> float:
    """Print a row; microseconds an instant."""
    each = seconds / count * 1e6
    print(f"  {what:44}{count:9,}{each:10.3f} us{count / seconds:14,.0f}/s  {compared}", flush=True)
    return each


def cron_beside_libraries(expression: str) -> None:
    """A cron expression's year, by us, by cronsim and by croniter."""
    own = show(f"cron {expression}", *fastest(lambda: ours(Cron(expression, ZONE))))
    local = START.astimezone(ZONE)
    count, seconds = fastest(lambda: takewhile(lambda at: at <= END, CronSim(expression, local)))
    each = show("  cronsim, stepped", count, seconds)
    print(f"{'':8}{each / own:.0f} times as long")
    try:
        croniter: Any = import_module("croniter").croniter
    except ImportError:
        print("    croniter is not installed")
        return
    some = 3_000  # it is slow: a part of the year tells enough
    stepped = fastest(lambda: islice(croniter(expression, local).all_next(datetime), some))
    each = show("  croniter, stepped", *stepped)
    print(f"{'':8}{each / own:.0f} times as long")


def main() -> None:
    """Print the table, and whether the goals are met."""
    events = timetable()
    print("Due instants of a year, in order")
    count, seconds = fastest(lambda: events.due_between(START, END))
    show(f"a clock file of {len(events.events)} events", count, seconds, f"{seconds:.3f} s")
    print(f"{'':8}goal: 370,000 in under 0.5 s: {'met' if seconds < 0.5 else 'NOT met'}")
    rate = 1e6 / show("a plain period, every(30).seconds", *fastest(lambda: ours(Elapsed(30))))
    print(f"{'':8}goal: 2,000,000 a second: {'met' if rate > 2e6 else 'NOT met'}")
    show("days at a time", *fastest(lambda: ours(Days(ZONE, 1, (6 * HOUR,)))))
    show("days at 288 times", *fastest(lambda: ours(Days(ZONE, 1, tuple(range(0, DAY, 5 * MINUTE))))))
    for expression in ("*/5 * * * *", "30 6 * * mon-fri"):
        cron_beside_libraries(expression)
    show("cron */5, each asked for on its own", *fastest(lambda: one_by_one(Cron("*/5 * * * *", ZONE))))


if __name__ == "__main__":
    main()
