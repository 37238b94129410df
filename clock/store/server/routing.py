"""Pushes of a block of code to another Redis than the process's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from redis import Redis

_via: ContextVar[Redis | None] = ContextVar("connection of a block of via", default=None)


@contextmanager
def via(redis: Redis | None) -> Iterator[None]:
    """Make `redis` the default connection for the thread or task inside the block, and for tasks that it starts.

    None: the process's own.
    """
    token = _via.set(redis)
    try:
        yield
    finally:
        _via.reset(token)


def routed() -> Redis | None:
    """The connection of the block of `via` that the caller is in; None: it is in none."""
    return _via.get()
