"""How processes stop: at once at a second signal, and within a limit though Redis does not answer."""

import json
import os
import signal
import time
from typing import Any

import pytest
from redis import Redis

from tests.patience import PATIENCE_SECONDS, eventually
from tests.process.conftest import App, Running

pytestmark = pytest.mark.process

NEXT_COMMAND_SECONDS = 1.0  # in which each thread sends Redis a command
LIMIT_SECONDS = 5.0  # after the stop timeout
NOISE_SECONDS = 15.0  # what a busy machine may add
BETWEEN_SIGNALS_SECONDS = 0.05  # nobody sends a second signal sooner
TAKEN_SECONDS = 0.5  # in which a process takes note of a signal that it does not log

JOBS = """
import multiprocessing, time
from clock import Job
from clock.store.server.connection import default

class HoldJob(Job):
    def perform(self):
        default().rpush("ran", "begun")
        time.sleep(600)

class AwaitJob(Job):
    async def perform(self):
        import asyncio
        default().rpush("ran", "begun")
        await asyncio.sleep(600)

class FreezeJob(Job):
    def perform(self):
        default().rpush("ran", "begun")
        sum(range(10**12))

class LeaveProcessJob(Job):
    def perform(self):
        multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,)).start()
        default().rpush("ran", "begun")

class UsePoolJob(Job):
    def perform(self):
        with multiprocessing.get_context("fork").Pool(2) as pool:
            default().rpush("ran", "begun")
            pool.map(time.sleep, [600, 600])
"""
CLOCK = """
import time
from clock import every
from clock.store.server.connection import default

def hold():
    default().rpush("ran", "begun")
    time.sleep(600)

every(1).seconds.do(hold).named("hold").thread()
"""


@pytest.fixture
def app(app: App, redis_url: str, redis: Redis) -> App:
    """An application whose jobs and actions do not end, on the Redis of the test session."""
    app.environ["REDIS_URL"] = redis_url
    app.write("jobs/__init__.py", "")
    app.write("jobs/holding.py", JOBS)
    app.write("lib/clock.py", CLOCK)
    return app


def push(redis: Redis, job: str) -> None:
    redis.lpush("queue:default", json.dumps({"class": job, "args": [], "jid": job, "queue": "default"}))


def waiting(redis: Redis) -> list[str]:
    rows: Any = redis.lrange("queue:default", 0, -1)
    return [json.loads(row)["class"] for row in rows]


def has_begun(redis: Redis, count: int) -> bool:
    return int(str(redis.llen("ran"))) >= count


def stop_twice(process: Running, first: signal.Signals, second: signal.Signals, told: str) -> tuple[int, float]:
    """Send both, one when the other was seen; the exit code, and the seconds since the second one."""
    process.send(first)
    process.wait_for(told)
    time.sleep(BETWEEN_SIGNALS_SECONDS)
    sent = time.monotonic()
    return process.end(second), time.monotonic() - sent


@pytest.mark.parametrize(
    ("options", "first", "second"),
    [
        ([], signal.SIGINT, signal.SIGINT),
        ([], signal.SIGHUP, signal.SIGTERM),
        pytest.param(["-p", "2", "-c", "2"], signal.SIGTERM, signal.SIGTERM, marks=pytest.mark.slow),
    ],
)
def test_a_second_signal_puts_jobs_back_and_ends_the_worker_at_once(
    app: App, redis: Redis, options: list[str], first: signal.Signals, second: signal.Signals
) -> None:
    for job in ("HoldJob", "AwaitJob"):
        push(redis, job)
    worker = app.start("worker", "-t", "600", *options)
    eventually(lambda: has_begun(redis, 2), lambda: f"both run:\n{worker.output}")

    code, seconds = stop_twice(worker, first, second, "waiting up to 600 s")

    assert code == 0
    assert seconds < LIMIT_SECONDS + NOISE_SECONDS
    assert "Stopping now" in worker.output
    assert sorted(waiting(redis)) == ["AwaitJob", "HoldJob"]
    assert not redis.keys("clock:in_progress:*")
    assert not redis.exists("retry")


