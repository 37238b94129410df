"""Receivers of pushed jobs: Redis, or those of tests; and the shard of Redis that gets each job.

A job with a rule stays at home: the scripts find all that the rule needs there, such as locks, limits and batches.
So do the jobs that an event pushes, and those that push jobs with `exactly_once`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, MutableSequence, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

from clock.job.context import JobClass
from clock.job.payload import Payload
from clock.store import Redis
from clock.store.jobs.queues import Parcel
from clock.store.server.shards import every, place_by

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


#: Fields of payloads that are rules.
RULES = frozenset(("clock", "unique", "limits", "rates", "bid", "then", "exactly_once"))


def stays_at_home(job: JobClass, payload: Payload) -> bool:
    """Whether the job of a payload needs the home; else any shard may hold the job."""
    return not RULES.isdisjoint(payload) or job.exactly_once


def spread(redis: Redis, parcels: Iterable[Parcel]) -> list[tuple[Redis, list[Parcel]]]:
    """The parcels for each place, with its connection: plain jobs by their jids, the others at home."""
    places = every(redis)
    found: defaultdict[int, list[Parcel]] = defaultdict(list)
    for parcel in parcels:
        if parcel.jids is None:
            found[0].append(parcel)
            continue
        indexes: defaultdict[int, list[int]] = defaultdict(list)
        for index, jid in enumerate(parcel.jids):
            indexes[place_by(jid, len(places))].append(index)
        for place, some in indexes.items():
            payloads = [parcel.payloads[index] for index in some]
            at = None if parcel.at is None else [parcel.at[index] for index in some]
            found[place].append(replace(parcel, payloads=payloads, at=at, jids=None))
    return [(places[number], some) for number, some in sorted(found.items())]
