"""Which encryption keys the jobs in Redis need: a key that no job needs can be removed."""

from __future__ import annotations

from collections import Counter

from clock.inspection.jobs.busy import all_jobs
from clock.job.encryption import key_id_of
from clock.store import Redis


def jobs_by_key(redis: Redis) -> Counter[str]:
    """The id of each key that jobs are encrypted with, and how many jobs. Reads all jobs, in short steps.

    Raises StoreUnavailable, StoreError.
    """
    found = (key_id_of(job.payload) for job in all_jobs(redis))
    return Counter(key_id for key_id in found if key_id is not None)
