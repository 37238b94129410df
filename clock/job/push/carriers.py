"""What takes pushed jobs: Redis, or what a test puts in its place."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, MutableSequence, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache, partial
from typing import Any, Protocol, runtime_checkable

from clock.clocks import SystemClock
from clock.job.payload import Payload
from clock.job.types import JobClass
from clock.store.jobs import queues
from clock.store.jobs.queues import Parcel
from clock.store.server import connection

_monotonic = SystemClock().monotonic

Batches = Iterable[Sequence[Parcel]]


class Carrier(Protocol):
    """Takes parcels of jobs, batch by batch: each is made when it is asked for."""

    def carry(self, batches: Batches) -> None:
        """Take them. Raises StoreUnavailable."""

    async def acarry(self, batches: Batches) -> None:
        """Take them without blocking the event loop."""


@runtime_checkable
class Collector(Carrier, Protocol):
    """A carrier of a test, which keeps the jobs."""

    def jobs(self, job: JobClass) -> MutableSequence[Payload]:
        """Those of a class."""

    def clear(self, job: JobClass) -> None:
        """Forget those of a class."""

    def drain(self, job: JobClass) -> int:
        """Run those of a class, and those that they push, until none is left; how many."""

    def perform_one(self, job: JobClass) -> Any:
        """Run the first of a class; what its `perform` returns."""


class ToRedis:
    """The carrier of an application that runs."""

    def carry(self, batches: Batches) -> None:
        """Push them by the default connection. Raises StoreUnavailable."""
        queues.push(connection.default(), batches)

    async def acarry(self, batches: Batches) -> None:
        """Push them in a thread: one code for both, and no second connection for each event loop.

        The threads are the carrier's own: while Redis does not answer, the application's `to_thread` goes on. The
        time that a push waits for a thread counts against its limit.
        """
        push = partial(self._carry_late, batches, _monotonic())
        await asyncio.get_running_loop().run_in_executor(_threads(os.getpid()), copy_context().run, push)

    def _carry_late(self, batches: Batches, since: float) -> None:
        redis = connection.default(spent=_monotonic() - since)
        queues.push(redis, batches, spent=_monotonic() - since)


@cache
def _threads(pid: int) -> ThreadPoolExecutor:
    """The threads of a process: a forked child has none of its parent's."""
    return ThreadPoolExecutor(connection.DEFAULT_CONNECTIONS, thread_name_prefix=f"push-{pid}")
