"""The process's two chains of middleware, with the package's own in them."""

from __future__ import annotations

from collections.abc import Mapping

from clock.job.middleware.chain import Chain, ClientMiddleware, ServerMiddleware
from clock.job.middleware.expiry import drop_stale, note_expiry
from clock.job.middleware.time_limit import limit_time
from clock.job.payload import Payload
from clock.job.types import JobClass, RunningJob


def log_tags(job: RunningJob, payload: Payload, queue: str) -> None:
    """Server middleware: the lines that `self.logger` writes carry the payload's tags."""
    if tags := payload.get("tags"):
        job.log_fields["tags"] = tags


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
    if (
        entries is _OWN
        and job.expires_in is None
        and job.timeout is None
        and payload.keys().isdisjoint(_OWN_FIELDS)
    ):
        return ()
    return entries
