"""Huey: one thread for jobs that only compute (its default), ten for those that wait; results are not kept."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

from huey import RedisHuey

from benchmarks.workers import same_jobs
from benchmarks.workers.same_jobs import Call, best_threads, program

huey = RedisHuey("benchmark", url=os.environ["REDIS_URL"], results=False, blocking=True)
TASKS = {name: huey.task(name=name)(getattr(same_jobs, name)) for name in ("mark", "nothing", "nap", "stamp")}


def push(calls: Sequence[Call]) -> None:
    """Push one by one."""
    for name, args in calls:
        TASKS[name](*args)


def work() -> None:
    """Run the consumer."""
    logging.basicConfig(level=os.environ["CLOCK_LOG_LEVEL"].upper())
    huey.create_consumer(workers=best_threads(), worker_type="thread", periodic=False).run()


if __name__ == "__main__":
    program(push, work)
