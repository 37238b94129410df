"""The jobs that every program runs, and the command line of each program's module.

`mark` tells when the first and the last of many jobs ran, so that start-up is not measured; `stamp` tells how long
a job waited.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from redis import Redis

NAP_SECONDS = 0.001
THREADS = 10
PAUSE_SECONDS = 0.005  # between jobs whose wait is measured

_redis = Redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"))

Call = tuple[str, list[object]]


def best_threads() -> int:
    """How many threads suit the kind of job that is measured, `BENCHMARK_KIND`, for what does not adapt."""
    return THREADS if os.environ.get("BENCHMARK_KIND") == "nap" else 1


def mark(name: str) -> None:
    """Note that now is `name`, and how much processor time this process and Redis have used."""
    server: Any = _redis.info("cpu")
    spent = {"worker": time.process_time(), "redis": server["used_cpu_user"] + server["used_cpu_sys"]}
    notes = {f"benchmark:{name}:{who}": seconds for who, seconds in spent.items()}
    _redis.mset({**notes, f"benchmark:{name}": time.time()})


def nothing() -> None:
    """Do nothing."""


def nap() -> None:
    """Wait for a millisecond, as for a database."""
    time.sleep(NAP_SECONDS)


def stamp(pushed: float) -> None:
    """Note how long this job waited since it was `pushed`."""
    _redis.rpush("benchmark:waits", time.time() - pushed)


def program(push: Callable[[Sequence[Call]], object], work: Callable[[], object]) -> None:
    """`push KIND COUNT`: push so many jobs; `work`: run a worker until it is stopped."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["push", "work"])
    parser.add_argument("kind", nargs="?", choices=["nothing", "nap", "stamp", "limited", "rated", "held"])
    parser.add_argument("count", nargs="?", type=int, default=0)
    given = parser.parse_args()
    if given.command == "work":
        work()
    elif given.kind == "stamp":
        for _ in range(given.count):
            push([("stamp", [time.time()])])
            time.sleep(PAUSE_SECONDS)
    else:
        calls: list[Call] = [(given.kind, [])] * given.count
        push([("mark", ["start"]), *calls, ("mark", ["end"])])
