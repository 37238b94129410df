"""A server, a proxy in front of it, two clocks and a worker, for faults to be tried on.

The clocks and the worker are the real ones, each on threads of the test's process, as starting processes for each
fault would take minutes.
"""

from __future__ import annotations

import logging
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from clock.clocks import SystemClock, to_ms
from clock.errors import StoreError
from clock.job import Job
from clock.store.ledger.clock_register import AboutClock
from clock.store.server.connection import connect
from clock.ticker import ClockIdentity, ClockProcess, Release
from clock.timetable import Timetable
from clock.worker import Queue, Worker, WorkerOptions
from tests.patience import eventually

APP = ("app", "on", ">secret", "resetchannels", "&*", "~*", "+@all")

logger = logging.getLogger(__name__)


class NoteSilenceJob(Job):
    """Done by the worker of each world."""

    def perform(self) -> None:
        done.set()


class NobodysJob(Job):
    """Pushed into a queue that no worker takes from."""

    queue = "nobodys"

    def perform(self) -> None: ...


class FailedJob(Job):
    """Goes to `retry`, or to `dead`."""

    def perform(self) -> None:
        raise ValueError("on purpose")


done = threading.Event()
NOTE = '{"class": "NoteSilenceJob", "args": [], "jid": "note", "queue": "default"}'


class Proxy:
    """Passes bytes on to a server; or answers none; or answers each command with an error; or is closed."""

    def __init__(self, to: int) -> None:
        self._to = to
        self.answer: bytes | None = None
        self.is_silent = False
        self.is_closed = False
        self._links: set[socket.socket] = set()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Close all connections."""
        for link in list(self._links):
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the proxy."""
        self._server.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self._server.accept()
            except OSError:
                return
            if self.is_closed:
                link.close()
                continue
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        with suppress(OSError), link, socket.create_connection(("127.0.0.1", self._to)) as server:
            self._links |= {link, server}
            threading.Thread(target=self._pass_back, args=(server, link), daemon=True).start()
            with suppress(OSError):
                while sent := link.recv(65_536):
                    if self.answer is not None:
                        link.sendall(self.answer * max(1, _commands(sent)))
                    elif not self.is_silent:
                        server.sendall(sent)
            self._links -= {link, server}

    def _pass_back(self, server: socket.socket, link: socket.socket) -> None:
        with suppress(OSError):
            while got := server.recv(65_536):
                if not self.is_silent:
                    link.sendall(got)
            link.shutdown(socket.SHUT_RDWR)


def _commands(sent: bytes) -> int:
    """How many commands begin in these bytes; those of tests fit one read."""
    return sum(line[:1] == b"*" and line[1:].isdigit() for line in sent.split(b"\r\n"))


class Server:
    """A redis-server with an administrator, and the user `app` whose rights can be taken away."""

    def __init__(self, folder: Path, *options: str) -> None:
        program = shutil.which("redis-server")
        assert program is not None, "no redis-server is installed"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        acl = folder / "users.acl"
        acl.write_text(f"user default off\nuser admin on >admin ~* &* +@all\nuser {' '.join(APP)}\n")
        words = ["--port", str(self.port), "--aclfile", str(acl), "--save", "", "--dir", str(folder), *options]
        words += ["--enable-protected-configs", "yes"]
        self.popen = subprocess.Popen([program, *words], stdout=subprocess.DEVNULL)
        self.admin = Redis.from_url(f"redis://admin:admin@127.0.0.1:{self.port}")
        eventually(self._answers, lambda: "the server")
        self.proxy = Proxy(self.port)
        self.url = f"redis://app:secret@127.0.0.1:{self.proxy.port}/0"

    def _answers(self) -> bool:
        try:
            return bool(self.admin.ping())
        except RedisError:
            return False

    def allow_all(self) -> None:
        """Give the user `app` all rights."""
        self.admin.execute_command("ACL", "SETUSER", "app", "reset", *APP[1:])  # type: ignore[no-untyped-call]  # untyped there

    def stop(self) -> None:
        """Stop it."""
        self.popen.send_signal(signal.SIGCONT)
        self.popen.kill()
        self.popen.wait()
        self.proxy.close()
        self.admin.close()


class SetClock(SystemClock):
    """A machine's clock that may be set."""


@dataclass
class Role:
    """A clock or a worker on a thread."""

    name: str
    process: ClockProcess | Worker
    machine: SystemClock = field(default_factory=SystemClock)
    ended: list[StoreError | None] = field(default_factory=list)

    def start(self) -> None:
        threading.Thread(target=self._run, name=self.name, daemon=True).start()

    def _run(self) -> None:
        try:
            self.process.run()
        except StoreError as error:
            self.ended.append(error)
        else:
            self.ended.append(None)

    @property
    def leads(self) -> bool:
        return isinstance(self.process, ClockProcess) and self.process.leads

    @property
    def says(self) -> str:
        return "\n".join(problem.text for problem, _ in self.process._problems.lasting)


class World:
    """A server and what runs on it."""

    def __init__(self, server: Server, timetable: Timetable) -> None:
        self.server = server
        self.timetable = timetable
        self.admin: Any = server.admin
        self.proxy = server.proxy
        self.admin.sadd("queues", "default")
        self.clocks = [self._clock("first"), self._clock("second")]
        self.worker = self._worker()
        for role in self.roles:
            role.start()
        eventually(self.is_well, self.told)

    @property
    def roles(self) -> list[Role]:
        return [*self.clocks, self.worker]

    @property
    def leader(self) -> Role:
        return next((role for role in self.clocks if role.leads), self.clocks[0])

    @property
    def standby(self) -> Role:
        return next(role for role in self.clocks if role is not self.leader)

    def is_well(self) -> bool:
        """Whether one clock leads, and nobody has a problem."""
        return sum(role.leads for role in self.clocks) == 1 and not any(role.says for role in self.roles)

    def told(self) -> dict[str, object]:
        return {role.name: (role.says, role.ended) for role in self.roles}

    def works(self, role: Role) -> bool:
        """Whether a role does what it is for."""
        process = role.process
        if isinstance(process, ClockProcess):
            return process.seconds_since_round < 3 and process.seconds_overdue < 3
        with suppress(RedisError):  # a queue of a wrong type
            if not done.is_set() and not self.admin.llen("queue:default"):
                self.admin.lpush("queue:default", NOTE)
        return done.is_set()

    def stop(self) -> None:
        for role in self.roles:
            role.process.stop()
        eventually(lambda: all(role.ended for role in self.roles), self.told)

    def _clock(self, name: str) -> Role:
        machine = SetClock()
        url = self.server.url
        about = AboutClock(name, pid=1, release="v1", started_at=to_ms(machine.now()), events=1, skew_ms=0)
        process = ClockProcess(
            self.timetable,
            connect(url),
            lease_redis=connect(url),
            identity=ClockIdentity(f"{name}:1:a", Release("v1", 1), about),
            machine=machine,
        )
        return Role(name, process, machine)

    def _worker(self) -> Role:
        options = WorkerOptions((Queue("default"),), 2, stop_timeout_seconds=1.0, beat_seconds=0.5)
        process = Worker(
            connect(self.server.url, max_connections=4), options, identity="worker:1:a", clock=SystemClock()
        )
        return Role("worker", process)


@contextmanager
def machine_off_by(role: Role, seconds: float) -> Iterator[None]:
    """Set a machine's clock."""
    role.machine.offset = timedelta(seconds=seconds)
    yield
    role.machine.offset = timedelta(0)
