"""Real Redis servers and sentinels of a test's own, on ports of this machine."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from clock.clocks import SystemClock
from clock.store.jobs.queues import Parcel, push_commands
from clock.store.server.sending import durable_of, push_seconds, send_one
from tests.patience import PATIENCE_SECONDS


def free_port() -> int:
    """A TCP port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def lifetime(seconds: float) -> range:
    """What PTTL may answer for a key that a test has just given so many seconds: the test may stall for 10 s."""
    milliseconds = round(seconds * 1000)
    return range(milliseconds - 10_000, milliseconds + 1)


class Servers:
    """Starts servers, each with a folder of its own, and ends them all."""

    def __init__(self) -> None:
        self.program = "redis-server"
        self._folder = Path(tempfile.mkdtemp(prefix="clock-servers-", dir="/tmp"))
        self._started: list[subprocess.Popen[bytes]] = []
        self._clients: list[Redis] = []

    def start(self, *options: str, tls: bool = False, **how: Any) -> Redis:
        """Start a server with these options; a connection to it, with further arguments `how`."""
        return self.start_by((), *options, tls=tls, **how)

    def start_by(self, by: Sequence[str], *options: str, tls: bool = False, **how: Any) -> Redis:
        """Start a server by a command, whose words come before the program."""
        port = free_port()
        ports = ("--port", "0", "--tls-port", str(port)) if tls else ("--port", str(port))
        self.launch(self.program, *ports, "--save", "", *options, by=by)
        return self._connected(port, **how)

    def start_sentinel(self, settings: str, *, tls: bool = False, **how: Any) -> Redis:
        """Start a `redis-sentinel` with these lines in its file; a connection to it, with arguments `how`."""
        port = free_port()
        file = self._new_folder() / "sentinel.conf"
        file.write_text((f"port 0\ntls-port {port}\n" if tls else f"port {port}\n") + settings + "\n")
        self.launch("redis-sentinel", str(file))
        return self._connected(port, **how)

    def end(self) -> None:
        """End them all."""
        for client in self._clients:
            client.close()
        for server in self._started:
            server.kill()
            server.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def launch(self, name: str, *words: str, by: Sequence[str] = ()) -> None:
        """Start a program, without waiting until it answers."""
        program = shutil.which(name)
        if program is None:
            pytest.skip(f"no {name} is installed")
        self._started.append(
            subprocess.Popen([*by, program, *words], cwd=self._new_folder(), stdout=subprocess.DEVNULL)
        )

    def _new_folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self._folder))

    def _connected(self, port: int, **how: Any) -> Redis:
        clock, client = SystemClock(), Redis(**{"host": "127.0.0.1", "port": port, "protocol": 2, **how})
        self._clients.append(client)
        deadline = clock.monotonic() + PATIENCE_SECONDS
        while clock.monotonic() < deadline:
            try:
                client.ping()
            except RedisError:
                assert self._started[-1].poll() is None, "the server did not start"
            else:
                return client
        raise AssertionError("the server did not answer")


def port_of(redis: Redis) -> int:
    """The port of the server that a connection is to."""
    return int(redis.connection_pool.connection_kwargs["port"])


def push(redis: Redis, payload: str = "{}") -> None:
    """Push one job as an application does."""
    commands = push_commands([Parcel("default", [payload])], durable_of(redis))
    send_one(redis, commands, within=push_seconds(redis))


def certificates(folder: Path) -> Path:
    """The certificate of an authority of our own; it has signed `server.crt` for 127.0.0.1, beside it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl is installed")
    new_key = ["-newkey", "rsa:2048", "-nodes", "-keyout"]
    signing = ["-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"]
    use = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]  # Python 3.13 demands it
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    for words in (
        ["req", "-x509", *new_key, "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=authority", *use],
        ["req", *new_key, "server.key", "-out", "server.csr", "-subj", "/CN=test"],
        ["x509", "-req", *signing, "-out", "server.crt", "-days", "2", "-extfile", "names"],
    ):
        subprocess.run([openssl, *words], cwd=folder, check=True, capture_output=True)
    return folder / "ca.crt"
