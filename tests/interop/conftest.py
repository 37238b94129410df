import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests.patience import PATIENCE_SECONDS
from tests.process.conftest import App, Running
from tests.process.fork_server import ForkServer

RUBY = shutil.which("ruby") or "ruby"
HERE = Path(__file__).parent
NEEDED = "require 'sidekiq/api'; require 'sidekiq/web'; require 'rack/mock'"

JOBS = """
from clock import Job
from clock.store.server.connection import default


class NoteMatterJob(Job):
    def perform(self, *things):
        default().rpush("ran", self.jid)


class BreakThingJob(Job):
    backtrace = True

    def perform(self, *things):
        if not default().exists("mended"):
            raise ValueError("broken in python: ß")
        default().rpush("ran", self.jid)


class HoldThingJob(Job):
    def perform(self):
        default().rpush("ran", self.jid)
        default().blpop("let go")
"""


@pytest.fixture(scope="session")
def _sidekiq() -> None:
    """The real Sidekiq of Ruby; without it these tests are skipped."""
    if shutil.which(RUBY) is None or shutil.which("sidekiq") is None:
        pytest.skip("ruby and sidekiq are not installed (Debian: apt-get install ruby-sidekiq)")
    found = subprocess.run([RUBY, "-e", NEEDED], capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip(f"this Ruby lacks what is needed: {found.stderr.strip().splitlines()[:1]}")


@pytest.fixture
def app(
    _sidekiq: None, tmp_path: Path, redis_url: str, redis: Redis, fork_server: ForkServer | None
) -> Iterator[App]:
    """An application whose jobs tell what they do, on the Redis of the test session, heard of often."""
    found = App(tmp_path, {**os.environ, "REDIS_URL": redis_url, "CLOCK_HEARTBEAT": "0.2"}, fork_server)
    found.write("shop/jobs.py", JOBS)
    yield found
    found.kill_all()


Ruby = Callable[[str], Any]


@pytest.fixture
def ruby(app: App) -> Ruby:
    """Runs some Ruby after Sidekiq and its web page are loaded; the value of its last line, by way of JSON."""

    def run(script: str) -> Any:
        ending = f"result = begin\n{script}\nend\nputs JSON.generate({{ result: result }})"
        done = subprocess.run(
            [RUBY, "-W0", "-r", str(HERE / "sidekiq_web.rb"), "-r", "sidekiq/api", "-e", ending],
            env=app.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])["result"]

    return run


@pytest.fixture
def sidekiq(app: App) -> Callable[[], Running]:
    """Starts a real Sidekiq with the Ruby side's jobs."""

    def start() -> Running:
        words = ["sidekiq", "-r", str(HERE / "sidekiq_jobs.rb"), "-c", "2", "-e", "production"]
        return app.start_program(*words)

    return start
