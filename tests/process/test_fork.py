"""Jobs and actions that fork: each is done once, children end, and a signal to a child is for the child."""

import json
import signal
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from redis import Redis

from tests.patience import eventually
from tests.process.conftest import App

pytestmark = pytest.mark.process

JOBS = """
import asyncio, multiprocessing, os, signal, subprocess, sys, time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from clock import Job, client_middleware, server_middleware
from clock.store.server.connection import default

def note(*words):
    if words[-1] is not None:
        default().rpush("ran", " ".join(map(str, words)))

def double(n):
    return 2 * n

class NoteThingJob(Job):
    def perform(self, *words):
        note("pushed by", *words)

class _Once(Job):
    retry = False

def fork(shape):
    '''In the parent, how the child has ended; in the child None, where it goes on.'''
    pid = os.fork()
    if pid:
        if shape == "is killed":
            os.kill(pid, signal.SIGTERM)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if shape == "exits":
        sys.exit(3)
    if shape == "raises":
        raise ValueError("in the child")
    if shape == "execs":
        os.execv("/bin/true", ["true"])
    if shape == "pushes":
        NoteThingJob.perform_async("a child")
    if shape == "is killed":
        time.sleep(600)

class ForkJob(_Once):
    def perform(self, shape):
        note("job", shape, fork(shape))

class AsyncForkJob(_Once):
    async def perform(self, shape):
        note("async job", shape, fork(shape))

class AwaitInChildJob(_Once):
    async def perform(self):
        pid = os.fork()
        if pid == 0:
            await asyncio.sleep(0)
            note("a child came back from the loop")
        else:
            note("awaits", os.waitpid(pid, 0)[1])

class ForkInThreadJob(_Once):
    async def perform(self):
        note("to_thread", await asyncio.to_thread(fork, "returns"))

class ForkInTaskJob(_Once):
    async def perform(self):
        async def returns():
            return fork("returns")
        note("task", await asyncio.create_task(returns()))

class SpinJob(_Once):
    async def perform(self, turns):
        for _ in range(turns):
            await asyncio.sleep(0)
        note("spun")

class PoolJob(_Once):
    def perform(self, method):
        with multiprocessing.get_context(method).Pool(1) as pool:
            note("pool", method, sum(pool.map(double, range(10))))

class TerminateJob(_Once):
    def perform(self, method):
        process = multiprocessing.get_context(method).Process(target=time.sleep, args=(600,))
        process.start()
        process.terminate()
        process.join()
        note("terminated", method, process.exitcode)

class ExecutorJob(_Once):
    def perform(self):
        with ProcessPoolExecutor(2) as pool:
            note("executor", sum(pool.map(double, range(10))))

class CommandJob(_Once):
    def perform(self):
        process = subprocess.Popen(["sleep", "600"])
        process.terminate()
        note("command", process.wait())

class MiddlewareJob(_Once):
    def perform(self):
        note("inside", codes[self.jid])

class AsyncMiddlewareJob(_Once):
    async def perform(self):
        note("async inside", codes[self.jid])

codes = {}  # of the children that middleware has forked, by job

@server_middleware.add
def fork_at_call(job, payload, queue):
    if isinstance(job, (MiddlewareJob, AsyncMiddlewareJob)):
        codes[job.jid] = fork("returns")

@server_middleware.add
@contextmanager
def fork_at_entry(job, payload, queue):
    if isinstance(job, (MiddlewareJob, AsyncMiddlewareJob)):
        codes[job.jid] += fork("raises")
        if fork("returns") is None:
            codes[job.jid] = "in a child"
    yield

@client_middleware.add
def fork_at_push(job, payload, queue):
    if payload["args"] == ["a forking middleware"]:
        fork("returns")

class ForkAtPushJob(_Once):
    def perform(self):
        NoteThingJob.perform_async("a forking middleware")

class LeavePoolJob(_Once):
    def perform(self):
        global left
        left = multiprocessing.get_context("fork").Pool(1)
        note("left", left.apply(double, [1]))
"""

ENDS = {"returns": 0, "exits": 3, "raises": 1, "execs": 0, "pushes": 0, "is killed": -15}

Row = tuple[Sequence[object], str]

#: What the jobs are pushed with, and what they note.
FORKING: list[Row] = [
    # First: a child that LeavePoolJob leaves would keep the pipe of its Popen open.
    (["CommandJob"], "command -15"),
    *((["ForkJob", shape], f"job {shape} {code}") for shape, code in ENDS.items()),
    *((["AsyncForkJob", shape], f"async job {shape} {code}") for shape, code in ENDS.items()),
    (["AwaitInChildJob"], "awaits 256"),
    (["ForkInThreadJob"], "to_thread 0"),
    (["ForkInTaskJob"], "task 0"),
    (["MiddlewareJob"], "inside 1"),
    (["AsyncMiddlewareJob"], "async inside 1"),
    (["ForkAtPushJob"], "pushed by a forking middleware"),
    (["LeavePoolJob"], "left 2"),
    *((["SpinJob", 1000], "spun") for _ in range(3)),
]
POOLS: list[Row] = [
    *((["PoolJob", method], f"pool {method} 90") for method in ("fork", "spawn", "forkserver")),
    *((["TerminateJob", method], f"terminated {method} -15") for method in ("fork", "spawn", "forkserver")),
    (["ExecutorJob"], "executor 90"),
]
PUSHED = ["pushed by a child"] * 2


