"""Running a job outside a worker, to its end, whichever kind its `perform` is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from clock.errors import Discard
from clock.job.context import Context, JobClass
from clock.job.middleware.chain import ServerMiddleware
from clock.job.options import Order
from clock.job.push import client
from clock.job.push.payload_builder import payload_as_read


def run_to_end(job: JobClass, context: Context, middleware: Sequence[ServerMiddleware] | None = None) -> Any:
    """Run the job, also within a running event loop; the result of `perform`, None if the job was dropped."""
    try:
        return run_here(job, context, middleware)
    except Discard:
        return None


def run_here(job: JobClass, context: Context, middleware: Sequence[ServerMiddleware] | None = None) -> Any:
    """Run the job, also within a running event loop; the result of `perform`. Raises Discard, too."""
    if not job.is_coroutine():
        return job.run(context, middleware)
    coroutine = job.arun(context, middleware)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    with ThreadPoolExecutor(1) as another:  # a loop that runs cannot be asked to run something to its end
        return another.submit(copy_context().run, asyncio.run, coroutine).result()


async def await_here(job: JobClass, context: Context, middleware: Sequence[ServerMiddleware] | None = None) -> Any:
    """Run the job without blocking the event loop; the result of `perform`. Raises Discard, too."""
    if job.is_coroutine():
        return await job.arun(context, middleware)
    return await asyncio.to_thread(job.run, context, middleware)


def inline_context(order: Order, args: Sequence[object], kwargs: Mapping[str, object]) -> Context | None:
    """The payload that a worker would get for these arguments; None if client middleware stopped the push."""
    args = client.checked(order, args, kwargs)
    payload = payload_as_read(order, args, client.now())
    return None if payload is None else Context(payload, queue=str(payload["queue"]), clock=client.clock())
