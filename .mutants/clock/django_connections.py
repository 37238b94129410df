"""Django's database connections, renewed around work outside requests, like Django does around a request.

Django closes a connection that is broken or older than CONN_MAX_AGE at the start and end of a request. A worker
and a clock have no requests: without this, a connection that the database has closed would fail every later job of
its thread. Without Django this costs one look-up.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager


def uses_django() -> bool:
    """Whether the application has loaded Django's database layer and its settings."""
    return "django.db" in sys.modules and bool(sys.modules["django.conf"].settings.configured)


@contextmanager
def renewed_connections() -> Iterator[None]:
    """Close this thread's old and broken connections before the block and after it."""
    if not uses_django():
        yield
        return
    close = sys.modules["django.db"].close_old_connections
    close()
    try:
        yield
    finally:
        close()


@asynccontextmanager
async def arenewed_connections() -> AsyncIterator[None]:
    """`renewed_connections` for coroutines, whose queries run on a thread of asgiref's."""
    asgiref = sys.modules.get("asgiref.sync")
    if asgiref is None or not uses_django():
        yield
        return
    close = asgiref.sync_to_async(sys.modules["django.db"].close_old_connections)
    await close()
    try:
        yield
    finally:
        await close()
