"""`clock worker` without its process. Real workers are in tests/process."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import Result
from redis import Redis

from clock.cli.commands.running import worker
from clock.errors import WorkerStuck
from clock.store import keys
from clock.worker import WorkerOptions

Clock = Callable[..., Result]


def test_a_burst_with_a_clock_is_refused(clock: Clock) -> None:
    refused = clock("worker", "--burst", "--with-clock", "lib/clock.py")

    assert refused.exit_code == 2
    assert "--burst ends the worker, and --with-clock needs a worker that goes on: use one." in refused.output


@pytest.mark.parametrize(("runs_jobs", "left"), [(True, [3]), (False, [])])
def test_a_worker_that_is_cut_off_leaves_the_jobs_that_run_to_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], runs_jobs: bool, left: list[int]
) -> None:
    """With a job that runs, Python would wait for its thread."""
    codes: list[int] = []
    process: Any = SimpleNamespace(runs_jobs=runs_jobs)

    def leave(code: int) -> None:
        codes.append(code)
        raise SystemExit

    monkeypatch.setattr(worker, "leave", leave)

    with pytest.raises((SystemExit, WorkerStuck)), worker._leaving(process):
        raise WorkerStuck("host:1:a")

    assert codes == left
    assert ("host:1:a" in capsys.readouterr().err) is runs_jobs


@pytest.mark.parametrize(
    ("prepare", "is_reported"),
    [
        (lambda redis: None, True),
        (lambda redis: redis.zadd(keys.RETRY, {"job": 101}), True),
        (lambda redis: redis.zadd(keys.RETRY, {"job": 99}), False),
        (lambda redis: redis.zadd(keys.SCHEDULE, {"job": 99}), False),
        (lambda redis: redis.sadd(keys.PARKED, "OldJob"), False),
        (lambda redis: redis.lpush("queue:default", "job"), False),
    ],
)
def test_a_burst_reports_that_no_job_waits_unless_jobs_come_at_its_start(
    redis: Redis, capsys: pytest.CaptureFixture[str], prepare: Callable[[Redis], object], is_reported: bool
) -> None:
    prepare(redis)

    worker._report_empty(redis, WorkerOptions(), now=100)

    assert ("no job waits in the queues default" in capsys.readouterr().err) is is_reported
