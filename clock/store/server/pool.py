"""The pool of connections, which follows the server's address when another machine takes over.

If a connection is lost, or its server answers that it is not the primary, the pool leaves. It closes idle
connections at once and those in use when they return; the next ones resolve the address again. A connection that
was unused for long is opened again as well. So after a fail-over by DNS no connection stays on the old server.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Full
from typing import Any, Protocol

from hiredis import HiredisError, Reader, pack_command
from redis.connection import (
    AbstractConnection,
    BlockingConnectionPool,
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from clock.clocks import monotonic
from clock.store.server.faults import fault_of
from clock.store.server.free_connections import FreeConnections
from clock.store.server.namespace import Namespace

UNUSED_SECONDS = 30.0  # a connection unused for longer is opened again: routers forget it, and names change
LEAST_SECONDS = 0.01  # of a limit that is nearly used up
SPENT_SECONDS = 0.1  # so little time spent on waiting for a connection need not shorten the limit of its answers

READ_BYTES = 65_536  # at most, by one call
_NO_CONNECTION = "No connection available."

Place = tuple[str, int]  # host and port


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds until a connection is free, until it is open, until one answer is there, and of a push in all."""

    wait: float
    connect: float
    answer: float
    push: float = 0.0


class Guide(Protocol):
    """Names the server that connections go to, if the URL does not."""

    def primary(self) -> Place:
        """The host and port of the server. Raises FoundFault, and what the client library does."""

    def turn_to_the_next(self) -> None:
        """The server is not the primary: another one must name it."""

    def meaning(self, error: RedisError, link: Any) -> RedisError:
        """The error to raise for an error of a connection to the server."""


class Link(AbstractConnection):
    """A connection that notices that its server is not the primary, and that keeps to limits."""

    guide: Guide | None = None
    fixed: Place | None = None  # the server, if it need not be the primary
    host: str
    port: int

    generation = 0  # the pool's, when the connection was taken from it
    used_at = 0.0  # monotonic seconds: when it was returned
    is_elsewhere = False  # the server has answered that it is not the primary, or the connection is lost
    packed: Callable[..., bytes] = staticmethod(pack_command)  # a command as it is sent; the pool sets it
    socket_timeout: float
    _sock: Any
    _until: float | None = None  # monotonic seconds: the deadline
    _allowed = 0.0  # the limit of one answer; `socket_timeout` is a property of the library
    _is_readable: Callable[[], bool]  # whether the server has closed the open connection, or sent an answer

    def read_response(self, *args: Any, **options: Any) -> Any:
        """The next answer. Raises the client library's errors."""
        try:
            return super().read_response(*args, **options)
        except RedisError as error:
            raise self._noted(error) from error.__cause__  # a variable with it would keep this connection alive
        except AttributeError as error:  # pragma: no cover  # redis-py 5, whose reader is gone
            if self._sock is not None:
                raise
            raise RedisConnectionError("Another thread has closed the connection.") from error

    def exchange(self, packed: bytes, count: int) -> list[Any]:
        """Send commands and read their answers, `count` in all. Error answers are in the list: none is raised.

        It needs an open connection without unread answers. The client library makes ten calls for each answer.
        After an error the caller must disconnect. Raises the library's errors.
        """
        reader, answers = Reader(), list[Any]()
        try:
            self._sock.sendall(packed)
            while len(answers) < count:
                if not (data := self._sock.recv(READ_BYTES)):
                    raise RedisConnectionError("Connection closed by server.")
                reader.feed(data)
                while (answer := reader.gets()) is not False:
                    answers.append(answer)
        except (OSError, HiredisError, RedisError) as error:
            raise self._noted(_library_error(error)) from error
        return answers

    def _noted(self, error: RedisError) -> RedisError:
        """The error to raise for an error of this connection, which notes whether its server is elsewhere."""
        if self.guide is not None:
            error = self.guide.meaning(error, self)
        self.is_elsewhere = self.is_elsewhere or fault_of(error).is_elsewhere
        return error

    def prepare(self, limits: Limits, until: float | None = None, waits: float = 0.0) -> None:
        """Open the connection if it is not open, was closed by the server, or was unused for long; set its limits.

        `until` (monotonic seconds) is the deadline; the seconds that the commands wait in Redis are added to it.
        Raises the client library's errors.
        """
        self._until = until
        if self._sock is not None and not self.is_usable():
            self.disconnect()  # type: ignore[no-untyped-call]  # untyped there
        if self._sock is None:
            self._open(limits)
        left = self._left(limits.answer)
        self.allow(waits + (left if left < limits.answer - SPENT_SECONDS else limits.answer))

    def allow(self, seconds: float) -> None:
        """Set the limit of one answer of an open connection."""
        if self._allowed != seconds:
            self._allowed = self.socket_timeout = seconds
            self._sock.settimeout(seconds)

    def is_usable(self) -> bool:
        """Whether it is open, the server has not closed it, and it was used not long ago."""
        is_open = self._sock is not None and monotonic() - self.used_at <= UNUSED_SECONDS
        return is_open and not self._is_readable()

    def _open(self, limits: Limits) -> None:
        self.is_elsewhere = False
        # A name may have two addresses, which are tried one after the other.
        self.socket_connect_timeout = min(limits.connect, self._left(2 * limits.connect) / 2)
        self.socket_timeout = self._left(limits.answer)
        self.connect()  # type: ignore[no-untyped-call]  # untyped there

    def _connect(self) -> Any:
        if self.guide is not None:
            self.host, self.port = self.fixed or self.guide.primary()
        sock = super()._connect()  # type: ignore[no-untyped-call, safe-super]  # the transport's, which comes next
        self._allowed = self.socket_timeout = self._left(self.socket_timeout)
        sock.settimeout(self._allowed)
        self._is_readable = _readable_check(sock)
        return sock

    def _left(self, seconds: float) -> float:
        """How much of `seconds` is left."""
        return seconds if self._until is None else max(LEAST_SECONDS, min(seconds, self._until - monotonic()))


