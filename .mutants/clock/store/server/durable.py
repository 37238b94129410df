"""Durable writes: WAIT until some replicas have a write, so a fail-over does not lose it.

Redis replicates asynchronously. It acknowledges a write before it reaches a replica, and a primary that dies at
that moment takes the write with it.
"""

from __future__ import annotations

from redis import Redis

from clock.store.server.faults import NOT_REPLICATED, FoundFault

WAIT_MS = 1_000  # a replica that follows confirms within milliseconds


def durable_of(redis: Redis) -> int:
    """How many replicas must have a push or a firing of this connection; 0: Redis replicates later."""
    return int(getattr(redis.connection_pool, "durable", 0))


def wait_command(replicas: int) -> tuple[str, int, int]:
    """The command that waits until so many replicas have all writes of this connection."""
    return ("WAIT", replicas, WAIT_MS)


def check_replicated(confirmed: int, wanted: int) -> None:
    """Raise FoundFault if fewer replicas than wanted have the writes: they may be lost in a fail-over."""
    if confirmed < wanted:
        raise FoundFault(f"{confirmed} of {wanted} confirmed it within {WAIT_MS / 1000:g} s", NOT_REPLICATED)
