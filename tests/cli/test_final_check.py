"""The check at the end of a chaos run: each kind of problem is found, and a run without problems has none."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from clock.cli.commands.trials.final_check import final_check
from clock.cli.commands.trials.scratch import Scratch
from clock.clocks import to_ms
from clock.job.push.client import using_clock
from clock.rehearsal.fake_clock import FakeClock
from clock.store.ledger.history import add_outcome
from clock.store.ledger.ledger import RedisLedger
from clock.ticker import Signature, Ticker
from clock.timetable import Timetable, load

START = datetime(2026, 11, 24, 6, tzinfo=UTC)
FILE = """
from clock import cron
from tests.ticker.jobs import FetchNewsJob
cron("* * * * *").named("feed").do(FetchNewsJob, 1)
"""


@pytest.fixture
def timetable(redis: Redis, tmp_path: Path) -> Timetable:
    """A timetable whose clock has run for three minutes, with the three jobs of it in the queue."""
    path = tmp_path / "clock.py"
    path.write_text(FILE)
    timetable, clock = load(path), FakeClock(START)
    with using_clock(clock):
        ticker = Ticker(timetable, ledger=RedisLedger(redis), clock=clock, signature=Signature("web1", "v1"))
        for _ in range(4):
            ticker.tick()
            clock.advance(timedelta(minutes=1))
    return timetable


def taken(redis: Redis) -> dict[str, Any]:
    """The payload of the next job, which is removed from its queue."""
    raw: Any = redis.rpop("queue:default")
    payload: dict[str, Any] = json.loads(raw)
    return payload


def test_jobs_that_wait_or_are_done_are_no_problem(redis: Redis, timetable: Timetable) -> None:
    jid = taken(redis)["jid"]
    add_outcome(redis, "feed", jid, {"outcome": "done", "at": to_ms(START), "took_ms": 1}, ended=True)

    found = final_check(redis, timetable, set())

    assert (found.runs, found.jobs, found.done, found.problems) == (3, 3, 1, ())


def test_a_job_that_is_nowhere_is_lost(redis: Redis, timetable: Timetable) -> None:
    jid = taken(redis)["jid"]

    assert final_check(redis, timetable, set()).problems == (f"1 job is lost: {jid}",)


def test_a_job_that_only_the_log_shows_as_ended_is_not_lost(
    redis: Redis, timetable: Timetable, tmp_path: Path
) -> None:
    """The server was down when the worker wrote the outcome."""
    jid, log = taken(redis)["jid"], tmp_path / "worker.log"
    log.write_text(f"2026-11-24T06:01:00.000Z INFO  FetchNewsJob {jid} done in 0.001 s\n")

    logged = Scratch("", tmp_path, redis).logged_jobs()

    assert final_check(redis, timetable, logged).problems == ()


def test_a_job_that_fails_is_a_problem_but_not_one_whose_workers_were_killed(
    redis: Redis, timetable: Timetable
) -> None:
    failed, killed = taken(redis), taken(redis)
    for job, error in ((failed, "OSError"), (killed, "WorkerKilled")):
        redis.zadd("retry", {json.dumps({**job, "error_class": error, "error_message": "no"}): 1})

    text = f"FetchNewsJob: 1 job fails: OSError: no (jid {failed['jid']})"
    assert final_check(redis, timetable, set()).problems == (text,)


def test_an_instant_that_was_decided_twice_or_never_is_a_problem(redis: Redis, timetable: Timetable) -> None:
    entries: Any = redis.xrange("clock:history:feed")
    [first, *_, last] = entries
    redis.xadd("clock:history:feed", {"entry": last[1][b"entry"]})
    redis.xdel("clock:history:feed", first[0])

    twice, never = final_check(redis, timetable, set()).problems

    assert "1 due instant (2026-11-24T06:03:00+00:00) was decided twice" in twice
    assert "1 due instant (2026-11-24T06:01:00+00:00) was not decided" in never


def test_jobs_whose_class_no_worker_knows_are_a_problem(redis: Redis, timetable: Timetable) -> None:
    redis.sadd("clock:parked", "FetchNewsJob")
    redis.lpush("clock:parked:FetchNewsJob", json.dumps(taken(redis)))

    assert final_check(redis, timetable, set()).problems == (
        "FetchNewsJob: 1 job parked: no worker knows this class",
    )
