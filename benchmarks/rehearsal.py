"""How fast a year of a clock file is rehearsed.

A year of 40 events, three of them every 5 minutes: once where no code of the user's is called, once with a
condition on every event, which sees the world's clock at each due instant; and a year stepped through tick by
tick, for scale.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from clock import testing
from clock.timetable import Timetable

START = datetime(2026, 1, 1)
CLOCK_FILE = """
from clock import Job, configure, cron, every
configure(tz="America/New_York")


class CountVisitsJob(Job):
    def perform(self): ...


for number in range(3):
    every(5).minutes{condition}.do(CountVisitsJob).named(f"five.minutes.{{number}}")
for number in range(5):
    every().hour.at(f":{{number:02}}"){condition}.do(CountVisitsJob).named(f"hourly.{{number}}")
for number in range(24):
    every().day.at(f"{{number:02}}:30"){condition}.do(CountVisitsJob).named(f"daily.{{number}}")
for number in range(8):
    cron(f"{{number}} 9-17 * * mon-fri"){condition}.do(CountVisitsJob).named(f"office.{{number}}")
"""


def load(condition: str = "") -> Timetable:
    """The clock file, every event under the condition."""
    return testing.loads(CLOCK_FILE.format(condition=condition))


def measure(what: str, timetable: Timetable, days: int = 365, **options: timedelta) -> float:
    """Rehearse, and print what it took; firings a second."""
    begun = time.perf_counter()
    history = testing.run(timetable, start_time=START, end_time=START + timedelta(days=days), **options)  # type: ignore[arg-type]  # tick_speed
    fired = sum(history.times_run(event.name) for event in timetable.events)
    took = time.perf_counter() - begun
    print(f"{what:48} {fired:9,} firings in {took:6.3f} s: {fired / took:12,.0f} a second")
    return fired / took


def main() -> None:
    """Print the figures."""
    plain = measure("a year, no code of the user's", load())
    asked = measure("a year, a condition on every event", load(".if_(lambda due: True)"))
    stepped = measure(
        "a week, ticked every 5 minutes by the ticker", load(), days=7, tick_speed=timedelta(minutes=5)
    )
    print(f"by columns over by ticks: {plain / stepped:.0f} times; with conditions: {asked / stepped:.1f} times")


if __name__ == "__main__":
    main()
