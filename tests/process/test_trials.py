"""`clock chaos` and `clock rehearse-stop`, as users start them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(300)]

JOBS = """
import os
import time

from clock import IterableJob, Job


class MakeFolderJob(Job):
    # The planted bug: run again after its worker was killed, it finds its folder and fails.
    def perform(self):
        os.mkdir(os.path.join("out", self.jid))
        time.sleep(2)


class CountOnJob(IterableJob):
    def items(self, *, cursor):
        for number in range(cursor or 0, 600):
            yield number + 1, number

    def each(self, number):
        time.sleep(0.05)


class FailOnStopJob(Job):
    # It notices the stop, as a job whose child process receives SIGTERM does.
    def perform(self):
        while not self.stopping:
            time.sleep(0.05)
        raise RuntimeError("its child received SIGTERM")


class SleepJob(Job):
    def perform(self, seconds):
        time.sleep(seconds)
"""
FILE = """
from clock import every
from planted_jobs.planted import MakeFolderJob
every().day.at("06:00", "UTC").named("planted").do(MakeFolderJob)
every(1).seconds.named("ticks").do(print)  # due also while the final check reads
"""


@pytest.fixture
def application(tmp_path: Path) -> Path:
    for folder in ("lib", "planted_jobs", "out", "config"):
        (tmp_path / folder).mkdir()
    (tmp_path / "lib" / "clock.py").write_text(FILE)
    (tmp_path / "planted_jobs" / "planted.py").write_text(JOBS)
    (tmp_path / "config" / "clock.yml").write_text("require: planted_jobs\n")
    return tmp_path


def run(application: Path, redis_url: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "clock", *words],
        cwd=application,
        env={**os.environ, "REDIS_URL": redis_url},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_chaos_finds_a_job_that_cannot_run_again_and_leaves_the_users_redis_alone(
    application: Path, redis: Redis, redis_url: str
) -> None:
    found = run(application, redis_url, "chaos", "--minutes", "0.3", "--seed", "339")

    assert "Problem: MakeFolderJob: " in found.stdout, found.stdout + found.stderr
    assert "FileExistsError" in found.stdout
    assert "lost" not in found.stdout
    assert "ticks" not in found.stdout
    assert "Repeat with: clock chaos" in found.stdout
    assert found.returncode == 1
    assert "server restarted" in found.stdout
    assert redis.dbsize() == 0


def test_a_stop_rehearsal_shows_that_a_long_job_runs_again_from_its_start(
    application: Path, redis: Redis, redis_url: str
) -> None:
    found = run(application, redis_url, "rehearse-stop", "SleepJob", "8", "--grace", "0.5", "--after", "0.2")

    assert "SIGTERM, as a deploy sends it" in found.stdout, found.stdout + found.stderr
    assert "SIGKILL: the worker did not exit within 0.5 s" in found.stdout
    assert "the job runs again from its start, because the worker was killed" in found.stdout
    assert found.returncode == 1
    assert redis.dbsize() == 0


def test_a_stop_rehearsal_shows_that_an_iterating_job_continues(
    application: Path, redis: Redis, redis_url: str
) -> None:
    found = run(application, redis_url, "rehearse-stop", "CountOnJob", "--grace", "20", "--after", "1")

    assert "the worker exited" in found.stdout, found.stdout + found.stderr
    assert "the job continues after" in found.stdout
    assert found.returncode == 0


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        (["SleepJob", '"x"', "--after", "20"], "the job failed before the stop: TypeError: "),
        (["FailOnStopJob", "--after", "0.2"], "the job failed during the grace period: RuntimeError: "),
    ],
)
def test_a_stop_rehearsal_names_the_error_of_a_job_that_fails(
    application: Path, redis: Redis, redis_url: str, words: list[str], verdict: str
) -> None:
    found = run(application, redis_url, "rehearse-stop", *words)

    assert verdict in found.stdout, found.stdout + found.stderr
    assert found.returncode == 1
