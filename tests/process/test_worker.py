"""Workers as processes, with real signals."""

import json
import re
import signal
import socket
from typing import Any

import pytest
from redis import Redis

from tests.patience import PATIENCE_SECONDS, eventually
from tests.process.conftest import App
from tests.traced import not_traced

pytestmark = pytest.mark.process

JOBS = """
import asyncio, os, time
from clock import Job
from clock.store.server.connection import default

def note(*words):
    default().rpush("ran", " ".join(map(str, words)))

class NoteThingJob(Job):
    def perform(self, thing):
        note(thing, os.getpid())

class HoldThingJob(Job):
    def perform(self, thing):
        note(thing, self.attempt)
        while not default().exists("let go"):
            time.sleep(0.02)
        note("end of", thing)

class FailLaterJob(HoldThingJob):
    def perform(self, thing):
        super().perform(thing)
        raise ValueError(thing)

class HeedStopJob(Job):
    def perform(self):
        note("begun", self.attempt)
        while not self.stopping:
            time.sleep(0.02)

class AwaitThingJob(Job):
    async def perform(self, thing):
        note(thing)
        while not default().exists("let go"):
            await asyncio.sleep(0.02)

class RunTooLongJob(Job):
    timeout = 0.2

    def perform(self):
        note("begun")
        while True:
            time.sleep(0.01)

class AwaitTooLongJob(Job):
    timeout = 0.2

    async def perform(self):
        note("begun")
        await asyncio.sleep(600)

class AwaitForLongJob(Job):
    async def perform(self):
        note("begun")
        await asyncio.sleep(600)

class LendThreadJob(Job):
    async def perform(self):
        note("begun")
        await asyncio.to_thread(time.sleep, 600)

class DieAtOnceJob(Job):
    def perform(self, number):
        note("dying", os.getpid())
        if default().llen("ran") > 1:
            return
        if number < 0:
            os.kill(os.getpid(), -number)
        os._exit(number)
"""


@pytest.fixture
def app(app: App, redis_url: str, redis: Redis) -> App:
    """An application whose jobs tell what they do, on the Redis of the test session."""
    app.environ["REDIS_URL"] = redis_url
    app.write("shop/jobs.py", JOBS)
    return app


def push(app: App, job: str, *args: object, queue: str = "default") -> None:
    payload = {"class": job, "args": args, "jid": f"{job}-{args}", "queue": queue, "retry": True}
    app.redis().lpush(f"queue:{queue}", json.dumps(payload))


def ran(app: App) -> list[str]:
    rows: Any = app.redis().lrange("ran", 0, -1)
    return [row.decode() for row in rows]


def in_progress(app: App) -> int:
    redis = app.redis()
    hashes: Any = redis.keys("clock:in_progress:*")
    return sum(len(list[Any](redis.hkeys(name))) for name in hashes)


def test_a_stop_lets_jobs_end_and_exits_with_0(app: App) -> None:
    push(app, "HoldThingJob", "a")
    worker = app.start("worker", "-r", "shop")
    eventually(lambda: ran(app) == ["a 1"], "the job runs")

    worker.send(signal.SIGTERM)
    worker.wait_for("Stopping: 1 jobs run")
    app.redis().set("let go", 1)

    assert worker.popen.wait(PATIENCE_SECONDS) == 0
    assert ran(app) == ["a 1", "end of a"]
    assert in_progress(app) == 0
    assert app.redis().llen("queue:default") == 0
    assert app.redis().get("stat:processed") == b"1"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_jobs_cut_short_by_a_stop_are_next_and_it_is_no_attempt(app: App, number: signal.Signals) -> None:
    push(app, "HoldThingJob", "a")
    worker = app.start("worker", "-r", "shop", "-t", "0.2")
    eventually(lambda: ran(app) == ["a 1"], "the job runs")
    push(app, "NoteThingJob", "later", queue="other")
    before: Any = app.redis().hvals(list[Any](app.redis().keys("clock:in_progress:*"))[0])

    code = worker.end(number)

    assert code == 0
    rows: Any = app.redis().lrange("queue:default", 0, -1)
    assert [b"default\n" + row for row in rows] == before
    assert not app.redis().exists("retry", "stat:failed", "stat:processed")
    assert in_progress(app) == 0


