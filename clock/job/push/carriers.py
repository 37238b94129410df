"""Receivers of pushed jobs: Redis, or those of tests."""

from __future__ import annotations

from collections.abc import Iterable, MutableSequence, Sequence
from typing import Any, Protocol, runtime_checkable

from clock.job.context import JobClass
from clock.job.payload import Payload
from clock.store.jobs.queues import Parcel

Batches = Iterable[Sequence[Parcel]]


class Carrier(Protocol):
    """Takes parcels of jobs, batch by batch: each is made when it is asked for.

    If a parcel needs locks, the batches are a list, and all of their parcels need locks.
    """

    def carry(self, batches: Batches) -> None:
        """Take them. Raises StoreUnavailable."""

    async def acarry(self, batches: Batches) -> None:
        """Take them without blocking the event loop."""


@runtime_checkable
class Collector(Carrier, Protocol):
    """A carrier of a test, which keeps the jobs."""

    def jobs(self, job: JobClass) -> MutableSequence[Payload]:
        """The collected jobs of a class."""

    def clear(self, job: JobClass) -> None:
        """Forget the collected jobs of a class."""

    def drain(self, job: JobClass) -> int:
        """Run the collected jobs of a class, and the jobs that they push, until no job is left; how many."""

    def perform_one(self, job: JobClass) -> Any:
        """Run the first of a class; what its `perform` returns."""
