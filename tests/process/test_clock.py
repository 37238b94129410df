"""The clock as a real process: killed, doubled, stopped, without its Redis."""

import json
import os
import signal
from typing import Any

import pytest
from redis import Redis

from tests.patience import PATIENCE_SECONDS, eventually
from tests.process.conftest import App

pytestmark = pytest.mark.process

JOB = """
from clock import Job

class NoteInstantJob(Job):
    def perform(self, due): ...
"""
EVERY_SECOND = """
from clock import DUE_AT, every
from jobs.note import NoteInstantJob

every(2).seconds.do(NoteInstantJob, DUE_AT).named("often").catch_up("all")
"""


@pytest.fixture
def often(app: App) -> App:
    """An application with an event every two seconds."""
    app.write("jobs/__init__.py", "")
    app.write("jobs/note.py", JOB)
    app.write("lib/clock.py", EVERY_SECOND)
    return app


def dues(redis: Redis) -> list[int]:
    rows: Any = redis.lrange("queue:default", 0, -1)
    return [json.loads(row)["clock"]["due"] for row in reversed(rows)]


def are_without_gap_or_double(found: list[int]) -> bool:
    return found == list(range(found[0], found[-1] + 1, 2000))


def test_functions_run_in_the_folder_that_the_clock_file_changes_to(app: App) -> None:
    app.write("data/mail.txt", "a letter")
    app.write(
        "lib/clock.py",
        "import os\nfrom clock import every\nos.chdir('data')\n"
        "every().second.do(lambda: print(open('mail.txt').read(), flush=True)).named('reads')\n",
    )

    clock = app.start("lib/clock.py")
    clock.wait_for("a letter")

    assert clock.end() == 0, clock.output
    assert app.clock("check").returncode == 0


def test_functions_run_in_the_folder_of_the_clock_file_also_by_hand_and_in_a_worker(app: App) -> None:
    app.write("data/mail.txt", "a letter")
    app.write("jobs/__init__.py", "")
    app.write(
        "lib/clock.py",
        "import os\nfrom clock import cron\nos.chdir('data')\n"
        "cron('* * * * * *').do(lambda: print(open('mail.txt').read(), flush=True)).named('reads')\n",
    )

    fired = app.clock("fire", "reads")
    backfilled = app.clock("backfill", "reads", "--from", "yesterday 06:00", "--to", "2s", "--beyond-history")
    worker = app.start("worker", "--with-clock", "lib/clock.py")
    worker.wait_for("a letter")

    assert "a letter" in fired.stdout, fired.stderr
    assert backfilled.stderr == "a letter\na letter\n"
    assert worker.end() == 0, worker.output


@pytest.mark.slow
def test_a_clock_killed_before_a_due_instant_and_started_after_it_enqueues_it_once(often: App) -> None:
    redis = often.redis()
    clock = often.start("lib/clock.py")
    eventually(lambda: dues(redis), "the first firing")
    clock.end(signal.SIGKILL)
    before = dues(redis)

    eventually(lambda: redis.time()[0] * 1000 > before[-1] + 6000, "five seconds to pass")
    assert dues(redis) == before
    again = often.start("lib/clock.py")
    eventually(lambda: len(dues(redis)) >= len(before) + 5, lambda: f"more firings:\n{again.output}")
    again.end()

    assert are_without_gap_or_double(dues(redis))


@pytest.mark.slow
def test_two_clocks_enqueue_each_due_instant_once_and_hand_over_when_one_stops(often: App) -> None:
    redis = often.redis()
    first, second = often.start("lib/clock.py"), often.start("lib/clock.py")
    eventually(lambda: len(dues(redis)) >= 3, "some firings")
    leader, other = (first, second) if "Became leader" in first.output else (second, first)
    other.wait_for("On standby")

    assert leader.end(signal.SIGTERM) == 0
    other.wait_for("Became leader")
    count = len(dues(redis))
    eventually(lambda: len(dues(redis)) >= count + 3, "some more firings")
    other.end()

    assert are_without_gap_or_double(dues(redis))


@pytest.mark.slow
def test_a_standing_by_clock_takes_over_from_a_killed_one(often: App) -> None:
    redis = often.redis()
    leader = often.start("lib/clock.py")
    leader.wait_for("Became leader")
    other = often.start("lib/clock.py")
    other.wait_for("On standby")

    leader.end(signal.SIGKILL)
    other.wait_for("Became leader")
    eventually(lambda: len(dues(redis)) >= 5, "some firings")
    other.end()

    assert are_without_gap_or_double(dues(redis))


