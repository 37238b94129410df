import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from clock.clocks import SystemClock
from clock.store.server.connection import connect
from tests.patience import PATIENCE_SECONDS


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as found:
        yield found


@pytest.fixture
def real_redis(tmp_path: Path) -> Iterator[Callable[..., Redis]]:
    """Start a `redis-server` with these options; a connection to it by its unix socket."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server is installed")
    servers: list[subprocess.Popen[bytes]] = []

    def start(*options: str) -> Redis:
        socket = tmp_path / "redis.sock"
        words = [
            program,
            "--port",
            "0",
            "--unixsocket",
            str(socket),
            "--dir",
            str(tmp_path),
            "--save",
            "",
            *options,
        ]
        servers.append(subprocess.Popen(words, stdout=subprocess.DEVNULL))
        clock, connection = SystemClock(), Redis(unix_socket_path=str(socket))
        deadline = clock.monotonic() + PATIENCE_SECONDS
        while clock.monotonic() < deadline:
            try:
                connection.ping()
            except RedisError:
                assert servers[-1].poll() is None, "redis-server did not start"
                clock.wait(threading.Event(), 0.05)
            else:
                return connection
        raise AssertionError("redis-server did not answer")

    yield start
    for server in servers:
        server.terminate()
        server.wait()


@pytest.fixture
def limited(redis: Redis, redis_url: str) -> Iterator[Callable[[str], Redis]]:
    """A connection of a user that may do all but one thing."""
    opened: list[Redis] = []

    def connected(command: str) -> Redis:
        redis.acl_setuser("limited", enabled=True, nopass=True, keys=["*"], channels=["*"], commands=["+@all"])
        redis.acl_setuser("limited", enabled=True, commands=["-" + command])
        opened.append(connect(redis_url.replace("//", "//limited:any@", 1)))
        return opened[-1]

    yield connected
    for connection in opened:
        connection.close()
    redis.acl_deluser("limited")
