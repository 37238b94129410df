"""The connection to Redis: opened at the entry point, with one default for `MyJob.perform_async`.

The client library never repeats a command: if the answer to a push is lost, the push may have happened, and a
second one could double the job. Callers repeat the commands that may be repeated, such as the scripts for firing
and claiming.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from redis import Redis
from redis.exceptions import RedisError

from clock.clocks import Clock, SystemClock
from clock.config import found_of_process
from clock.errors import ConfigurationError, StoreError, StoreUnavailable
from clock.forking import in_child
from clock.store import keys
from clock.store.server.address import advised, masked
from clock.store.server.checks.server_version import check_server
from clock.store.server.client import PROCESS_LIMITS, PUSH_SECONDS, client, push_limits
from clock.store.server.embedded import embedded
from clock.store.server.faults import store_error
from clock.store.server.pool import Pool
from clock.store.server.shards import ALONE, Address, Shards, ShardSettings, addresses, join, note

DEFAULT_CONNECTIONS = 10  # of a process that pushes: so many threads push at once
SKEW_SECONDS = 0.5  # a machine whose clock differs from Redis's by more is warned about

logger = logging.getLogger("clock.redis")
_monotonic = SystemClock().monotonic
_default: Redis | None = None  # guarded by _default_lock
_openings: WeakKeyDictionary[Redis, Opening] = WeakKeyDictionary()
_via: ContextVar[Redis | None] = ContextVar("connection of a block of via", default=None)
_default_lock = threading.Lock()


class translated:  # noqa: N801  # it reads as a function, and a generator would cost each push more
    """Raise what Redis or the network raises as StoreUnavailable (it may pass) or StoreError (it will not).

    The error's `cause` is the fault's word in `faults.py`.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, RedisError):
            raise embedded.explained(store_error(error), error) from error
        if isinstance(error, OSError):  # no file descriptor is left, for instance
            raise StoreUnavailable(f"Redis cannot be reached: {error}.", cause="unreachable") from error


def has_left(redis: Redis, link: Any) -> bool:
    """Whether a connection of the pool, held for long, is to a server that is no longer the primary."""
    pool = redis.connection_pool
    return link is not None and isinstance(pool, Pool) and pool.has_left(link)


class lent:  # noqa: N801  # as `translated`
    """A connection of the pool for the block, which reads the answer to all that it sends, or raises.

    `within`: seconds that waiting for a connection, opening it and an answer take together. `waits`: seconds that
    the block's commands wait in Redis, which come on top of the limit of an answer.
    """

    __slots__ = ("_link", "_pool", "_waits", "_within")

    def __init__(self, redis: Redis, *, within: float | None = None, waits: float = 0.0) -> None:
        self._pool: Any = redis.connection_pool
        self._within = within
        self._waits = waits

    def __enter__(self) -> Any:
        pool = self._pool
        is_ours = isinstance(pool, Pool)
        self._link: Any = pool.take(self._within, self._waits) if is_ours else pool.get_connection()
        return self._link

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None:
            self._link.disconnect()  # answers that were not read must not be taken for those of the next commands
        self._pool.release(self._link)


def connect(
    url: str | None = None,
    *,
    source: str = "REDIS_URL",
    max_connections: int = 1,
    push_seconds: float = PUSH_SECONDS,
    is_application: bool = False,
    namespace: str | None = None,
    durable: int | None = None,
) -> Redis:
    """Open a connection and check it: to `url`, else `REDIS_URL`, else the folder's embedded Valkey.

    `source` names the origin of `url` in errors. At most `max_connections` are opened; a thread that needs one
    more waits. A push takes `push_seconds` at most.
    `is_application`: the process only pushes; that limit and those in the URL apply to all its commands.
    `namespace` is put before every key; None: `CLOCK_NAMESPACE`, or the application's settings.
    `durable`: how many replicas must confirm a push or a firing; None: `CLOCK_DURABLE`, or the settings.
    Raises StoreUnavailable, StoreError or ConfigurationError, each with one line and the cure.
    """
    url, source = (url, source) if url else _url_of_process()
    space = str(found_of_process("namespace").value or "") if namespace is None else namespace
    replicas = int(str(found_of_process("durable").value)) if durable is None else durable
    try:
        limits = push_limits(push_seconds) if is_application else replace(PROCESS_LIMITS, push=push_seconds)
        make = partial(
            client,
            max_connections=max_connections,
            limits=limits,
            is_application=is_application,
            durable=replicas,
        )
        opening = Opening(Address(url, space), make)
        redis = opening(source=source)
    except ConfigurationError as error:
        raise ConfigurationError(f"{source}: {error}") from None
    try:
        with translated():
            check_server(redis)
    except StoreError as error:
        redis.close()
        raise type(error)(f"{masked(url)}: {advised(error, url, source)}", cause=error.cause) from error
    return redis


@dataclass(frozen=True, slots=True)
class Opening:
    """How a client is made: `make` has all arguments of `client`, except those of the address."""

    address: Address
    make: Callable[..., Redis]

    def __call__(self, *, source: str = "") -> Redis:
        """Such a client; nothing is opened before its first command. Raises ConfigurationError."""
        redis = self.make(self.address.url, namespace=self.address.namespace, source=source)
        _openings[redis] = self
        return redis


def with_shards(redis: Redis, settings: ShardSettings) -> Redis:
    """Make a connection of `connect` that of a home: it knows its shards, if the settings have any.

    Raises ConfigurationError.
    """
    if settings != ALONE:
        places = addresses(opening_of(redis).address, settings)
        join(redis, Shards(places, [opened_at(redis, address) for address in places[1:]]))
    return redis