def test_threads_that_a_job_has_started_do_not_keep_a_stopped_worker_alive(app: App) -> None:
    push(app, "LendThreadJob")
    worker = app.start("worker", "-r", "shop", "-t", "0.2")
    eventually(lambda: ran(app) == ["begun"], "the job runs")

    assert worker.end() == 0
    assert app.redis().llen("queue:default") == 1


def test_a_job_may_ask_whether_the_worker_stops(app: App) -> None:
    push(app, "HeedStopJob")
    worker = app.start("worker", "-r", "shop")
    eventually(lambda: ran(app) == ["begun 1"], "the job runs")

    assert worker.end() == 0
    assert app.redis().get("stat:processed") == b"1"


def test_a_quiet_worker_ends_what_it_runs_and_takes_no_more(app: App) -> None:
    push(app, "HoldThingJob", "a")
    worker = app.start("worker", "-r", "shop")
    eventually(lambda: ran(app) == ["a 1"], "the job runs")

    worker.send(signal.SIGTSTP)
    worker.wait_for("Draining")
    push(app, "NoteThingJob", "b")
    app.redis().set("let go", 1)
    eventually(lambda: in_progress(app) == 0, "the job ends")

    assert worker.end() == 0
    assert ran(app) == ["a 1", "end of a"]
    assert app.redis().llen("queue:default") == 1


def test_ttin_writes_what_each_thread_does(app: App) -> None:
    push(app, "HoldThingJob", "a")
    worker = app.start("worker", "-r", "shop")
    eventually(lambda: ran(app) == ["a 1"], "the job runs")

    worker.send(signal.SIGTTIN)

    worker.wait_for("in perform")
    worker.wait_for("Thread fetcher")


def test_ttin_writes_where_each_coroutine_waits(app: App) -> None:
    push(app, "AwaitForLongJob")
    worker = app.start("worker", "-r", "shop")
    eventually(lambda: ran(app) == ["begun"], "the job runs")

    worker.send(signal.SIGTTIN)

    worker.wait_for("await asyncio.sleep(600)")
    worker.wait_for("in perform")


def test_coroutine_jobs_run_at_once_as_many_as_the_concurrency_says(app: App) -> None:
    for number in range(3):
        push(app, "AwaitThingJob", number)
    worker = app.start("worker", "-r", "shop", "-c", "2")
    eventually(lambda: len(ran(app)) == 2, "two run at once")
    assert in_progress(app) == 2

    app.redis().set("let go", 1)
    eventually(lambda: len(ran(app)) == 3, "the third runs")

    assert worker.end() == 0


@pytest.mark.parametrize("job", [pytest.param("RunTooLongJob", marks=not_traced), "AwaitTooLongJob"])
def test_a_job_that_runs_for_too_long_is_interrupted_and_tried_again_later(app: App, job: str) -> None:
    push(app, job)
    worker = app.start("worker", "-r", "shop", "-c", "1")
    eventually(lambda: app.redis().zcard("retry"), "it is interrupted")
    push(app, "NoteThingJob", "next")
    eventually(lambda: any(row.startswith("next ") for row in ran(app)), "the thread goes on")

    assert worker.end() == 0
    [row] = list[Any](app.redis().zrange("retry", 0, -1))
    assert json.loads(row)["error_class"] == "JobTimeout"
    assert app.redis().get("stat:failed") == b"1"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "told"), [(-9, "SIGKILL"), (-40, "signal 40"), (0, "exit code 0"), (1, "exit code 1")]
)
def test_several_processes_work_and_a_dead_one_is_replaced(app: App, number: int, told: str) -> None:
    worker = app.start("worker", "-r", "shop", "-p", "2", "-c", "1")
    eventually(lambda: app.redis().scard("processes") == 2, "two processes")
    before = set(list[Any](app.redis().smembers("processes")))

    push(app, "DieAtOnceJob", number)
    worker.wait_for(f"died ({told}); starting another")
    eventually(lambda: set(list[Any](app.redis().smembers("processes"))) - before, "a new process")
    for number in range(20):
        push(app, "NoteThingJob", number)
    eventually(lambda: len(ran(app)) >= 21, "all are run")

    assert worker.end() == 0


