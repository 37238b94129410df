"""Runs the programs that are measured, each with a Redis of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from benchmarks.workers.same_jobs import THREADS

ROOT = Path(__file__).parent.parent.parent
PATIENCE_SECONDS = 60.0  # without news from a worker
RUBY = ROOT / "benchmarks/workers/with_sidekiq.rb"


@dataclass(frozen=True)
class Program:
    """What is measured: its name, and how it pushes and works."""

    name: str
    push: Sequence[str]
    work: Sequence[str]


def _python(name: str, module: str) -> Program:
    words = [sys.executable, "-m", f"benchmarks.workers.{module}"]
    return Program(name, [*words, "push"], [*words, "work"])


BARE = _python("bare loop", "bare")
CLOCK = _python("clock", "with_clock")
SIDEKIQ = Program(
    "Sidekiq", ["ruby", str(RUBY), "push"], ["sidekiq", "-r", str(RUBY), "-c", str(THREADS), "-e", "production"]
)
#: Not measured: ChasquiMQ 1.3, whose XADD Redis 7.0 refuses; FluxQueue 0.3, of which
#: only the client installs, as its worker is not a package of PyPI.
NAMES = ("RQ", "Celery", "Dramatiq", "Huey", "arq", "SAQ", "taskiq", "streaQ", "tarsk")
PEERS = [_python(name, f"with_{name.lower()}") for name in NAMES]


def sidekiq_is_here() -> bool:
    """Whether the real Sidekiq is installed."""
    return shutil.which("sidekiq") is not None


@contextmanager
def server() -> Iterator[Redis]:
    """A Redis of the benchmark's own, which keeps nothing."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        words = ["redis-server", "--port", str(port), "--save", "", "--dir", folder, "--loglevel", "warning"]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        redis = Redis(port=port)
        try:
            while not _answers(redis):
                time.sleep(0.05)
            yield redis
        finally:
            redis.close()
            process.terminate()
            process.wait()


@contextmanager
def worker(
    redis: Redis, program: Program, kind: str = "nothing", level: str = "warning"
) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of `program`, stopped at the end."""
    process = subprocess.Popen(
        program.work,
        cwd=ROOT,
        env=_environment(redis, level) | {"BENCHMARK_KIND": kind},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def push(redis: Redis, program: Program, kind: str, count: int) -> None:
    """Push so many jobs of a kind."""
    words = [*program.push, kind, str(count)]
    subprocess.run(words, cwd=ROOT, env=_environment(redis), check=True, stderr=subprocess.DEVNULL)


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait until `condition` holds. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited in vain until {what}")
        time.sleep(0.05)


def start_of(redis: Redis, program: Program) -> None:
    """Wait until a worker of `program` that was started runs jobs, and then has nothing to do."""
    push(redis, program, "nothing", 1)
    wait_until(lambda: redis.exists("benchmark:end"), f"{program.name} has started")
    time.sleep(0.5)


def drain(
    redis: Redis, program: Program, kind: str, count: int, level: str = "warning", processes: int = 1
) -> float:
    """Push `count` jobs, then let workers run them: jobs per second, from the first to the last."""
    redis.flushall()
    push(redis, program, kind, count)
    with ExitStack() as workers:
        for _ in range(processes):
            workers.enter_context(worker(redis, program, kind, level))
        wait_until(lambda: redis.exists("benchmark:end"), f"{program.name} has run {count} jobs")
        started, ended = (float(redis.get(f"benchmark:{name}") or 0) for name in ("start", "end"))
    return count / (ended - started)


def drain_for(
    redis: Redis, program: Program, kind: str, seconds: float, level: str = "warning", processes: int = 1
) -> float:
    """The same with as many jobs as the program does in about `seconds`, 100,000 at most."""
    speed = drain(redis, program, kind, 1_000, level)
    count = min(100_000, max(1_000, int(speed * seconds))) * processes
    return drain(redis, program, kind, count, level, processes)


def _environment(redis: Redis, level: str = "warning") -> dict[str, str]:
    port = redis.connection_pool.connection_kwargs["port"]
    return {
        **os.environ,
        "REDIS_URL": f"redis://127.0.0.1:{port}/0",
        "CLOCK_LOG_LEVEL": level,
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
    }


def _answers(redis: Redis) -> bool:
    try:
        return bool(redis.ping())
    except RedisError:
        return False
