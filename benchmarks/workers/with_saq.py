"""SAQ: coroutines on uvloop, results not kept."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from typing import Any

import uvloop
from saq import Job, Queue, Worker

from benchmarks.workers import same_jobs
from benchmarks.workers.same_jobs import NAP_SECONDS, THREADS, Call, program


async def mark(_: Any, *, args: list[str]) -> None:
    """Note that now is the name."""
    same_jobs.mark(*args)


async def nothing(_: Any, *, args: list[object]) -> None:
    """Do nothing."""


async def nap(_: Any, *, args: list[object]) -> None:
    """Wait for a millisecond."""
    await asyncio.sleep(NAP_SECONDS)


async def stamp(_: Any, *, args: list[float]) -> None:
    """Note how long this job waited."""
    same_jobs.stamp(*args)


def push(calls: Sequence[Call]) -> None:
    """Push one by one."""
    asyncio.run(_push(calls))


async def _push(calls: Sequence[Call]) -> None:
    queue = Queue.from_url(os.environ["REDIS_URL"])
    await queue.connect()
    for name, args in calls:
        await queue.enqueue(Job(function=name, kwargs={"args": args}, ttl=-1))
    await queue.disconnect()


async def _work() -> None:
    queue = Queue.from_url(os.environ["REDIS_URL"])
    await queue.connect()
    await Worker(queue, functions=[mark, nothing, nap, stamp], concurrency=THREADS).start()


def work() -> None:
    """Run the worker."""
    logging.basicConfig(level=os.environ["CLOCK_LOG_LEVEL"].upper())
    uvloop.run(_work())


if __name__ == "__main__":
    program(push, work)
