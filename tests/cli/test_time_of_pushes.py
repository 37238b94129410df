"""Clocks and workers stamp the jobs that they push with Redis's time: their machine's clock may be off."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from redis import Redis

from clock.cli.commands.running import run, worker
from clock.clocks import Clock, SystemClock
from clock.config import Config
from clock.job.push import client
from clock.store.server.connection import server_time

Command = Callable[..., Result]


class Noted:
    """A clock or a worker that ends at once, and notes which clock the pushes of its process have."""

    is_renewed = runs_jobs = False

    def __init__(self, *_: object, clock: Clock, **__: object) -> None:
        self.clock = clock

    def run(self) -> None:
        noted.append((client.clock(), self.clock))

    def stop(self, *_: object) -> None: ...

    quiet = dump_threads = log_timetable = stop_now = assign = stop


noted: list[tuple[Clock, Clock]] = []


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    noted.clear()
    monkeypatch.setattr(sys, "argv", ["clock"])


def test_pushes_of_a_worker_have_the_clock_that_follows_redis(
    redis: Redis, redis_url: str, application: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "Worker", Noted)
    before, link = client.clock(), Noted(clock=SystemClock())

    worker._work(Config(redis=redis_url, require=()), None, False, link)  # type: ignore[arg-type]  # in place of a link

    [(of_pushes, of_worker)] = noted
    assert of_pushes is of_worker
    assert abs((of_worker.now() - server_time(redis)).total_seconds()) < 60
    assert client.clock() is before


def test_pushes_of_a_clock_have_the_clock_that_follows_redis(
    clock: Command, application: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: Any = Noted(clock=SystemClock())
    monkeypatch.setattr(run, "clock_process", lambda *_, **__: made)
    (application / "clock.py").write_text("from clock import every\nevery().day.do(print)\n")
    before = client.clock()

    clock("run", "clock.py")

    assert noted == [(made.clock, made.clock)]
    assert client.clock() is before
