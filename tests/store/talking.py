"""A server that is no Redis: it gives the answers that a test wants, over a real socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_READY = {b"INFO": b"$21\r\nredis_version:7.4.0\r\n\r\n", b"CLIENT": b"+OK\r\n", b"PING": b"+PONG\r\n"}


@contextmanager
def answering(line: str) -> Iterator[str]:
    """A server that answers `line` to every command but those of a client that connects; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_accept, args=(server, line.encode() + b"\r\n"), daemon=True).start()
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


def _accept(server: socket.socket, answer: bytes) -> None:
    while True:
        try:
            link, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(link, answer), daemon=True).start()


def _serve(link: socket.socket, answer: bytes) -> None:
    with link, link.makefile("rb") as lines:
        for line in lines:
            count = int(line[1:])
            words = [lines.read(int(lines.readline()[1:]) + 2)[:-2] for _ in range(count)]
            link.sendall(_READY.get(words[0].upper(), answer))
