"""HTTP for probes: GET and HEAD, one request for each connection, no body.

One thread serves all connections, so a slow client costs a file descriptor and nothing else. At most `CONNECTIONS`
are open at once; one more closes the oldest. A client has `CLIENT_SECONDS` for its whole request, and as long to
read the answer.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import cast
from urllib.parse import urlsplit

CLIENT_SECONDS = 5.0  # a probe sends its request at once and reads a few bytes
CONNECTIONS = 32  # probes and scrapers of a few systems; the process's descriptors are for its work
HEADER_BYTES = 16_384  # what usual servers accept

logger = logging.getLogger("clock.health")


@dataclass(frozen=True, slots=True)
class Request:
    """A request; the names of `headers` are in lower case."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; `status` is a number with its phrase, as in `200 OK`."""

    status: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/plain; charset=utf-8"),)


class _Refused(Exception):
    """The request cannot be answered by a page."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.answer = Answer(f"{status.value} {status.phrase}", f"{status.phrase}\n".encode())


Pages = Callable[[Request], Awaitable[Answer]]  # it runs on the thread of all connections, so it must not block


async def serve(listener: socket.socket, pages: Pages, end: asyncio.Event) -> None:
    """Answer on `listener` until `end` is set."""
    asyncio.get_running_loop().set_exception_handler(_ignore)
    tasks: dict[StreamWriter, asyncio.Task[object]] = {}  # of the open connections, the oldest first

    def close_oldest() -> None:
        tasks.pop(next(iter(tasks))).cancel()

    async def connected(reader: StreamReader, writer: StreamWriter) -> None:
        tasks[writer] = cast("asyncio.Task[object]", asyncio.current_task())
        if len(tasks) > CONNECTIONS:
            close_oldest()
        try:
            await _talk(reader, writer, pages)
        except (OSError, TimeoutError) as error:  # scanners hang up, or stay silent
            logger.debug("Health: could not answer a client: %r", error)
        finally:
            tasks.pop(writer, None)
            writer.transport.abort()

    server = await asyncio.start_server(connected, sock=listener, limit=HEADER_BYTES)
    await end.wait()
    server.close()
    while tasks:
        close_oldest()


async def _talk(reader: StreamReader, writer: StreamWriter, pages: Pages) -> None:
    with_body = True
    try:
        async with asyncio.timeout(CLIENT_SECONDS):
            request = await _read(reader)
        with_body = request.method != "HEAD"
        answer = await pages(request)
    except _Refused as refused:
        answer = refused.answer
    async with asyncio.timeout(CLIENT_SECONDS):
        writer.write(_encoded(answer, with_body=with_body))
        await writer.drain()
        writer.close()
        await writer.wait_closed()


async def _read(reader: StreamReader) -> Request:
    """Read a request up to the end of its headers. Raises _Refused, ConnectionError."""
    try:
        method, target, _ = (await _line(reader)).split(" ")
        parts = urlsplit(target)
    except ValueError:
        raise _Refused(HTTPStatus.BAD_REQUEST) from None
    headers: dict[str, str] = {}
    left = HEADER_BYTES
    while line := await _line(reader):
        left -= len(line) + 2
        if left < 0:
            raise _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    if method not in ("GET", "HEAD"):
        raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED)
    return Request(method, parts.path, parts.query, headers)


async def _line(reader: StreamReader) -> str:
    try:
        line = await reader.readline()
    except ValueError:  # longer than the limit
        raise _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from None
    if not line.endswith(b"\n"):
        raise ConnectionError("the client disconnected")
    return line.decode("latin-1").rstrip("\r\n")


def _encoded(answer: Answer, *, with_body: bool) -> bytes:
    headers = [*answer.headers, ("Content-Length", str(len(answer.body))), ("Connection", "close")]
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {answer.status}\r\n{head}\r\n".encode("latin-1") + (answer.body if with_body else b"")


def _ignore(_: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """Keep the event loop's own complaints, of a lack of descriptors for instance, out of the log."""
    logger.debug("Health: %s", context.get("message"))
