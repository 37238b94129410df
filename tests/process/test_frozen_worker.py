"""Workers whose interpreter is held by a job, or that are stopped, out of descriptors, or without a helper."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests.patience import PATIENCE_SECONDS, eventually, stay
from tests.process.conftest import App, Running

pytestmark = [pytest.mark.process, pytest.mark.slow]

HEARTBEAT_SECONDS = 0.5
DEAD_SECONDS = 4 * HEARTBEAT_SECONDS

JOBS = """
import ctypes, os, resource, time
from clock import Job
from clock.store.server.connection import default

def note(*words):
    default().rpush("ran", " ".join(map(str, words)))

class HoldLockJob(Job):
    def perform(self, seconds):
        note("lock")
        ctypes.PyDLL(None).sleep(seconds)  # a call in C that keeps the lock: no other thread runs meanwhile
        note("end of lock")

class HoldLockForeverJob(Job):
    def perform(self):
        note("lock", os.getpid())
        sum(range(10**13))

class NapJob(Job):
    def perform(self, number, seconds):
        note("nap", number)
        time.sleep(seconds)

class LeakJob(Job):
    def perform(self, seconds):
        note("leak")
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        opened = []
        try:
            while True:
                opened.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            pass
        time.sleep(seconds)
        for number in opened:
            os.close(number)
