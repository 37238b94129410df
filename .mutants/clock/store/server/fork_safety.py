"""A forked child gets its own connections to Redis: two processes on one would read each other's answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from redis import Redis

from clock.forking import in_child

_again: WeakKeyDictionary[Redis, Callable[[], Redis]] = WeakKeyDictionary()


def renew_in_child(redis: Redis, again: Callable[[], Redis]) -> None:
    """In every forked child, give `redis` the connection pool of `again()`, which opens the same once more."""
    _again[redis] = again


def opener_of(redis: Redis) -> Callable[[], Redis] | None:
    """The function that opens the same connection again; None: `connect` did not make it."""
    return _again.get(redis)


def _begin_child() -> None:
    """Close the child's copies of its parent's connections, and start with new pools, whose locks are free.

    An open copy would keep a dead parent's connection alive, and the claim that waits on it would take a job.
    """
    for redis, again in list(_again.items()):
        for link in _links(redis.connection_pool):  # the pool itself would only forget them
            link.disconnect()  # in another process than its own it only closes
        redis.connection_pool = again().connection_pool


def _links(pool: Any) -> list[Any]:
    """The connections of a pool, blocking or not, idle or in use. The library has no public name for them."""
    names = ("_connections", "_available_connections", "_in_use_connections")
    return [link for name in names for link in getattr(pool, name, ())]


in_child(_begin_child)
