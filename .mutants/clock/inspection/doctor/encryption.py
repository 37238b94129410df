"""Which encryption keys the jobs in Redis need: a key that no job needs can be removed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from clock.inspection.jobs.busy import claimed_jobs
from clock.inspection.jobs.jobs import FoundJob
from clock.inspection.jobs.pages import Place, parked_place, queue_place, set_place
from clock.job.encryption import key_id_of
from clock.store import Redis, keys, listing


def jobs_by_key(redis: Redis) -> Counter[str]:
    """The id of each key that jobs are encrypted with, and how many jobs. Reads all jobs, in short steps.

    Raises StoreUnavailable, StoreError.
    """
    found = (key_id_of(job.payload) for job in _all_jobs(redis))
    return Counter(key_id for key_id in found if key_id is not None)


def _all_jobs(redis: Redis) -> Iterator[FoundJob]:
    for place in _places(redis):
        yield from place.jobs()
    yield from (busy.job for busy in claimed_jobs(redis))


def _places(redis: Redis) -> Iterator[Place]:
    for name in (keys.SCHEDULE, keys.RETRY, keys.DEAD):
        yield set_place(redis, name)
    yield from (parked_place(redis, name) for name in listing.parked(redis))
    yield from (queue_place(redis, name) for name in listing.queue_names(redis))
