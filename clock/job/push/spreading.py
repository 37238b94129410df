"""Which jobs are spread over shards, and how.

A job with a rule stays at home: the scripts find all that the rule needs there, such as locks, limits and batches.
So do the jobs that an event pushes, and those that push jobs with `exactly_once`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from clock.job.payload import Payload
from clock.job.types import JobClass
from clock.store import Redis
from clock.store.jobs.queues import Parcel
from clock.store.server.shards import every, place_by

#: Fields of payloads that are rules.
RULES = frozenset(("clock", "unique", "limits", "rates", "bid", "then", "exactly_once"))


def stays_at_home(job: JobClass, payload: Payload) -> bool:
    """Whether the job of a payload needs the home; else any shard may hold the job."""
    return not RULES.isdisjoint(payload) or job.exactly_once


def spread(redis: Redis, parcels: Iterable[Parcel]) -> list[tuple[Redis, list[Parcel]]]:
    """The parcels for each place, with its connection: plain jobs by their jids, the others at home."""
    found: dict[int, list[Parcel]] = {}
    for parcel in parcels:
        for place, part in _parts(redis, parcel):
            found.setdefault(place, []).append(part)
    places = every(redis)
    return [(places[number], some) for number, some in sorted(found.items())]


def _parts(redis: Redis, parcel: Parcel) -> Iterable[tuple[int, Parcel]]:
    if parcel.jids is None:
        return [(0, parcel)]
    count = len(every(redis))
    indexes: dict[int, list[int]] = {}
    for index, jid in enumerate(parcel.jids):
        indexes.setdefault(place_by(jid, count), []).append(index)
    return [(place, _part(parcel, some)) for place, some in indexes.items()]


def _part(parcel: Parcel, indexes: Sequence[int]) -> Parcel:
    at = parcel.at
    return replace(
        parcel,
        payloads=[parcel.payloads[index] for index in indexes],
        at=None if at is None else [at[index] for index in indexes],
        jids=None,
    )