def opened_at(home: Redis, address: Address) -> Redis:
    """A client like that of `home` for another place. Nothing is opened yet. Raises ConfigurationError."""
    return replace(opening_of(home), address=address)()


def opening_of(redis: Redis) -> Opening:
    """How the client was made. Raises StoreError if it is not one of `connect`."""
    if redis not in _openings:
        raise StoreError("this connection was not opened by clock.api.connect")
    return _openings[redis]


def shards_of_process() -> ShardSettings:
    """The shards of a process that only pushes. Raises ConfigurationError."""
    urls: Any = found_of_process("redis_urls").value
    return ShardSettings(int(str(found_of_process("shards").value)), tuple(urls))


def server_url(url: str | None) -> str:
    """The URL that `connect` opens: `url`, else as `_url_of_process`. Raises StoreError or ConfigurationError."""
    return url or _url_of_process()[0]


def _url_of_process() -> tuple[str, str]:
    """A URL and its source: `REDIS_URL`, the application's, the settings file's, or the folder's embedded Valkey.

    The first of `REDIS_URLS` is that of `REDIS_URL`. Raises StoreError or ConfigurationError without an address.
    """
    if os.environ.get("REDIS_URL"):
        return os.environ["REDIS_URL"], "REDIS_URL"
    found = found_of_process("redis")
    if found.value:
        return str(found.value), found.source
    return next(iter(shards_of_process().urls), None) or _embedded_url(Path.cwd()), "REDIS_URL"


def default(*, spent: float = 0.0) -> Redis:
    """The process's own connection for pushes, opened by `connect()` when it is first asked for.

    Several threads may ask at once, while Redis does not answer: each waits for as long as a push may take, less
    the `spent` seconds. Raises what `connect` does.
    """
    global _default  # the one default that DESIGN allows; entry points and tests set it
    found = opened_default()
    if found is not None:
        return found
    seconds, since = float(str(found_of_process("push_timeout").value)), _monotonic()
    is_ours = _default_lock.acquire(timeout=max(0.0, seconds - spent))
    try:
        if _default is None:
            if not is_ours or spent + _monotonic() - since > seconds / 2:
                raise StoreUnavailable("Redis does not answer: another thread waits for it.", cause="no_answer")
            found = connect(max_connections=DEFAULT_CONNECTIONS, push_seconds=seconds, is_application=True)
            _default = with_shards(found, shards_of_process())
            with translated():
                note(_default, SystemClock().now())
            if not (found_of_process("redis").value or shards_of_process().urls):
                _warn_if_no_worker_may_look_here(_default, Path.cwd())
        return _default
    finally:
        if is_ours:
            _default_lock.release()


def opened_default() -> Redis | None:
    """The connection of a block of `via`, or else the default connection, if it is open."""
    found = _via.get()
    return _default if found is None else found


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


def _warn_if_no_worker_may_look_here(redis: Redis, folder: Path) -> None:
    """Name the embedded server's folder if neither an application nor a worker is there."""
    if any((folder / name).exists() for name in ("lib/clock.py", "jobs", "config/clock.yml")):
        return
    with translated():
        if not redis.exists(keys.PROCESSES):
            logger.warning(
                "Pushing to the embedded Valkey of %s, which has no clock file, jobs or worker. "
                "A worker of another folder does not get these jobs: set REDIS_URL, or start both in one folder",
                folder,
            )


def set_default(redis: Redis | None) -> None:
    """Make `redis` the default connection; None: open a new one when it is next asked for."""
    global _default  # see above
    with _default_lock:
        _default = redis


@contextmanager
def using_default(redis: Redis) -> Iterator[None]:
    """Make `redis` the default connection inside the block; for tests."""
    before = _default
    set_default(redis)
    try:
        yield
    finally:
        set_default(before)


def _begin_child() -> None:
    """Close the child's copies of its parent's connections, and start with new pools, whose locks are free.

    Two processes on one connection would read each other's answers. An open copy would keep a dead parent's
    connection alive, and the claim that waits on it would take a job.
    """
    global _default_lock  # a thread of the parent may have held it
    _default_lock = threading.Lock()
    for redis, opening in list(_openings.items()):
        pool: Any = redis.connection_pool
        for link in pool._connections:  # the pool itself would only forget them
            link.disconnect()  # in another process than its own it only closes
        redis.connection_pool = opening().connection_pool


in_child(_begin_child)


def server_time_offset(redis: Redis, clock: Clock) -> timedelta:
    """The time by which Redis's clock is ahead of `clock`: the best of three looks. Raises StoreUnavailable."""
    looks = []
    for _ in range(3):
        before = clock.now()
        server = server_time(redis)
        after = clock.now()
        looks.append((after - before, server - (before + (after - before) / 2)))
    return min(looks)[1]


def server_time(redis: Redis) -> datetime:
    """The server's time. Raises StoreUnavailable."""
    with translated():
        seconds, microseconds = redis.time()
    return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)


def answers(redis: Redis) -> bool:
    """Whether the server answers a connection made just for asking."""
    pool: Any = redis.connection_pool
    link = pool.new_link()
    try:
        with translated():
            link.prepare(pool.limits)
            link.send_command("PING")
            return bool(link.read_response())
    except StoreError:
        return False
    finally:
        link.disconnect()


def _embedded_url(folder: Path) -> str:
    if not embedded.IS_SUPPORTED:  # pragma: no cover  # Windows
        raise ConfigurationError(
            "no Redis: set REDIS_URL (redis://host:6379); the embedded one does not run on Windows"
        )
    if not embedded.is_installed():
        raise ConfigurationError(
            "no Redis: set REDIS_URL (redis://host:6379), or install the embedded one: "
            "pip install 'clockd[embedded]'"
        )
    return embedded.start_or_join(folder, clock=SystemClock())