@pytest.mark.slow
def test_a_startup_hook_that_raises_ends_all_processes_and_is_named(app: App) -> None:
    app.write("shop/hooks.py", "from clock import on\n\non('startup')(lambda: {}['model'])\n")

    worker = app.start("worker", "-r", "shop", "-p", "2")

    assert worker.popen.wait(PATIENCE_SECONDS) == 1
    assert "KeyError: 'model'" in worker.finished_output()
    assert "starting another" not in worker.finished_output()


@pytest.mark.slow
def test_a_burst_in_processes_that_are_replaced_after_some_jobs_runs_all_of_them(app: App) -> None:
    app.write("shop/hooks.py", "from clock import on\n\non('startup')(lambda: print('warmed up'))\n")
    for number in range(8):
        push(app, "NoteThingJob", number)

    worker = app.start("worker", "-r", "shop", "--burst", "--max-jobs", "5", "-c", "1")

    assert worker.popen.wait(PATIENCE_SECONDS) == 0
    assert {line.split()[0] for line in ran(app)} == set("01234567")
    assert len({line.split()[1] for line in ran(app)}) == 2
    output = worker.finished_output()
    assert output.count("warmed up") == 2
    assert output.count("ended to be replaced; starting another") == 1
    assert "it has run 5 jobs (max_jobs)" in output


def test_a_worker_sends_its_runs_to_statsd(app: App) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(PATIENCE_SECONDS)
        app.environ["CLOCK_STATSD"] = f"127.0.0.1:{server.getsockname()[1]}"
        push(app, "NoteThingJob", "x")

        assert app.clock("worker", "-r", "shop", "--burst").returncode == 0

        assert server.recv(65_536).startswith(b"clock_jobs_total.NoteThingJob.default.done:1|c")


def test_a_burst_of_a_queue_that_is_empty_or_unknown_is_told(app: App) -> None:
    app.write("shop/__init__.py", "")

    ended = app.clock("worker", "-r", "shop", "--burst", "-q", "defualt")

    assert ended.returncode == 0
    assert "clock: no job waits in the queues defualt; unknown: defualt; known: none\n" in ended.stderr


@pytest.mark.slow
def test_a_sidekiq_ymls_capsules_retries_and_dead_jobs_count(app: App) -> None:
    app.write(
        "config/sidekiq.yml",
        ":concurrency: 3\n:max_retries: 0\n:dead_max_jobs: 2\n:queues: [default]\n"
        ":capsules:\n  :single:\n    :concurrency: 1\n    :queues: [serial]\n",
    )
    app.write(
        "shop/serial.py",
        "from shop.jobs import HoldThingJob\n\nclass SerialJob(HoldThingJob):\n    queue = 'serial'\n",
    )
    for thing in ("first", "second"):
        app.redis().lpush(
            "queue:serial", json.dumps({"class": "SerialJob", "args": [thing], "jid": thing, "queue": "serial"})
        )
    for thing in "abc":
        push(app, "FailLaterJob", thing)

    worker = app.start("worker", "-r", "shop")
    worker.wait_for("the capsule single (serial, 1 at once)")
    eventually(lambda: len(ran(app)) == 4, "three jobs of the default queue and one of the capsule have begun")
    assert "second 1" not in ran(app)
    app.redis().set("let go", 1)
    eventually(lambda: "end of second" in ran(app), "the second one has run")
    eventually(lambda: app.redis().zcard("dead") == 2, "no failed job is tried again, and two are kept")

    assert ran(app).index("second 1") > ran(app).index("end of first")
    assert app.redis().zcard("retry") == 0
    assert worker.end() == 0


