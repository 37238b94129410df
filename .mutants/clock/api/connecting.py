"""The connection of the API's objects, and the time that they work with."""

from __future__ import annotations

from datetime import datetime

from clock.clocks import from_ms
from clock.job.push.client import now
from clock.store import Redis
from clock.store.server.connection import connect as open_connection
from clock.store.server.connection import default, shards_of_process, with_shards

__all__ = ["connect", "connected", "instant", "now"]


def instant() -> datetime:
    """The present instant, by the clock with which this process pushes jobs."""
    return from_ms(round(now() * 1000))


def connect(url: str | None = None, *, max_connections: int = 10, namespace: str | None = None) -> Redis:
    """Open a connection to pass as `redis=`: to `url`, else to `REDIS_URL`, else to the folder's embedded Valkey.

    The default of `namespace` is `CLOCK_NAMESPACE`, or the settings' namespace. Threads may share the connection.
    Raises StoreUnavailable, StoreError, ConfigurationError.
    """
    redis = open_connection(url, max_connections=max_connections, namespace=namespace)
    return with_shards(redis, shards_of_process())


def connected(redis: Redis | None) -> Redis:
    """The connection that was passed, else the process's own, to which jobs are pushed.

    Raises StoreUnavailable, StoreError, ConfigurationError.
    """
    return default() if redis is None else redis
