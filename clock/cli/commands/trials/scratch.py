"""A server for a trial, and processes of this program on it.

A trial kills processes and cuts connections, so it runs on a server that it has started itself, in a temporary
folder. No option and no setting names another one.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from clock.cli import program
from clock.errors import StoreError
from clock.store import Redis
from clock.store.server.connection import connect, using_default
from clock.store.server.embedded import embedded

HEARTBEAT = "1"  # seconds: other workers run a dead worker's jobs after four of them
END_SECONDS = 40.0  # for a process to stop in order
_ENDED = re.compile(r" (\S+) (?:done in|dropped: )")  # in a worker's log, after a jid


@dataclass(slots=True)
class Child:
    """A process of this program: its kind (`clock`, `worker`), its arguments, and the end of its suspension."""

    kind: str
    arguments: Sequence[str]
    popen: subprocess.Popen[bytes]
    suspended_until: float | None = None  # monotonic seconds

    def resume(self) -> None:
        """Resume the process if it is suspended."""
        if self.suspended_until is not None:
            self.popen.send_signal(signal.SIGCONT)
            self.suspended_until = None


@dataclass(slots=True)
class Scratch:
    """The server of a trial, at `url`, and its folder. `redis` is a connection, `children` are the processes."""

    url: str
    folder: Path
    redis: Redis
    children: list[Child] = field(default_factory=list)

    def start(self, kind: str, *arguments: str, output: int | None = None) -> Child:
        """Start a clock or a worker on the scratch server; its output goes to a file of the folder by default."""
        environ = {name: value for name, value in os.environ.items() if name != "CLOCK_NAMESPACE"}
        environ |= {"REDIS_URL": self.url, "CLOCK_HEARTBEAT": HEARTBEAT}
        words = [*arguments, "--redis", self.url]
        with (self.folder / f"{kind}.log").open("ab") as log:
            popen = subprocess.Popen(  # noqa: S603  # our own command line, no shell
                program.command(words, unbuffered=True),
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log if output is None else output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        child = Child(kind, arguments, popen)
        self.children.append(child)
        return child

    def restart_ended(self) -> None:
        """Start processes that have ended again, as a platform does."""
        for child in list(self.children):
            if child.popen.poll() is not None:
                self.children.remove(child)
                self.start(child.kind, *child.arguments)

    def logged_jobs(self) -> set[str]:
        """The jids of jobs that have ended by the workers' logs: the history lacks those of an outage."""
        log = self.folder / "worker.log"
        text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        return set(_ENDED.findall(text))

    def end(self, seconds: float = END_SECONDS) -> None:
        """Stop all processes; kill those that have not ended after `seconds`."""
        for child in self.children:
            child.resume()
            child.popen.send_signal(signal.SIGTERM)
        for child in self.children:
            try:
                child.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                child.popen.kill()
                child.popen.wait()


@contextmanager
def scratch() -> Iterator[Scratch]:
    """A new, empty server for this block, to which this process pushes, too. Raises StoreError."""
    if not embedded.is_installed():
        raise StoreError("a trial needs a scratch server; install it with: pip install 'clockd[embedded]'")
    with tempfile.TemporaryDirectory(prefix="clock-trial-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        url = embedded.start_or_join(folder)
        redis = connect(url, max_connections=4)
        made = Scratch(url, folder, redis)
        try:
            with using_default(redis):
                yield made
        finally:
            made.end()
            redis.close()
