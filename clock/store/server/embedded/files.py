"""The files of an embedded server, and its INFO. It imports no client of Redis: see `keeper.py`."""

from __future__ import annotations

import hashlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path

SOCKET_PATH_LIMIT = 100  # bytes; the kernel's own limit is 108 on Linux and 104 on macOS
_ANSWER_SECONDS = 5.0
_SHORT = Path("/tmp")  # noqa: S108  # the folder in it is checked to be this user's own, with mode 0700


@dataclass(frozen=True, slots=True)
class EmbeddedFiles:
    """The files of the embedded server of an application's folder."""

    home: Path
    socket: Path

    @property
    def users(self) -> Path:
        """Locked by every process that uses the server."""
        return self.home / "users"

    @property
    def keeper(self) -> Path:
        """Locked by the process that keeps the server running."""
        return self.home / "keeper"

    @property
    def starting(self) -> Path:
        """Locked while a process checks whether the server runs, and starts it."""
        return self.home / "starting"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.home / "valkey.log"


def files_of(folder: Path) -> EmbeddedFiles:
    """The files of the folder's server. If the path is too long for a unix socket, the socket is under /tmp.

    TMPDIR is ignored: it may be long as well, and all processes of the folder must use the same socket.
    """
    home = folder.resolve() / ".clock"
    socket = home / "valkey.sock"
    if len(os.fsencode(socket)) > SOCKET_PATH_LIMIT:
        name = hashlib.blake2b(os.fsencode(home), digest_size=12).hexdigest()
        socket = _SHORT / f"clock-{os.getuid()}" / f"{name}.sock"
    return EmbeddedFiles(home, socket)


def info_of(path: Path, then: bytes = b"") -> dict[bytes, bytes] | None:
    """The INFO of the server that listens there; None: it does not answer. `then` is a command that ends it."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER_SECONDS)
        try:
            connection.connect(str(path))
            connection.sendall(b"INFO\r\n")
            answer = connection.makefile("rb")
            lines = answer.read(int(answer.readline()[1:])).splitlines()
            if then:
                connection.sendall(then + b"\r\n")
                answer.read()  # the server closes the connection when it ends
        except (OSError, ValueError):  # it hangs up, or refuses
            return None
    return {name: value for name, _, value in (line.partition(b":") for line in lines)}
