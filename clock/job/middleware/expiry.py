"""`expires_in`: a job that was not started in time is dropped.

A reminder that is a day late is worse than no reminder. The time counts from the job's due time, or from its push
if it is due at once; retries do not prolong it. It is stored in the payload as `expires_at`, float seconds since
1970. A payload without it, written by a Ruby program, counts from its `enqueued_at`.
"""

from __future__ import annotations

import logging

from clock.errors import Discard
from clock.job.delays import due_as_put, in_seconds
from clock.job.middleware.metrics import METRICS
from clock.job.payload import Payload, instant, seconds
from clock.job.types import JobClass, RunningJob

logger = logging.getLogger("clock.job")


def note_expiry(job: JobClass, payload: Payload, queue: str) -> None:
    """Client middleware: write when the job expires, if its class or `.set()` gives `expires_in`."""
    lifetime = in_seconds(payload.pop("expires_in", None))
    if lifetime is not None:
        created_at = instant(payload.get("created_at")) or 0.0
        payload["expires_at"] = due_as_put(payload.get("at"), created_at) + lifetime


def drop_stale(job: RunningJob, payload: Payload, queue: str) -> None:
    """Server middleware: raise Discard if the job has expired."""
    if job.expires_in is None and "expires_at" not in payload:
        return
    expires_at = instant(payload.get("expires_at"))
    if expires_at is None:
        enqueued_at, lifetime = instant(payload.get("enqueued_at")), in_seconds(job.expires_in)
        if enqueued_at is None or lifetime is None:
            return
        expires_at = enqueued_at + lifetime
    late = seconds(job.context.clock.now()) - expires_at
    if late > 0:
        METRICS.note_expired(job.wire_name)
        raise Discard(f"it expired {late:.0f} s ago")
