import gc
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from clock.store.server.connection import connect, set_default
from clock.store.server.embedded import embedded
from tests.examples import ARE_MANY, load_profile
from tests.process.fork_server import ForkServer
from tests.servers import Servers

load_profile()

# Tests start some thousand processes: without cached bytecode, each compiles every module again, for seconds.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A run under `nohup`, or in the background of a shell, has them ignored, as would every process that it starts.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Pause the garbage collector while tests are collected: what is made lives on, and each pass visits it."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make a report's captured output valid UTF-8, or xdist cannot send it: some tests log text that is not."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report


_programs: list[str] = []  # that the test under way has started
_SHARED = ("embedded.keeper", "fork_server")  # the servers of a session


def _note_program(event: str, args: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen" and not any(name in str(args[1]) for name in _SHARED):
        _programs.append(str(args[1]))


sys.addaudithook(_note_program)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Fail a test that starts a program and is not marked `process`: the everyday run has none."""
    _programs.clear()
    yield
    if _programs and item.get_closest_marker("process") is None:
        pytest.fail(f"mark the test `process`: it has started {_programs[0]}", pytrace=False)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a Valkey of the test session's own; it stops with the session.

    `CLOCK_TEST_REDIS_URL` names another server instead, which the tests empty. For one process of pytest only.
    """
    if given := os.environ.get("CLOCK_TEST_REDIS_URL"):
        return given.removesuffix("/0")  # tests append `?db=1`
    return embedded.start_or_join(tmp_path_factory.mktemp("redis"))


@pytest.fixture(scope="session")
def _connection(redis_url: str) -> Iterator[Redis]:
    connection = connect(redis_url, max_connections=50)
    yield connection
    connection.close()


@pytest.fixture
def redis(_connection: Redis) -> Iterator[Redis]:
    """An empty Redis, which is also where `perform_async` pushes."""
    _connection.flushall()
    set_default(_connection)
    yield _connection
    set_default(None)


@pytest.fixture
def needs_redis_7(redis: Redis) -> None:
    """Skips the test on Redis 6.2: a user cannot ask it for permissions, and it has fewer permissions to give."""
    info: dict[str, Any] = redis.info("server")
    if info["redis_version"].startswith("6."):
        pytest.skip("Redis 6.2 cannot tell a user's permissions")


@pytest.fixture
def servers() -> Iterator[Servers]:
    """Starts real Redis servers; they end with the test."""
    found = Servers()
    yield found
    found.end()


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer | None]:
    """Starts processes of clock quickly. None in a thorough run: each is a new interpreter."""
    if ARE_MANY:
        yield None
        return
    server = ForkServer()
    yield server
    server.end()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL of the test session's own, which root may not run; skips where none is installed."""
    initdb = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None) or shutil.which("initdb")
    if initdb is None:
        pytest.skip("PostgreSQL is not installed")
    programs = Path(initdb).parent
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="clock-postgresql-", dir="/tmp"))  # its owner needs a short path
    if user:
        shutil.chown(folder, user)
    data = str(folder / "data")
    environ = {**os.environ, "LC_ALL": "C"}
    subprocess.run(
        [programs / "initdb", "--auth=trust", "--encoding=UTF8", "--username=clock", "--no-sync", data],
        user=user,
        env=environ,
        cwd="/",
        check=True,
        stdout=subprocess.DEVNULL,  # pytest shows its errors
    )
    options = f"-k {folder} -h '' -F"
    control = [str(programs / "pg_ctl"), "--pgdata", data, "--wait"]
    log = str(folder / "log")
    subprocess.run(
        [*control, "--log", log, "-o", options, "start"],
        user=user,
        env=environ,
        cwd="/",
        check=True,
        stdout=subprocess.DEVNULL,
    )
    yield f"postgresql://clock@/postgres?host={folder}"
    subprocess.run(
        [*control, "--mode=immediate", "stop"], user=user, cwd="/", check=True, stdout=subprocess.DEVNULL
    )
    shutil.rmtree(folder)


@pytest.fixture
def log_as_before() -> Iterator[None]:
    """Puts the log back after a test that sets it up for its process."""
    before = [
        (logger, logger.__class__, logger.handlers[:], logger.level, logger.propagate)
        for logger in (logging.getLogger(), logging.getLogger("clock"))
    ]
    yield
    for logger, kind, handlers, level, propagate in before:
        logger.__class__ = kind
        logger.handlers[:], logger.propagate = handlers, propagate
        logger.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture
def repository() -> Path:
    """The root of the repository, where the sample application lies."""
    return Path(__file__).parent.parent


@pytest.fixture
def free_port() -> int:
    """A TCP port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port
