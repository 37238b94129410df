"""A server that is no Redis: it gives the answers that a test wants, over a real socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

Answer = Callable[[list[bytes]], bytes | None]  # of a command's words; None: the connection is closed

#: What a client that connects asks.
_READY = {b"INFO": b"$21\r\nredis_version:7.4.0\r\n\r\n", b"CLIENT": b"+OK\r\n", b"PING": b"+PONG\r\n"}


@contextmanager
def answering(line: str) -> Iterator[str]:
    """A server that answers `line` to every command but those of a client that connects; its URL."""
    with serving(lambda words: _READY.get(words[0].upper(), line.encode() + b"\r\n")) as url:
        yield url


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """A server that answers each command so; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_accept, args=(server, answer), daemon=True).start()
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


def port_in(url: str) -> int:
    """The port of such a server."""
    return int(url.rpartition(":")[2].partition("/")[0])


class Several:
    """Several such servers, with their addresses and their answers to one command. They answer OK to others.

    `asked` are the places of those that got the command, in the order of time.
    """

    def __init__(self, stack: ExitStack, command: bytes, *answers: bytes) -> None:
        self.answers = list(answers)
        self.asked: list[int] = []
        self._command = command
        answer = self._answer
        urls = [
            stack.enter_context(serving(lambda words, place=place: answer(place, words)))  # type: ignore[misc]
            for place in range(len(answers))
        ]
        self.addresses = [("127.0.0.1", port_in(url)) for url in urls]

    def _answer(self, place: int, words: list[bytes]) -> bytes:
        if words[0] != self._command:
            return b"+OK\r\n"
        self.asked.append(place)
        return self.answers[place]


@contextmanager
def silent() -> Iterator[str]:
    """A server that accepts connections and never answers; its URL."""
    with serving(lambda _: b"") as url:
        yield url


def _accept(server: socket.socket, answer: Answer) -> None:
    with suppress(OSError):
        while True:
            link, _ = server.accept()
            threading.Thread(target=_serve, args=(link, answer), daemon=True).start()


def _serve(link: socket.socket, answer: Answer) -> None:
    with link, link.makefile("rb") as lines, suppress(OSError):
        for line in lines:
            count = int(line[1:])
            words = [lines.read(int(lines.readline()[1:]) + 2)[:-2] for _ in range(count)]
            said = answer(words)
            if said is None:
                return
            link.sendall(said)
