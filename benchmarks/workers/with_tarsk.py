"""tarsk: one child process, a stream in Redis, as many tasks under way as it does by default."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tarsk import App

from benchmarks.workers import same_jobs
from benchmarks.workers.same_jobs import NAP_SECONDS, Call, program

app = App(broker=os.environ["REDIS_URL"])


@app.task()
def mark(name: str) -> None:
    """Note that now is `name`."""
    same_jobs.mark(name)


@app.task()
def nothing() -> None:
    """Do nothing."""


@app.task()
def nap() -> None:
    """Wait for a millisecond."""
    time.sleep(NAP_SECONDS)


@app.task()
def stamp(pushed: float) -> None:
    """Note how long this job waited."""
    same_jobs.stamp(pushed)


TASKS = {"mark": mark, "nothing": nothing, "nap": nap, "stamp": stamp}


def push(calls: Sequence[Call]) -> None:
    """Push one by one."""
    for name, args in calls:
        TASKS[name].send(*args)


def work() -> None:
    """Become the worker."""
    words = ["tarsk", "worker", "--app", "benchmarks.workers.with_tarsk:app", "--children", "1"]
    os.execv(Path(sys.executable).with_name("tarsk"), [*words, "--broker", os.environ["REDIS_URL"]])  # noqa: S606  # our own words


if __name__ == "__main__":
    # The tasks must have the module's name, which the worker imports it by.
    from benchmarks.workers import with_tarsk

    program(with_tarsk.push, work)