@pytest.fixture
def app(app: App, redis_url: str, redis: Redis) -> App:
    """An application whose jobs fork, on the Redis of the test session."""
    app.environ["REDIS_URL"] = redis_url
    app.write("shop/forking.py", JOBS)
    return app


def push(redis: Redis, job: str, *args: object) -> None:
    payload = {"class": job, "args": args, "jid": f"{job}-{args}", "queue": "default", "retry": False}
    redis.lpush("queue:default", json.dumps(payload))


def noted(redis: Redis) -> list[str]:
    rows: Any = redis.lrange("ran", 0, -1)
    return [row.decode() for row in rows]


@pytest.mark.parametrize(
    ("options", "table"),
    [
        (["-c", "3"], FORKING),
        pytest.param(["-c", "2", "-p", "2"], FORKING + POOLS, marks=pytest.mark.slow),
    ],
)
def test_jobs_that_fork_run_once_and_leave_no_process_behind(
    app: App, redis: Redis, options: list[str], table: list[Row]
) -> None:
    for (job, *args), _ in table:
        push(redis, str(job), *args)
    expected = sorted([*(note for _, note in table), *PUSHED])

    worker = app.start("worker", "-r", "shop", *options)
    eventually(lambda: len(noted(redis)) >= len(expected), lambda: f"all jobs: {noted(redis)}\n{worker.output}")
    processed = len(expected) + 1  # ForkAtPushJob pushes a job and writes no note itself
    eventually(lambda: redis.get("stat:processed") == str(processed).encode(), "all are acknowledged")

    assert sorted(noted(redis)) == expected
    assert worker.popen.poll() is None
    assert "Draining" not in worker.output
    assert "ValueError: in the child" in worker.output
    assert worker.end() == 0
    assert not redis.exists("retry", "dead", "stat:failed", "queue:default")
    assert not redis.keys("clock:in_progress:*")
    eventually(lambda: not app.living(), lambda: f"no process is left: {app.living()}")


def test_a_module_of_jobs_may_fork_when_it_is_imported(app: App, redis: Redis) -> None:
    app.write(
        "shop/odd.py", "import os\nif os.fork() == 0:\n    print(f'child {os.getpid()} forked', flush=True)\n"
    )
    worker = app.start("worker", "-r", "shop")
    eventually(lambda: redis.scard("processes"), lambda: f"it works:\n{worker.output}")
    worker.wait_for("forked")

    child = worker.output.split("child ")[1].split()[0]
    eventually(lambda: not any(row.startswith(f"{child} ") for row in app.living()), "the child has ended")
    assert worker.end() == 0
    assert worker.output.count("Starting worker") == 1


ACTIONS = """
import multiprocessing, os, sys
from functools import partial
from clock import DUE_AT, error_handler, every, on
from shop.forking import fork, note, NoteThingJob

def tick(due):
    note("tick", due, os.getpid())

def act(shape):
    NoteThingJob.perform_async("the parent")
    note("action", shape, fork(shape))

def plus_one(n):
    return n + 1

def pool():
    with multiprocessing.get_context("fork").Pool(2) as workers:
        note("action", "pool", sum(workers.map(plus_one, range(10))))

def allow(due):
    return os.fork() > 0

@on("before_tick")
def forks():
    if os.fork() == 0:
        sys.exit(1)

every(1).seconds.do(tick, DUE_AT).named("tick")
every(1).seconds.do(tick, DUE_AT).named("asks").if_(allow)
for thread in (False, True):
    for shape in ("returns", "exits", "raises", "execs", "pushes", "is killed"):
        event = every(2).seconds.do(partial(act, shape)).named(f"{shape} {thread}")
        if thread:
            event.thread()
    event = every(2).seconds.do(pool).named(f"pool {thread}")
    if thread:
        event.thread()
if os.fork() == 0:
    raise ValueError("at import")
"""


@pytest.mark.slow
def test_actions_that_fork_make_no_second_clock_and_leave_no_process_behind(app: App, redis: Redis) -> None:
    app.write("lib/clock.py", ACTIONS)
    clock = app.start("lib/clock.py")
    one_round = {f"action {shape} {code}": 2 for shape, code in {**ENDS, "pool": 55}.items()}

    eventually(
        lambda: Counter(noted(redis)) >= Counter({note: 2 * times for note, times in one_round.items()}),
        f"two rounds of actions: {noted(redis)}\n{clock.output}",
    )

    assert clock.popen.poll() is None
    assert clock.end() == 0
    assert {row.split()[2] for row in noted(redis) if row.startswith("tick")} == {str(clock.popen.pid)}
    rounds = {note: count for note, count in Counter(noted(redis)).items() if note.startswith("action")}
    assert set(rounds) == set(one_round)
    payloads: Any = redis.lrange("queue:default", 0, -1)
    pushed = Counter(json.loads(payload)["args"][0] for payload in payloads)
    assert pushed["a child"] == rounds["action pushes 0"]
    assert len({json.loads(payload)["jid"] for payload in payloads}) == len(payloads)
    assert clock.output.count("Starting clock") == 1
    assert "already" not in clock.output
    eventually(lambda: not app.living(), lambda: f"no process is left: {app.living()}")


def test_a_signal_to_the_worker_is_still_heard_after_a_job_has_forked(app: App, redis: Redis) -> None:
    push(redis, "ForkJob", "is killed")
    worker = app.start("worker", "-r", "shop", "-t", "0.2")
    eventually(lambda: noted(redis) == ["job is killed -15"], "the job has ended")

    assert worker.end(signal.SIGINT) == 0