class TcpLink(Link, Connection):
    """A connection by TCP."""


class TlsLink(Link, SSLConnection):
    """A connection by TLS."""


class UnixLink(Link, UnixDomainSocketConnection):
    """A connection by a unix socket. Its errors carry a note that names the socket: their text does not always."""

    def _noted(self, error: RedisError) -> RedisError:
        error.add_note(f"Socket: {self.path}")
        return super()._noted(error)

    def send_packed_command(self, *args: Any, **options: Any) -> None:
        """Send commands. Raises what the client library does."""
        try:
            super().send_packed_command(*args, **options)  # type: ignore[no-untyped-call]  # untyped there
        except RedisError as error:
            error.add_note(f"Socket: {self.path}")
            raise


class Pool(BlockingConnectionPool):
    """Lends connections, at most `max_connections` at once; who needs one more waits.

    `guide` names their server; None: the URL does.
    """

    generation = 0  # grows when the pool leaves a server
    durable = 0  # replicas that must have a push or a firing
    is_application = False  # the process only pushes
    in_cluster = False  # the guide is a node of the cluster

    def __init__(
        self,
        kind: type[Link],
        limits: Limits,
        *,
        max_connections: int,
        guide: Guide | None = None,
        namespace: Namespace | None = None,
        **connection: Any,
    ) -> None:
        self.limits = limits
        self.guide = guide
        self.namespace = namespace
        self.packed: Callable[..., bytes] = namespace.packed if namespace else pack_command
        if namespace:
            connection["command_packer"] = namespace
        super().__init__(max_connections, limits.wait, kind, FreeConnections, **connection)  # type: ignore[no-untyped-call]  # untyped there

    def new_link(self) -> Link:
        """A connection that is not open, and not the pool's."""
        link: Link = self.connection_class(**self.connection_kwargs)
        link.guide = self.guide
        link.packed = self.packed
        return link

    def link_to(self, place: Place, seconds: float) -> Link:
        """An open connection to one node of a cluster, not the pool's. Its answers take so long at most."""
        link = self.new_link()
        link.fixed = place
        link.prepare(Limits(wait=seconds, connect=seconds, answer=seconds))
        return link

    def make_connection(self) -> Link:
        """A connection of the pool, for the client library; not open yet."""
        link = self.new_link()
        self._connections.append(link)
        return link

    def get_connection(self, *_: object, **__: object) -> Any:
        """A connection for the client library. Raises what `take` does."""
        return self.take()

    def take(self, within: float | None = None, waits: float = 0.0) -> Link:
        """A connection that is ready for commands. The caller must release it.

        `within` limits the seconds that waiting for it, opening it and its answers take together; for `waits`
        seconds more, the commands wait in Redis. Raises what the client library does.
        """
        self._checkpid()
        if within is not None and within <= 0:
            raise RedisConnectionError(_NO_CONNECTION)
        generation, since = self.generation, monotonic()
        link = self._free(self.limits.wait if within is None else min(within, self.limits.wait))
        link.generation = generation
        try:
            link.prepare(self.limits, None if within is None else since + within, waits)
        except BaseException:
            self.release(link)
            raise
        return link

    def take_open(self) -> Link | None:
        """A free connection that is open, for one exchange; None without one. The caller must release it.

        An answer may take as long as a push.
        """
        if self.pid != os.getpid():
            return None
        generation = self.generation  # before: if the pool is left now, `release` closes the connection
        try:
            link: Link | None = self.pool.get_nowait()
        except Empty:
            return None
        if link is None or not link.is_usable():
            self._put(link)
            return None
        link.generation = generation
        link.allow(min(self.limits.answer, self.limits.push))
        return link

    def release(self, connection: Any) -> None:
        """Return a connection. One to a server that is not the primary makes the pool leave."""
        self._checkpid()
        if connection.is_elsewhere:
            self.leave()
        if connection.generation != self.generation or connection.pid != self.pid:
            connection.disconnect()
        connection.used_at = monotonic()
        self._put(connection if connection.pid == self.pid else None)

    def leave(self) -> None:
        """Close all connections, those in use when they are returned; new ones resolve the address again."""
        if self.guide is not None:
            self.guide.turn_to_the_next()
        self.generation += 1
        idle = []
        with suppress(Empty):
            while True:
                idle.append(self.pool.get_nowait())
        for connection in reversed(idle):
            if connection is not None:
                connection.disconnect()
            self._put(connection)

    def has_left(self, connection: Link) -> bool:
        """Whether the connection is from before the pool left the server."""
        return connection.generation != self.generation

    def _free(self, seconds: float) -> Link:
        try:
            link = self.pool.get(timeout=seconds)
        except Empty:
            raise RedisConnectionError(_NO_CONNECTION) from None
        try:
            return link or self.make_connection()
        except BaseException:
            self._put(None)
            raise

    def _put(self, connection: Link | None) -> None:
        try:  # noqa: SIM105  # suppress() would cost each push more
            self.pool.put_nowait(connection)
        except Full:  # it is from before a fork: the child's pool is complete without it
            pass


def _library_error(error: Exception) -> RedisError:
    if isinstance(error, RedisError):
        return error
    if isinstance(error, TimeoutError):
        return RedisTimeoutError("Timeout reading from socket")
    if isinstance(error, HiredisError):
        return InvalidResponse(str(error))
    return RedisConnectionError(f"Error while using the socket: {error}")


def _readable_check(sock: Any) -> Callable[[], bool]:
    """Checks whether there is anything to read: an answer, or the end of the connection."""
    if not hasattr(select, "poll"):  # pragma: no cover  # Windows
        return lambda: bool(select.select([sock], [], [], 0)[0])
    poller = select.poll()
    poller.register(sock, select.POLLIN)
    return lambda: bool(poller.poll(0))