@pytest.mark.slow
def test_a_redis_that_goes_away_and_comes_back_costs_nothing(often: App) -> None:
    """The embedded server is killed; its keeper starts it again, with all that it had answered for."""
    redis = often.redis()
    clock, worker = often.start("lib/clock.py"), often.start("worker", "-r", "jobs", "-q", "other")
    eventually(lambda: len(dues(redis)) >= 2, "some firings")
    server = redis.info("server")["process_id"]

    os.kill(server, signal.SIGKILL)
    eventually(lambda: _answers(often) and len(dues(often.redis())) >= 6, lambda: f"more firings:\n{clock.output}")

    assert clock.popen.poll() is None
    assert worker.popen.poll() is None
    assert worker.end() == 0
    assert clock.end() == 0
    assert are_without_gap_or_double(dues(often.redis()))


SLOW_BESIDE_JOBS = """
import os, threading, time
from clock import every
from jobs.note import NoteInstantJob

def slow():
    began = time.monotonic()
    pusher = threading.Thread(target=NoteInstantJob.perform_async, args=("from a thread",))
    pusher.start()
    pusher.join()
    print(f"slow pushed within {time.monotonic() - began:.0f} s in process {os.getpid()}", flush=True)
    time.sleep(7)
    print(f"slow ended in process {os.getpid()}", flush=True)

for number in range(600):
    every(12).seconds.do(NoteInstantJob, str(number)).named(f"job {number}")
every(12).seconds.do(slow).named("slow")
"""


@pytest.mark.slow
def test_a_slow_callable_behind_600_jobs_runs_on_one_of_two_healthy_clocks(often: App) -> None:
    """The lease is renewed while it runs, the jobs before it do not wait, and its threads may push."""
    often.write("lib/clock.py", SLOW_BESIDE_JOBS)
    redis = often.redis()
    leader = often.start("lib/clock.py")
    leader.wait_for("Became leader")
    other = often.start("lib/clock.py")
    other.wait_for("On standby")

    leader.wait_for("slow pushed within 0 s")
    pushed: Any = redis.llen("queue:default")
    leader.wait_for("slow ended")
    leader.end()

    assert pushed == 601
    assert "slow" not in other.output.partition("Became leader")[0].partition("On standby")[2]
    assert "This clock uses 2 connections to Redis" in leader.output


def _answers(app: App) -> bool:
    return app.run("-c", "from clock.store.server.connection import connect; connect().ping()").returncode == 0


def test_every_signal_to_stop_ends_the_clock_with_0(often: App) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        clock = often.start("lib/clock.py")
        clock.wait_for("Became leader")

        assert clock.end(number) == 0
        assert "Stopped" in clock.output


def test_a_clock_starts_with_clockworks_words(often: App) -> None:
    clock = often.start()

    clock.wait_for("Starting clock for 1 event: [ often ]")
    clock.wait_for("Triggering 'often'")


def test_logs_may_be_json(often: App) -> None:
    clock = often.start("lib/clock.py", "--log-format", "json")
    clock.wait_for("Triggering 'often'")
    clock.end()

    lines = [json.loads(line) for line in clock.output.splitlines()]
    [trigger, *_] = [line for line in lines if line["message"] == "Triggering 'often'"]
    assert (trigger["event"], trigger["level"]) == ("often", "info")


def test_a_clock_logs_to_the_logger_of_its_file(often: App) -> None:
    mine = (
        "import logging, sys\nmine = logging.Logger('mine')\nmine.addHandler(logging.StreamHandler(sys.stdout))\n"
    )
    often.write("lib/clock.py", f"{mine}from clock import configure\nconfigure(logger=mine){EVERY_SECOND}")

    clock = often.start()

    clock.wait_for("\nTriggering 'often'\n")
    assert clock.end() == 0


def test_both_are_stopped_when_one_of_them_ends(often: App) -> None:
    often.write("jobs/broken.py", "import nothing_of_that_name")

    both = often.start("dev")

    assert both.popen.wait(PATIENCE_SECONDS) == 1
    eventually(lambda: "the worker exited with code 1" in both.output, both.output)
    assert "jobs/broken.py:1: ModuleNotFoundError: No module named 'nothing_of_that_name'" in both.output
    assert "Traceback" not in both.output


def test_a_process_whose_output_ends_before_it_does_still_tells_its_exit_code(often: App) -> None:
    often.write("jobs/mute.py", "import os, time\nos.close(1)\nos.close(2)\ntime.sleep(0.3)\nos._exit(3)\n")

    both = often.start("dev")

    assert both.popen.wait(PATIENCE_SECONDS) == 1
    eventually(lambda: "the worker exited with code 3" in both.output, both.output)
