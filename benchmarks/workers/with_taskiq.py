"""taskiq: one process, coroutines on uvloop, a list in Redis, which is its fastest."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

from taskiq_redis import ListQueueBroker

from benchmarks.workers import same_jobs
from benchmarks.workers.same_jobs import NAP_SECONDS, Call, program

broker = ListQueueBroker(os.environ["REDIS_URL"])


@broker.task(task_name="mark")
async def mark(name: str) -> None:
    """Note that now is `name`."""
    same_jobs.mark(name)


@broker.task(task_name="nothing")
async def nothing() -> None:
    """Do nothing."""


@broker.task(task_name="nap")
async def nap() -> None:
    """Wait for a millisecond."""
    await asyncio.sleep(NAP_SECONDS)


@broker.task(task_name="stamp")
async def stamp(pushed: float) -> None:
    """Note how long this job waited."""
    same_jobs.stamp(pushed)


TASKS = {"mark": mark, "nothing": nothing, "nap": nap, "stamp": stamp}


def push(calls: Sequence[Call]) -> None:
    """Push one by one."""
    asyncio.run(_push(calls))


async def _push(calls: Sequence[Call]) -> None:
    await broker.startup()
    for name, args in calls:
        await TASKS[name].kiq(*args)
    await broker.shutdown()


def work() -> None:
    """Become the worker."""
    words = ["-m", "taskiq", "worker", "--workers", "1", "--max-async-tasks", "100", "--log-level"]
    words += [os.environ["CLOCK_LOG_LEVEL"].upper(), "benchmarks.workers.with_taskiq:broker"]
    os.execv(sys.executable, [sys.executable, *words])  # noqa: S606  # this interpreter, words of our own


if __name__ == "__main__":
    program(push, work)
