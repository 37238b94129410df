"""Pushes of an event loop without a thread, by a connection of the loop's own.

A thread that pushes takes the interpreter lock from the loop, which then waits for up to 5 ms. So a loop that
pushes often gets a connection: its pushes are written at once, and the answers are read when they arrive.

It serves one server, with or without TLS, or the primary that Sentinels name. A thread opens it, as the pool does:
by the same address and certificates. All other pushes are left to threads: those to clusters and shards, durable
ones, those of unique jobs and of jobs in batches, those of clocks and workers, the first ones of a loop, and those
that the server refused. For the latter, a thread finds the primary, or reports the error.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from ssl import SSLWantReadError, SSLWantWriteError
from typing import Any
from weakref import WeakKeyDictionary

from hiredis import Reader
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from clock.clocks import SystemClock
from clock.store.server.connection import translated
from clock.store.server.faults import fault_of
from clock.store.server.pool import UNUSED_SECONDS, Link, Pool
from clock.store.server.sending import Command

OFTEN = 10  # pushes of a loop until it gets a connection: a script that pushes once needs none
READ_BYTES = 65_536
_REPEATABLE = ("SADD", "PUBLISH")  # commands that may run twice: they add no job
_TRY_LATER = (BlockingIOError, InterruptedError, SSLWantReadError, SSLWantWriteError)

_monotonic = SystemClock().monotonic


@dataclass(slots=True)
class _Waiting:
    """A push whose answers are not complete."""

    missing: int
    answers: list[Any]
    done: asyncio.Future[list[Any]]


class LoopLink:
    """A connection for the pushes of one event loop. Used in the thread of the loop alone."""

    def __init__(self, link: Link, pool: Pool) -> None:
        self.pool = pool
        self.pid = os.getpid()
        self.is_lost = False
        self._is_left = False  # it accepts no new pushes
        self._end: asyncio.TimerHandle | None = None  # closes it once it was left
        self._link = link
        self._sock = link._sock
        self._sock.setblocking(False)
        self._reader = Reader()
        self._unsent = bytearray()
        self._waiting: deque[_Waiting] = deque()
        self._used_at = _monotonic()

    def start(self) -> None:
        """Read answers from now on. Raises NotImplementedError on a loop that cannot watch sockets."""
        asyncio.get_running_loop().add_reader(self._sock, self._read)

    def is_usable(self) -> bool:
        """Whether a push may be written. Closes a connection that the server closed, or that was long unused."""
        if not (self.is_lost or self._waiting) and self._link._is_readable():
            self._read()  # the end of the connection; by TLS also messages without an answer
        is_unused = not self._waiting and _monotonic() - self._used_at > UNUSED_SECONDS
        if is_unused or self.pool.has_left(self._link):
            self.leave()
        return not (self.is_lost or self._is_left)

    def leave(self) -> None:
        """Use it for no more pushes, and close it when those that were written are answered, or too late to be."""
        self._is_left = True
        if not self._waiting:
            self.lose(RedisConnectionError("Connection closed."))
        elif self._end is None:  # the callers of the pushes may be cancelled, and their limits with them
            self._end = self._lose_later()

    async def push(self, commands: Sequence[Command]) -> bool:
        """Send the commands and wait for the answers. False: the server refused the jobs, none was added.

        Raises StoreUnavailable if no answer comes in time, or the connection is lost. Raises StoreError if only
        some commands failed.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[list[Any]] = loop.create_future()
        self._waiting.append(_Waiting(len(commands), [], done))
        self._used_at = _monotonic()
        late = self._lose_later()
        with translated():
            try:
                self._write(b"".join([self._link.packed(command) for command in commands]))
                return _are_added(commands, await done)
            finally:
                late.cancel()

    def _lose_later(self) -> asyncio.TimerHandle:
        """Close the connection when the time for a push is over, unless the caller cancels that."""
        error = RedisTimeoutError("Timeout reading from socket")
        return asyncio.get_running_loop().call_later(self.pool.limits.push, self.lose, error)

    def lose(self, error: RedisError) -> None:
        """Close the connection: all pushes that wait for answers raise this error."""
        if self.is_lost:
            return
        self.is_lost = True
        if self._end is not None:
            self._end.cancel()
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._sock)
        loop.remove_writer(self._sock)
        self._link.disconnect()  # type: ignore[no-untyped-call]  # untyped there
        while self._waiting:
            done = self._waiting.popleft().done
            if not done.done():
                done.set_exception(error)

    def _write(self, data: bytes) -> None:
        if self._unsent:
            self._unsent += data
            return
        try:
            sent = self._sock.send(data)
        except _TRY_LATER:
            sent = 0
        except OSError as error:
            self.lose(RedisConnectionError(f"Error while writing to socket. {error}"))
            return
        if sent < len(data):
            self._unsent += data[sent:]
            asyncio.get_running_loop().add_writer(self._sock, self._write_rest)

    def _write_rest(self) -> None:
        rest = bytes(self._unsent)
        self._unsent.clear()
        asyncio.get_running_loop().remove_writer(self._sock)
        self._write(rest)

    def _read(self) -> None:
        try:
            data = self._sock.recv(READ_BYTES)
            self._reader.feed(data)
            while data and (answer := self._reader.gets()) is not False:
                self._take(answer)
        except _TRY_LATER:
            return
        except Exception as error:  # noqa: BLE001  # of the socket or of the protocol: it must not leave pushes waiting
            self.lose(RedisConnectionError(f"Error while reading from socket: {error}"))
            return
        if not data:
            self.lose(RedisConnectionError("Connection closed by server."))

    def _take(self, answer: Any) -> None:
        first = self._waiting[0]
        first.answers.append(answer)
        first.missing -= 1
        if isinstance(answer, Exception) and fault_of(ResponseError(str(answer))).is_elsewhere:
            self._is_left = True
        if not first.missing:
            self._waiting.popleft()
            if not first.done.done():  # else the caller was cancelled
                first.done.set_result(first.answers)
            if self._is_left:
                self.leave()


