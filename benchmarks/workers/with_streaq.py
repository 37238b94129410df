"""streaQ: one process, coroutines on uvloop, a stream in Redis, 16 at a time, its default and its fastest."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

from streaq import Worker

from benchmarks.workers import same_jobs
from benchmarks.workers.same_jobs import NAP_SECONDS, Call, program

worker = Worker(redis_url=os.environ["REDIS_URL"], anyio_kwargs={"use_uvloop": True})


@worker.task(name="mark", ttl=0)
async def mark(name: str) -> None:
    """Note that now is `name`."""
    same_jobs.mark(name)


@worker.task(name="nothing", ttl=0, silent=True)
async def nothing() -> None:
    """Do nothing."""


@worker.task(name="nap", ttl=0, silent=True)
async def nap() -> None:
    """Wait for a millisecond."""
    await asyncio.sleep(NAP_SECONDS)


@worker.task(name="stamp", ttl=0, silent=True)
async def stamp(pushed: float) -> None:
    """Note how long this job waited."""
    same_jobs.stamp(pushed)


TASKS = {"mark": mark, "nothing": nothing, "nap": nap, "stamp": stamp}


def push(calls: Sequence[Call]) -> None:
    """Push one by one."""
    asyncio.run(_push(calls))


async def _push(calls: Sequence[Call]) -> None:
    async with worker:
        for name, args in calls:
            await TASKS[name].enqueue(*args)


def work() -> None:
    """Become the worker."""
    words = ["-m", "streaq", "run", "benchmarks.workers.with_streaq:worker"]
    os.execv(sys.executable, [sys.executable, *words])  # noqa: S606  # this interpreter, words of our own


if __name__ == "__main__":
    program(push, work)
