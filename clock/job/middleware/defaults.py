"""The process's two chains of middleware, with the package's own in them.

`expires_in`: a job that was not started in time is dropped. A reminder that is a day late is worse than no
reminder. The time counts from the job's due time, or from its push if it is due at once; retries do not prolong
it. It is stored in the payload as `expires_at`, float seconds since 1970. A payload without it, written by a Ruby
program, counts from its `enqueued_at`.
"""

from __future__ import annotations

from collections.abc import Mapping

from clock.errors import Discard
from clock.job.context import JobClass, RunningJob
from clock.job.middleware.chain import Chain, ClientMiddleware, ServerMiddleware
from clock.job.middleware.metrics import METRICS
from clock.job.middleware.time_limit import limit_time
from clock.job.payload import Payload, due_as_put, in_seconds, instant, seconds


def log_tags(job: RunningJob, payload: Payload, queue: str) -> None:
    """Server middleware: the lines that `self.logger` writes carry the payload's tags."""
    if tags := payload.get("tags"):
        job.log_fields["tags"] = tags


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


client_middleware: Chain[ClientMiddleware] = Chain(note_expiry)
server_middleware: Chain[ServerMiddleware] = Chain(log_tags, drop_stale, limit_time)


def client_middleware_for(fields: Mapping[str, object]) -> tuple[ClientMiddleware, ...]:
    """The client middleware that has anything to do for a payload with these fields from class and options."""
    entries = client_middleware.entries
    if "expires_in" in fields:
        return entries
    return tuple([entry for entry in entries if entry is not note_expiry])


_OWN = server_middleware.entries
#: Payload fields that the package's own middleware reads.
_OWN_FIELDS = frozenset({"tags", "expires_at", "timeout"})


def server_middleware_for(job: JobClass, payload: Payload) -> tuple[ServerMiddleware, ...]:
    """The server middleware of a job: none, if only the package's own are there, and have nothing to do for it."""
    entries = server_middleware.entries
    if entries is not _OWN or job.expires_in is not None or job.timeout is not None:
        return entries
    return () if payload.keys().isdisjoint(_OWN_FIELDS) else entries
