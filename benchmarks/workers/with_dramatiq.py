"""Dramatiq: one process with threads, the Redis broker."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.workers import same_jobs
from benchmarks.workers.same_jobs import THREADS, Call, program

dramatiq.set_broker(RedisBroker(url=os.environ["REDIS_URL"]))
ACTORS = {
    name: dramatiq.actor(getattr(same_jobs, name), actor_name=name) for name in ("mark", "nothing", "nap", "stamp")
}


def push(calls: Sequence[Call]) -> None:
    """Push one by one."""
    for name, args in calls:
        ACTORS[name].send(*args)


def work() -> None:
    """Become the worker."""
    words = ["-m", "dramatiq", "-p", "1", "-t", str(THREADS), "benchmarks.workers.with_dramatiq"]
    os.execv(sys.executable, [sys.executable, *words])  # noqa: S606  # this interpreter, words of our own


if __name__ == "__main__":
    program(push, work)