@pytest.mark.slow
def test_a_second_signal_kills_a_process_that_a_job_has_frozen(app: App, redis: Redis) -> None:
    push(redis, "FreezeJob")
    worker = app.start("worker", "-t", "600", "-p", "2", "-c", "1")
    eventually(lambda: has_begun(redis, 1), lambda: f"it runs:\n{worker.output}")

    worker.send(signal.SIGTERM)
    time.sleep(TAKEN_SECONDS)
    worker.end(signal.SIGTERM)

    eventually(lambda: not app.living(), lambda: f"no process is left: {app.living()}\n{worker.output}")


def test_the_first_signal_after_a_quiet_one_waits_for_jobs(app: App, redis: Redis) -> None:
    push(redis, "HoldJob")
    worker = app.start("worker", "-t", "600")
    eventually(lambda: has_begun(redis, 1), lambda: f"it runs:\n{worker.output}")

    worker.send(signal.SIGTSTP)
    worker.wait_for("Draining")
    code, _ = stop_twice(worker, signal.SIGTERM, signal.SIGQUIT, "waiting up to 600 s")

    assert code == 0
    assert waiting(redis) == ["HoldJob"]


def test_two_signals_at_one_time_are_one(app: App, redis: Redis) -> None:
    """GNU timeout sends its signal to the process and to its group."""
    push(redis, "HoldJob")
    worker = app.start("worker", "-t", "1.5")
    eventually(lambda: has_begun(redis, 1), lambda: f"it runs:\n{worker.output}")

    for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGCONT):
        worker.send(number)
    worker.wait_for("waiting up to 1.5 s")

    assert worker.popen.wait(PATIENCE_SECONDS) == 0
    assert "Stopping now" not in worker.output


def test_a_second_signal_ends_the_clock_at_once(app: App, redis: Redis) -> None:
    clock = app.start("lib/clock.py")
    eventually(lambda: has_begun(redis, 1), lambda: f"it runs:\n{clock.output}")

    clock.send(signal.SIGTERM)
    time.sleep(TAKEN_SECONDS)
    sent = time.monotonic()

    assert clock.end(signal.SIGTERM) == 0
    assert time.monotonic() - sent < LIMIT_SECONDS
    assert "Stopping now" in clock.output


@pytest.mark.slow
def test_a_second_signal_ends_clock_and_worker_of_dev_at_once(app: App, redis: Redis) -> None:
    push(redis, "HoldJob")
    both = app.start("dev")
    eventually(lambda: has_begun(redis, 2) and waiting(redis) == [], lambda: f"both run:\n{both.output}")

    code, seconds = stop_twice(both, signal.SIGINT, signal.SIGINT, "waiting up to 25 s")

    assert code == 0
    assert seconds < LIMIT_SECONDS + NOISE_SECONDS
    assert "Stopping now" in both.output
    assert waiting(redis) == ["HoldJob"]


@pytest.mark.parametrize(("job", "left"), [("LeaveProcessJob", []), ("UsePoolJob", ["UsePoolJob"])])
def test_a_stop_ends_the_processes_of_multiprocessing_that_still_run(
    app: App, redis: Redis, job: str, left: list[str]
) -> None:
    push(redis, job)
    worker = app.start("worker", "-t", "0.5")
    eventually(lambda: has_begun(redis, 1), lambda: f"it runs:\n{worker.output}")
    sent = time.monotonic()

    assert worker.end() == 0
    assert time.monotonic() - sent < 0.5 + LIMIT_SECONDS + NOISE_SECONDS
    assert waiting(redis) == left
    eventually(lambda: not app.living(), "no process is left")


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["lib/clock.py"],
        ["worker", "-t", "0.5", "-p", "2", "-c", "1"],
        ["worker", "-t", "0.5", "--with-clock", "lib/clock.py"],
    ],
)
def test_a_stop_while_redis_is_silent_ends_within_its_limit(app: App, words: list[str]) -> None:
    del app.environ["REDIS_URL"]  # a server that may be suspended
    redis = app.redis()
    push(redis, "HoldJob")
    process = app.start(*words)
    eventually(lambda: has_begun(redis, 1), lambda: f"it works:\n{process.output}")
    server = redis.info("server")["process_id"]
    os.kill(server, signal.SIGSTOP)
    try:
        time.sleep(NEXT_COMMAND_SECONDS)
        sent = time.monotonic()
        code = process.end(signal.SIGINT)
        seconds = time.monotonic() - sent
    finally:
        os.kill(server, signal.SIGCONT)

    assert code == 0
    assert seconds < 0.5 + LIMIT_SECONDS + NOISE_SECONDS
