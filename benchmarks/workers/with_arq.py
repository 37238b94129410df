"""arq: coroutines on uvloop, results not kept, polled as often as its documentation suggests for speed."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from typing import Any

import uvloop
from arq import create_pool, func, run_worker
from arq.connections import RedisSettings

from benchmarks.workers import same_jobs
from benchmarks.workers.same_jobs import NAP_SECONDS, Call, program

SETTINGS = RedisSettings.from_dsn(os.environ["REDIS_URL"])


async def mark(_: Any, name: str) -> None:
    """Note that now is `name`."""
    same_jobs.mark(name)


async def nothing(_: Any) -> None:
    """Do nothing."""


async def nap(_: Any) -> None:
    """Wait for a millisecond."""
    await asyncio.sleep(NAP_SECONDS)


async def stamp(_: Any, pushed: float) -> None:
    """Note how long this job waited."""
    same_jobs.stamp(pushed)


class Settings:
    """The worker's settings."""

    functions = [func(task, keep_result=0) for task in (mark, nothing, nap, stamp)]  # noqa: RUF012  # arq's form
    redis_settings = SETTINGS
    max_jobs = 100
    poll_delay = 0.01
    queue_read_limit = 500


def push(calls: Sequence[Call]) -> None:
    """Push one by one, a hundred under way."""
    asyncio.run(_push(calls))


async def _push(calls: Sequence[Call]) -> None:
    pool = await create_pool(SETTINGS)
    for name, args in calls:
        await pool.enqueue_job(name, *args)


def work() -> None:
    """Run the worker."""
    logging.basicConfig(level=os.environ["CLOCK_LOG_LEVEL"].upper())
    uvloop.install()
    run_worker(Settings)  # type: ignore[arg-type]  # a class of settings is what it wants


if __name__ == "__main__":
    program(push, work)
