"""Events declared in YAML, with no clock file at all."""

import json

import pytest

from tests.patience import eventually
from tests.process.conftest import App

pytestmark = pytest.mark.process

JOB = """
from clock import Job

class GreetJob(Job):
    def perform(self, name): ...
"""


def test_the_clock_fires_the_events_of_the_settings_file_and_of_a_sidekiq_cron_file(app: App) -> None:
    app.write("jobs/__init__.py", "")
    app.write("jobs/greet_job.py", JOB)
    app.write(
        "config/clock.yml",
        "schedule_file: config/schedule.yml\n"
        "schedule:\n"
        "  ours: {every: 1 second, job: GreetJob, args: ours, queue: low}\n",
    )
    app.write("config/schedule.yml", "theirs:\n  cron: '* * * * * *'\n  class: GreetJob\n  args: theirs\n")

    clock = app.start()
    clock.wait_for("Starting clock for 2 events: [ ours theirs ]")
    redis = app.redis()
    eventually(lambda: redis.llen("queue:low") and redis.llen("queue:default"), "both events enqueue")

    assert clock.end() == 0
    for queue, name in (("low", "ours"), ("default", "theirs")):
        payload = json.loads(redis.lindex(f"queue:{queue}", 0) or "")
        assert (payload["class"], payload["args"], payload["clock"]["event"]) == ("GreetJob", [name], name)


def test_a_schedule_file_may_be_named_on_the_command_line(app: App) -> None:
    ended = app.clock("run", "--schedule-file", "config/nothing.yml")

    assert ended.returncode == 1
    assert ended.stderr == "clock: config/nothing.yml: No such file or directory\n"


def test_a_class_that_is_not_loaded_is_told_with_file_and_line(app: App) -> None:
    app.write("jobs/__init__.py", "")
    app.write("config/clock.yml", "schedule:\n  nightly:\n    cron: '@daily'\n    job: GreetJob\n")

    ended = app.clock()

    assert ended.returncode == 1
    assert ended.stderr == (
        "clock: config/clock.yml:2: 'nightly': unknown job class 'GreetJob'; "
        "is its module under the folder given with -r, "
        "or with Django in `jobs` or `tasks` of an application in INSTALLED_APPS?\n"
    )
