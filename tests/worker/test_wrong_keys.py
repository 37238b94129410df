"""Keys of a wrong type, where some other program has written: no job is lost, and other queues go on."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from clock.errors import StoreError
from clock.store.jobs.delayed import LOOK_SECONDS, Delayed, Nearer
from clock.store.jobs.moves import Move
from clock.store.jobs.steps import STEP_JOBS
from clock.testing import FakeClock
from clock.worker.maintenance.scheduled import ScheduledJobs
from tests.worker import jobs
from tests.worker.conftest import NOW, Bench
from tests.worker.jobs import BreakThingJob, NoteThingJob

Build = Callable[..., Bench]


def in_progress(redis: Redis) -> list[bytes]:
    found: Any = redis.hvals("clock:in_progress:host:1:abc")
    return list(found)


def test_a_queue_that_is_no_list_keeps_no_other_from_being_worked_on(bench: Build, redis: Redis) -> None:
    redis.set("queue:default", "a string")
    NoteThingJob.set(queue="low").perform_async("low")
    worker = bench()

    worker.processor.process(worker.take())

    assert [thing for _, thing in jobs.ran] == ["low"]


def test_a_job_that_cannot_be_put_back_stays_in_progress(bench: Build, redis: Redis) -> None:
    NoteThingJob.perform_async(1)
    worker = bench()
    job = worker.take()
    redis.set("queue:wrong", "a string")

    with pytest.raises(StoreError, match="WRONGTYPE"):
        worker.in_progress.put_back([Move(job, "queue", "wrong", job.payload)])

    assert in_progress(redis) == [job.entry]


def test_a_failed_job_that_cannot_go_to_retry_stays_in_progress(bench: Build, redis: Redis) -> None:
    BreakThingJob.perform_async()
    redis.set("retry", "a string")
    worker = bench()
    job = worker.take()
    worker.fetcher.stop()

    worker.processor.process(job)

    assert in_progress(redis) == [job.entry]


def test_a_delayed_job_whose_queue_is_no_list_waits_and_the_others_do_not(
    redis: Redis, fake_clock: FakeClock
) -> None:
    wrong, right = (
        f'{{"class":"NoteThingJob","args":[],"jid":"1","queue":"{name}"}}' for name in ("wrong", "right")
    )
    redis.zadd("schedule", {wrong: NOW.timestamp() - 2, right: NOW.timestamp() - 1})
    redis.set("queue:wrong", "a string")

    assert ScheduledJobs(Delayed(redis), Nearer(redis), clock=fake_clock).poll() == 1

    assert redis.zrange("schedule", 0, -1) == [wrong.encode()]
    assert redis.llen("queue:right") == 1


def test_a_parked_job_whose_queue_is_no_list_stays_parked(redis: Redis) -> None:
    redis.sadd("clock:parked", "SendLaterJob")
    redis.lpush("clock:parked:SendLaterJob", "payload")
    redis.set("queue:wrong", "a string")

    with pytest.raises(StoreError, match="WRONGTYPE"):
        Delayed(redis).unpark("SendLaterJob", [(b"payload", "wrong")])

    assert redis.lrange("clock:parked:SendLaterJob", 0, -1) == [b"payload"]


def test_jobs_that_cannot_be_given_back_are_kept_for_this_workers_threads(bench: Build, redis: Redis) -> None:
    NoteThingJob.perform_bulk([[1], [2]])
    worker = bench()
    worker.fetcher.claim(2)
    redis.set("queue:default", "a string")

    with pytest.raises(StoreError, match="WRONGTYPE"):
        worker.fetcher.give_back_ready()

    assert len(worker.fetcher.handoff) == 2
    assert len(in_progress(redis)) == 2


def test_a_delayed_job_that_cannot_be_moved_does_not_keep_the_poller_busy(
    redis: Redis, fake_clock: FakeClock
) -> None:
    redis.zadd("schedule", {'{"class":"NoteThingJob","args":[],"jid":"1","queue":"wrong"}': 1})
    redis.set("queue:wrong", "a string")
    stop, slept = threading.Event(), []

    class Slept:
        def wait(self, seconds: float) -> None:
            slept.append(seconds)
            stop.set()

    nearer: Any = Slept()
    ScheduledJobs(Delayed(redis), nearer, clock=fake_clock).run(stop)

    assert slept == [LOOK_SECONDS]


def test_many_delayed_jobs_that_cannot_be_moved_do_not_hold_the_poller(
    redis: Redis, fake_clock: FakeClock
) -> None:
    redis.zadd("schedule", {f'{{"jid":"{number}","queue":"wrong"}}': 1 for number in range(STEP_JOBS)})
    redis.set("queue:wrong", "a string")

    assert ScheduledJobs(Delayed(redis), Nearer(redis), clock=fake_clock).poll() == 0
