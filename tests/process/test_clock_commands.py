"""The clock's signals and its further ways to run, as real processes."""

import json
import os
import signal
from typing import Any

import pytest
from redis import Redis

from tests.patience import eventually
from tests.process.conftest import App

pytestmark = [pytest.mark.process, pytest.mark.slow]

JOB = """
from clock import Job
class NoteInstantJob(Job):
    queue = "notes"
    def perform(self, due): ...
"""
OFTEN = """
from clock import DUE_AT, every
from jobs.note import NoteInstantJob
every(1).seconds.do(NoteInstantJob, DUE_AT).named("often").catch_up("all")
"""
SLOW = """
import time
from clock import every
def sleep():
    print("sleeping", flush=True)
    time.sleep(30)
every(1).seconds.do(sleep).named("slow"){thread}
"""


@pytest.fixture
def often(app: App) -> App:
    """An application with an event every second."""
    app.write("jobs/__init__.py", "")
    app.write("jobs/note.py", JOB)
    app.write("lib/clock.py", OFTEN)
    return app


def dues(redis: Redis) -> list[int]:
    rows: Any = redis.lrange("queue:notes", 0, -1)
    return [json.loads(row)["clock"]["due"] for row in reversed(rows)]


def are_without_gap_or_double(found: list[int]) -> bool:
    return found == list(range(found[0], found[-1] + 1, 1000))


def test_a_worker_stands_by_as_a_clock_and_takes_over_from_a_killed_one(often: App) -> None:
    redis = often.redis()
    clock = often.start("lib/clock.py")
    clock.wait_for("Became leader")
    worker = often.start("worker", "-r", "jobs", "-q", "other", "--with-clock", "lib/clock.py")
    worker.wait_for("On standby")

    clock.end(signal.SIGKILL)
    worker.wait_for("Became leader")
    count = len(dues(redis))
    eventually(lambda: len(dues(redis)) >= count + 3, lambda: f"more firings:\n{worker.output}")
    assert worker.end() == 0

    assert "Released leadership" in worker.output
    assert are_without_gap_or_double(dues(redis))


def test_an_edit_starts_the_clock_anew_and_a_broken_one_is_told_and_waited_out(often: App) -> None:
    redis = often.redis()
    clock = often.start("--reload")
    eventually(lambda: len(dues(redis)) >= 2, lambda: f"some firings:\n{clock.output}")
    clock.send(signal.SIGUSR1)
    clock.wait_for("This clock is the leader; 1 event:")

    often.write("lib/clock.py", OFTEN + "\nnonsense(\n")
    clock.wait_for("SyntaxError")
    clock.wait_for("clock: waiting for an edit")
    often.write("lib/clock.py", OFTEN + "\n# mended\n")
    count = len(dues(redis))
    eventually(lambda: len(dues(redis)) >= count + 3, lambda: f"more firings:\n{clock.output}")
    assert clock.end() == 0

    assert "lib/clock.py changed, restarting" in clock.output
    assert are_without_gap_or_double(dues(redis))


def test_an_edit_of_events_in_yaml_starts_the_clock_anew(app: App) -> None:
    app.write("lib/clock.py", "")
    app.write("jobs/__init__.py", "")
    app.write("jobs/note.py", JOB)
    app.write("config/clock.yml", "schedule:\n  one: {cron: '0 6 * * *', class: NoteInstantJob, args: [1]}\n")
    clock = app.start("--reload")
    clock.wait_for("1 event: [ one ]")

    app.write("config/clock.yml", "schedule:\n  two: {cron: '0 6 * * *', class: NoteInstantJob, args: [1]}\n")

    clock.wait_for("1 event: [ two ]")
    assert clock.end() == 0


def test_usr1_writes_the_timetable_to_the_log(often: App) -> None:
    clock = often.start("lib/clock.py")
    clock.wait_for("Triggering 'often'")

    clock.send(signal.SIGUSR1)

    clock.wait_for("This clock is the leader; 1 event:")
    clock.wait_for("; next run at ")
    assert clock.end() == 0


@pytest.mark.parametrize("thread", ["", ".thread()"])
def test_an_action_that_does_not_end_holds_up_a_stop_for_ten_seconds_at_most(app: App, thread: str) -> None:
    app.write("lib/clock.py", SLOW.format(thread=thread))
    clock = app.start("lib/clock.py")
    clock.wait_for("sleeping")
    other = app.start("lib/clock.py")
    other.wait_for("On standby")

    assert clock.end(signal.SIGTERM) == 0

    lost = "Lost leadership to another clock" in clock.output  # before, while the machine stood still
    assert lost or "Released leadership" in clock.output
    other.wait_for("Became leader")
    other.wait_for("sleeping")  # the firing was not decided, and is repeated


def test_int_waits_for_no_action_on_a_thread(app: App) -> None:
    app.write("lib/clock.py", SLOW.format(thread=".thread()"))
    clock = app.start("lib/clock.py")
    clock.wait_for("sleeping")

    clock.send(signal.SIGINT)
    clock.popen.wait(25)  # less than the action takes

    assert clock.popen.returncode == 0


def test_a_newer_release_leads_at_once(often: App) -> None:
    redis = often.redis()
    often.environ = {**os.environ, "CLOCK_RELEASE": "v1"}
    old = often.start("lib/clock.py")
    eventually(lambda: len(dues(redis)) >= 2, lambda: f"some firings:\n{old.output}")

    often.environ = {**os.environ, "CLOCK_RELEASE": "v2"}
    new = often.start("lib/clock.py")
    new.wait_for("Became leader")
    old.wait_for("Lost leadership to another clock")
    count = len(dues(redis))
    eventually(lambda: len(dues(redis)) >= count + 3, lambda: f"more firings:\n{new.output}")

    assert (old.end(), new.end()) == (0, 0)
    assert are_without_gap_or_double(dues(redis))