"""


@pytest.fixture
def app(app: App, redis_url: str, redis: Redis) -> App:
    """An application whose jobs hold the interpreter lock, on the Redis of the test session."""
    app.environ |= {"REDIS_URL": redis_url, "CLOCK_HEARTBEAT": str(HEARTBEAT_SECONDS)}
    app.write("shop/jobs.py", JOBS)
    return app


def push(redis: Redis, job: str, *args: object) -> None:
    payload = {"class": job, "args": args, "jid": f"{job}-{args}", "queue": "default", "retry": True}
    redis.lpush("queue:default", json.dumps(payload))


def ran(redis: Redis) -> list[str]:
    rows: Any = redis.lrange("ran", 0, -1)
    return [row.decode() for row in rows]


def expiries(redis: Redis) -> list[float]:
    rows: Any = redis.zrange("clock:workers", 0, -1, withscores=True)
    return [score for _, score in rows]


def helpers_of(worker: Running) -> list[int]:
    """The heartbeat processes of a worker: each holds a descriptor of its process."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_helper = (folder / "comm").read_text().strip() == "clock-heartbeat"
            alive = (folder / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
            watched = any(
                f"Pid:\t{worker.popen.pid}\n" in info.read_text()
                for info in ((folder / "fdinfo").iterdir() if is_helper and alive else ())
            )
        except OSError:
            continue
        if watched:
            found.append(int(folder.name))
    return found


def test_jobs_beside_one_that_holds_the_interpreter_lock_run_once_and_none_is_blamed(
    app: App, redis: Redis
) -> None:
    workers = [app.start("worker", "-r", "shop", "-c", "3") for _ in range(2)]
    for worker in workers:
        worker.wait_for("Starting worker")
    for number in range(4):
        push(redis, "NapJob", number, 2)
    eventually(lambda: len(ran(redis)) == 4, "both workers are busy")

    push(redis, "HoldLockJob", 9)
    eventually(lambda: "has been frozen" in workers[0].output + workers[1].output, "a worker is frozen")
    for number in range(4, 8):
        push(redis, "NapJob", number, 0)
    shown = app.clock("status").stdout
    eventually(lambda: redis.get("stat:processed") == b"9", "all jobs have ended")

    assert "frozen" in shown
    assert sorted(ran(redis)) == sorted(["lock", "end of lock", *(f"nap {number}" for number in range(8))])
    assert not redis.exists("dead", "retry", "stat:failed")
    assert [worker.end() for worker in workers] == [0, 0]
    output = workers[0].output + workers[1].output
    assert "is dead" not in output
    assert "No heartbeat for" not in output
    assert redis.zcard("clock:workers") == 0


def test_a_worker_that_is_stopped_falls_silent_and_notices_that_it_was_away(app: App, redis: Redis) -> None:
    app.environ["CLOCK_FROZEN_TIMEOUT"] = "2"
    stopped = app.start("worker", "-r", "shop")
    stopped.wait_for("Starting worker")
    push(redis, "NapJob", 1, 3600)
    eventually(lambda: ran(redis) == ["nap 1"], "the job runs")
    other = app.start("worker", "-r", "shop")
    other.wait_for("Starting worker")

    stopped.send(signal.SIGSTOP)
    other.wait_for("is dead: its heartbeat expired; put back 1 of its jobs")
    stopped.send(signal.SIGCONT)
    stopped.wait_for("other workers may have taken over jobs that ran here in that time")

    assert ran(redis) == ["nap 1", "nap 1"]
    assert stopped.popen.poll() is None


def test_a_worker_without_descriptors_is_not_taken_for_dead(app: App, redis: Redis) -> None:
    leaking = app.start("worker", "-r", "shop", "-c", "2")
    leaking.wait_for("Starting worker")
    push(redis, "LeakJob", 4 * DEAD_SECONDS)
    eventually(lambda: ran(redis) == ["leak"], "the descriptors are used up")
    other = app.start("worker", "-r", "shop", "-c", "2")
    other.wait_for("Starting worker")

    eventually(lambda: redis.get("stat:processed") == b"1", "the job has ended")

    assert ran(redis) == ["leak"]
    assert "is dead" not in other.output
    assert "Traceback" not in leaking.output, leaking.output
    assert leaking.end() == 0


def test_a_frozen_worker_is_killed_after_the_timeout_and_only_then_its_job_runs_again(
    app: App, redis: Redis
) -> None:
    app.environ["CLOCK_FROZEN_TIMEOUT"] = "2"
    workers = app.start("worker", "-r", "shop", "-p", "2", "-c", "1")
    push(redis, "HoldLockForeverJob")

    workers.wait_for("it was frozen and was killed; put back 1 of its jobs")
    eventually(lambda: redis.zcard("dead") == 1, "three workers were killed")
    [dead] = [json.loads(row) for row in list[Any](redis.zrange("dead", 0, -1))]

    assert len(set(ran(redis))) == 3
    assert dead["error_message"] == "3 workers that ran this job were killed because they were frozen"
    assert "Killing worker" in workers.output
    assert "in perform" in workers.output
    assert workers.output.count("starting another") == 3
    assert workers.end() == 0


def test_one_process_that_is_frozen_ends_with_an_error(app: App, redis: Redis) -> None:
    app.environ["CLOCK_FROZEN_TIMEOUT"] = "1"
    worker = app.start("worker", "-r", "shop")
    worker.wait_for("Starting worker")
    push(redis, "HoldLockForeverJob")

    assert worker.popen.wait(PATIENCE_SECONDS) < 0
    eventually(lambda: expiries(redis) == [-2], "its end is reported")
    eventually(lambda: not helpers_of(worker), "no process is left over")


def test_the_jobs_of_a_killed_worker_run_again_at_once(app: App, redis: Redis) -> None:
    app.environ["CLOCK_HEARTBEAT"] = "2"
    other = app.start("worker", "-r", "shop", "-q", "none", "-q", "default", "-c", "1")
    other.wait_for("Starting worker")
    killed = app.start("worker", "-r", "shop")
    killed.wait_for("Starting worker")
    eventually(lambda: len(helpers_of(killed)) == 1, "the worker has a heartbeat process")
    [helper] = helpers_of(killed)
    eventually(lambda: len(expiries(redis)) == 2, "both workers are known in Redis")

    killed.end(signal.SIGKILL)

    eventually(lambda: min(expiries(redis)) == -1, "its end is reported")
    other.wait_for("is dead: its process exited")
    eventually(lambda: helper not in helpers_of(killed), "no process is left over")


def test_a_worker_whose_heartbeat_process_dies_starts_another(app: App, redis: Redis) -> None:
    worker = app.start("worker", "-r", "shop")
    worker.wait_for("Starting worker")
    eventually(lambda: len(helpers_of(worker)) == 1, "the worker has a heartbeat process")
    [first] = helpers_of(worker)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP):
        os.kill(first, number)  # a terminal or a supervisor sends it to the whole group
    assert stay(lambda: helpers_of(worker) == [first], 0.2)

    os.kill(first, signal.SIGKILL)
    worker.wait_for("starting another one")
    eventually(lambda: helpers_of(worker) not in ([], [first]), "there is another one")
    push(redis, "HoldLockJob", 5)
    worker.wait_for("has been frozen")
    eventually(lambda: redis.get("stat:processed") == b"1", "the job has ended")

    assert worker.end() == 0
    assert ran(redis) == ["lock", "end of lock"]
    eventually(lambda: not helpers_of(worker), "no process is left over")
