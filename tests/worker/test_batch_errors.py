"""Batches with data that no clock wrote: jobs move all the same, and the log names a key of a wrong type."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from clock import Batch, Job
from clock.clocks import SystemClock, from_ms
from clock.inspection.jobs.job_sets import QueueJobs, WaitingSet
from clock.inspection.jobs.jobs import FoundJob
from clock.job.push.client import using_clock
from clock.problems import Problems
from clock.store import keys, repairs
from clock.store.jobs.delayed import Delayed
from clock.store.jobs.flow import batches
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.moves import Claimed, Move
from clock.testing import FakeClock
from clock.worker.maintenance.duties import LostChildren
from clock.worker.maintenance.recovery import recover
from tests.job import redis_rows
from tests.worker.conftest import Bench

Build = Callable[..., Bench]


class RowJob(Job):
    def perform(self, row: int) -> None:
        """Do nothing."""


@pytest.fixture
def child(redis: Redis, fake_clock: FakeClock) -> bytes:
    """The payload of a job of a batch. No key has it yet, and the batch's data are a string of another program."""
    with using_clock(fake_clock), Batch(on_complete=RowJob, args=[1]):
        RowJob.perform_async(1)
    payload: Any = redis.lpop("queue:default")
    redis.set(keys.BATCHES, "of another program")
    return bytes(payload)


def kill(redis: Redis, child: bytes) -> None:
    redis.zadd("retry", {child: 1})
    assert repairs.bury(redis, "retry", [child], 2.0) == 1
    assert redis.zcard("dead") == 1


def revive(redis: Redis, child: bytes) -> None:
    redis.zadd("dead", {child: 1})
    assert Delayed(redis).release("dead", [(child, "default", child)]) == 1
    assert redis.llen("queue:default") == 1


def delete_delayed(redis: Redis, child: bytes) -> None:
    redis.zadd("schedule", {child: 1})
    assert repairs.remove_waiting(redis, "schedule", [child]) == 1
    assert redis.zcard("schedule") == 0


def clear_delayed(redis: Redis, child: bytes) -> None:
    redis.zadd("retry", {child: 1})
    assert WaitingSet(redis, "retry").clear() == 1


def delete_queued(redis: Redis, child: bytes) -> None:
    redis.lpush("queue:default", b"other", child)
    assert QueueJobs(redis, "default").delete([FoundJob(child)]) == 1
    assert redis.lrange("queue:default", 0, -1) == [b"other"]


def clear_queue(redis: Redis, child: bytes) -> None:
    redis.lpush("queue:default", child)
    assert repairs.clear_queue(redis, "default") == 1


def die_thrice(redis: Redis, child: bytes) -> None:
    doomed = json.dumps({**json.loads(child), "worker_killed": 2})
    redis.hset("clock:in_progress:gone:1:a", "1", f"default\n{doomed}")
    redis.hset("clock:running:gone:1:a", "1", 1)
    redis.zadd(keys.WORKERS, {"gone:1:a": 1})
    assert recover(redis, clock=SystemClock()) == 1
    assert redis.zcard("dead") == 1


@pytest.mark.parametrize(
    "move", [kill, revive, delete_delayed, clear_delayed, delete_queued, clear_queue, die_thrice]
)
def test_a_job_moves_and_its_batchs_wrong_key_is_named(
    move: Callable[[Redis, bytes], None], redis: Redis, child: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    move(redis, child)

    [line] = [record for record in caplog.records if record.name == "clock.problems"]
    assert "was not noted in its batch" in line.getMessage()
    assert f"the key {keys.BATCHES} holds a string and should hold a hash" in line.getMessage()
    bid, jid = (json.loads(child)[name] for name in ("bid", "jid"))
    assert redis.zrange(keys.BATCH_CHILDREN, 0, -1) == [f"{bid}/p/{jid}".encode()]  # so the check will find it


def test_the_error_is_listed_among_the_problems_of_the_process(
    redis: Redis, child: bytes, fake_clock: FakeClock
) -> None:
    of_delayed, of_worker = Problems(clock=fake_clock), Problems(clock=fake_clock)
    redis.zadd("dead", {child: 1})
    redis.hset(f"{keys.IN_PROGRESS}me", "1", b"default\n" + child)

    Delayed(redis, of_delayed).release("dead", [(child, "default", child)])
    InProgress(redis, "me", problems=of_worker).put_back([Move(Claimed(1, "default", child), "dead", 1.0, child)])

    for problems in (of_delayed, of_worker):
        assert [keys.BATCHES in problem.text for problem, _ in problems.lasting] == [True]
        assert problems.blocking == []


def test_members_that_no_clock_wrote_do_not_hide_a_lost_job(
    redis: Redis, child: bytes, fake_clock: FakeClock
) -> None:
    redis.delete(keys.BATCHES)
    for odd in (
        b"",
        b"x",
        b"/",
        b"\xff",
        b"!\xff/p/1",
        b"a//",
        b"a/p",
        b"a/p/",
        b"a/x/1",
        b"~/p/\xff",
        b"\xc3\xa9/q/1",
    ):
        redis.zadd(keys.BATCH_CHILDREN, {odd: 0})
    bid, jid = (json.loads(child)[name] for name in ("bid", "jid"))

    assert [row[1:] for row in batches.pending(redis)] == [(bid, jid)]

    looks = LostChildren(redis, "me", clock=fake_clock)
    assert [looks.check(from_ms(0)) for _ in range(2)] == [0, 1]


@pytest.mark.parametrize("time", ["1e300", "-1", "1e400", "1e16"])
def test_a_batch_with_an_impossible_time_hides_no_other(redis: Redis, child: bytes, time: str) -> None:
    redis.delete(keys.BATCHES)
    redis.hset(keys.BATCHES, "odd", f'{{"created": {time}, "callbacks": {{}}, "fired": {{}}}}')
    redis.hset(keys.BATCHES, "fired", f'{{"created": 1, "callbacks": {{}}, "fired": {{"complete": {time}}}}}')
    redis.hset(keys.BATCHES, "other", '{"created": 1, "callbacks": {}, "fired": {}}')

    assert list(batches.read_all(redis)) == ["other"]


@pytest.mark.parametrize("following", [{"at": "nan"}, {"at": "-inf"}, {"wait": "nan"}, {"wait": 1e300}])
def test_a_job_that_follows_at_an_impossible_time_is_due_now(
    bench: Build, redis: Redis, fake_clock: FakeClock, following: dict[str, object]
) -> None:
    job = {"class": "RowJob", "args": [1], "jid": "1", "queue": "default"}
    redis.lpush("queue:default", json.dumps({**job, "then": {**following, "payload": json.dumps(job)}}))
    worker = bench()

    worker.run_all()

    assert worker.in_progress.all() == []
    [(_, at)] = redis_rows.delayed(redis)
    assert at == fake_clock.now().timestamp()


def test_acknowledgements_that_a_batch_refuses_are_logged_once_a_minute(
    bench: Build, redis: Redis, child: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    redis.lpush("queue:default", child, child, child)
    worker = bench()

    worker.run_all()

    lines = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(lines) == 1
    assert keys.BATCHES in lines[0]
    assert len(worker.in_progress.all()) == 3