@pytest.mark.slow
def test_what_a_worker_does_after_others_took_it_for_dead_leaves_their_jobs_alone(app: App) -> None:
    app.environ["CLOCK_HEARTBEAT"] = "0.25"
    push(app, "HoldThingJob", "a")
    push(app, "FailLaterJob", "b")
    asleep = app.start("worker", "-r", "shop", "-c", "2")
    eventually(lambda: len(ran(app)) == 2, "both run")
    asleep.send(signal.SIGSTOP)
    awake = app.start("worker", "-r", "shop", "-c", "2")
    eventually(lambda: len(ran(app)) == 4, "both run elsewhere")
    [held] = list[Any](app.redis().keys("clock:in_progress:*"))
    before = app.redis().hgetall(held)

    asleep.send(signal.SIGCONT)
    asleep.wait_for("other workers may have taken over jobs")
    assert app.redis().hgetall(held) == before

    app.redis().set("let go", 1)
    eventually(lambda: in_progress(app) == 0, "all have ended")
    assert (asleep.end(), awake.end()) == (0, 0)
    assert app.redis().zcard("retry") == 1
    assert not app.redis().llen("queue:default")
    assert (app.redis().get("stat:processed"), app.redis().get("stat:failed")) == (b"2", b"1")


@pytest.mark.slow
def test_processes_whose_parent_was_killed_stop_in_order(app: App) -> None:
    parent = app.start("worker", "-r", "shop", "-p", "2", "-c", "1")
    eventually(lambda: app.redis().scard("processes") == 2, "two processes")

    parent.popen.kill()

    eventually(lambda: app.redis().scard("processes") == 0, "both have stopped")


def test_a_line_that_the_output_cannot_hold_is_written_with_what_is_missing_escaped(app: App) -> None:
    app.environ["PYTHONIOENCODING"] = "ascii"
    app.write(
        "shop/odd.py",
        "from clock import Job\n\nclass BreakOddlyJob(Job):\n    def perform(self):\n"
        '        raise ValueError("caf\\udce9, caf\\u00e9")\n',
    )
    push(app, "BreakOddlyJob")
    worker = app.start("worker", "-r", "shop")

    worker.wait_for("ValueError: caf\\udce9, caf\\xe9 (retry 1/25 in")

    assert worker.end() == 0
    assert "Logging error" not in worker.output


def test_of_several_processes_one_that_was_told_to_stop_is_not_replaced(app: App) -> None:
    app.environ["CLOCK_HEARTBEAT"] = "0.25"  # it hears of signals with each
    parent = app.start("worker", "-r", "shop", "-p", "2", "-c", "1")
    eventually(lambda: app.redis().scard("processes") == 2, "two processes")

    for identity in list[Any](app.redis().smembers("processes")):
        app.redis().lpush(f"{identity.decode()}-signals", "TERM")

    assert parent.popen.wait(PATIENCE_SECONDS) == 0
    assert "died" not in parent.output


def test_with_several_processes_bad_input_ends_them_all(app: App) -> None:
    app.write("shop/broken.py", "1 +")

    result = app.clock("worker", "-r", "shop", "-p", "2")

    assert result.returncode == 1
    assert "broken.py:1: SyntaxError" in result.stderr


def test_a_job_of_a_class_that_comes_with_the_next_release_waits_for_it(app: App) -> None:
    push(app, "SendLaterJob", "x")
    old = app.start("worker", "-r", "shop")
    old.wait_for("Parked a job")
    assert old.end() == 0
    app.write(
        "shop/later.py", "from shop.jobs import NoteThingJob\n\nclass SendLaterJob(NoteThingJob):\n    pass\n"
    )

    new = app.start("worker", "-r", "shop")

    eventually(lambda: ran(app), "the parked job runs")
    assert not app.redis().exists("retry", "clock:parked")
    assert new.end() == 0


def test_the_worker_says_how_many_connections_it_will_hold_and_holds_no_more(app: App, redis: Redis) -> None:
    def clients() -> set[str]:
        found: Any = redis.client_list()
        return {client["id"] for client in found}

    before = clients()
    redis.lpush("queue:default", *[json.dumps({"class": "NoteThingJob", "args": [n]}) for n in range(200)])
    worker = app.start("worker", "-r", "shop", "-c", "3", "-q", "default", "-q", "low")
    worker.wait_for(" connections to Redis")
    eventually(lambda: redis.llen("ran") == 200, "all are run")

    held = clients() - before

    assert worker.end() == 0
    [promised] = re.findall(r"3 threads, .* at most (\d+) connections to Redis", worker.output)
    assert len(held) <= int(promised) == 3 + 2