class LoopLinks:
    """The connections of the loops of this process."""

    def __init__(self) -> None:
        self._links: WeakKeyDictionary[Any, LoopLink] = WeakKeyDictionary()
        self._pushes: WeakKeyDictionary[Any, int] = WeakKeyDictionary()

    def usable(self, redis: Redis | None) -> LoopLink | None:
        """The connection of the running loop to this server; None: the threads push."""
        link = self._links.get(asyncio.get_running_loop())
        if link is None or redis is None or link.pid != os.getpid():
            return None
        if link.pool is not redis.connection_pool or link.pool.durable or not link.is_usable():
            return None
        return link

    def is_due(self, redis: Redis) -> bool:
        """Count a push by threads. True for the one after which the loop should get a connection.

        Pushes that no connection of a loop takes, such as durable ones, must not replace a good one.
        """
        if redis.connection_pool.durable or self.usable(redis):  # type: ignore[attr-defined]  # ours
            return False
        loop = asyncio.get_running_loop()
        count = self._pushes[loop] = self._pushes.get(loop, 0) + 1
        pool: Any = redis.connection_pool
        return count % OFTEN == 0 and pool.is_application and not pool.in_cluster

    def use(self, link: LoopLink | None) -> None:
        """Give the running loop a connection, unless it already has a usable one."""
        if link is None:
            return
        loop = asyncio.get_running_loop()
        last = self._links.get(loop)
        if last is not None and last.pool is link.pool and last.is_usable():
            link.leave()
            return
        if last is not None:
            last.leave()
        try:
            link.start()
        except NotImplementedError:  # pragma: no cover  # a loop of Windows
            return
        self._links[loop] = link


def opened(redis: Redis) -> LoopLink | None:
    """A new connection to the server of `redis`; None: it does not answer. Blocks: call it in a thread."""
    pool: Any = redis.connection_pool
    link = pool.new_link()
    link.generation = pool.generation
    try:
        link.prepare(pool.limits, _monotonic() + pool.limits.connect)
    except RedisError:
        return None
    return LoopLink(link, pool)


def _are_added(commands: Sequence[Command], answers: Sequence[Any]) -> bool:
    errors = [answer for answer in answers if isinstance(answer, Exception)]
    if not errors:
        return True
    jobs = [answer for command, answer in zip(commands, answers, strict=True) if command[0] not in _REPEATABLE]
    if all(isinstance(answer, Exception) for answer in jobs):
        return False
    raise ResponseError(str(errors[0]))
