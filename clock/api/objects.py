"""The base of the API's objects: their connection, their time, awaitable methods."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import wraps
from itertools import islice
from typing import Any, Concatenate, ParamSpec, TypeVar

from clock.clocks import from_ms
from clock.errors import ConfigurationError
from clock.job.push.client import now as now  # the API's objects import it from here
from clock.job.push.filling import filled_in
from clock.printable import brief
from clock.store import Redis
from clock.store.ledger.held_pushes import holding_in
from clock.store.server.connection import connect as open_connection
from clock.store.server.connection import default, shards_of_process, with_shards
from clock.store.server.connection import via as route

S = TypeVar("S")
T = TypeVar("T")
P = ParamSpec("P")

ITEMS_PER_TURN = 200  # items got at each turn in the thread


@contextmanager
def via(redis: Redis) -> Iterator[None]:
    """Push the jobs of the block to another Redis, by a connection of `connect`, as Sidekiq's `Client.via` does.

    It applies to the thread or task that runs the block, and to tasks that the block starts. Threads that the
    block starts push to the process's own Redis. Objects of this API in the block use the other Redis, too. In
    an action of an event, such jobs are pushed at once; they are not part of the run. In the block of a batch,
    they do not belong to the batch, which the other Redis does not know. Raises ConfigurationError.
    """
    with route(_checked(redis)), holding_in(None), filled_in(None):
        yield


def instant() -> datetime:
    """The present instant, by the clock with which this process pushes jobs."""
    return from_ms(round(now() * 1000))


def connect(url: str | None = None, *, max_connections: int = 10, namespace: str | None = None) -> Redis:
    """Open a connection to pass as `redis=`: to `url`, else to `REDIS_URL`, else to the folder's embedded Valkey.

    The default of `namespace` is `CLOCK_NAMESPACE`, or the settings' namespace. Threads may share the connection.
    Raises StoreUnavailable, StoreError, ConfigurationError.
    """
    if url is not None and not (isinstance(url, str) and url):
        raise ConfigurationError(
            f"the URL is {brief(url)}; give redis://HOST:PORT, or leave it out to use REDIS_URL"
        )
    redis = open_connection(url, max_connections=max_connections, namespace=namespace)
    return with_shards(redis, shards_of_process())


def connected(redis: Redis | None) -> Redis:
    """The connection that was passed, else the process's own, to which jobs are pushed.

    Raises StoreUnavailable, StoreError, ConfigurationError.
    """
    return default() if redis is None else _checked(redis)


def _checked(redis: object) -> Redis:
    """A connection as `connect` opens it: its answers are bytes. Raises ConfigurationError."""
    if not isinstance(redis, Redis):
        raise ConfigurationError(f"redis is {brief(redis)}; pass a connection: api.connect(url)")
    if redis.get_encoder().decode_responses:
        raise ConfigurationError("this connection has decode_responses=True; open one with api.connect(url)")
    return redis


def awaitable(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """The twin of a method that returns a value. It raises the method's errors."""

    @wraps(method)
    async def twin(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.to_thread(method, self, *args, **kwargs)

    return twin


def awaitable_items(
    method: Callable[Concatenate[S, P], Iterator[T]],
) -> Callable[Concatenate[S, P], AsyncIterator[T]]:
    """The twin of a method that returns an iterator, for `async for`."""

    @wraps(method)
    async def twin(self: S, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        items = method(self, *args, **kwargs)
        while some := await asyncio.to_thread(lambda: list(islice(items, ITEMS_PER_TURN))):
            for item in some:
                yield item

    return twin
