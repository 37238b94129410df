"""When workers look for jobs of batches that another program has removed, and at how many."""

from datetime import timedelta

import pytest
from redis import Redis

from clock import Batch, Job
from clock.testing import FakeClock
from clock.worker.maintenance import duties
from clock.worker.maintenance.duties import LostChildren


class CountSheepJob(Job):
    def perform(self, number: int) -> None: ...


def lost(count: int) -> None:
    """A batch with so many jobs, in a queue that somebody deletes."""
    with Batch(on_complete=CountSheepJob, args=[0]):
        for number in range(count):
            CountSheepJob.perform_async(number)


def test_a_worker_looks_once_a_minute_and_counts_a_job_as_lost_at_the_second_look(
    redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    lost(1)
    redis.delete("queue:default")
    fake_clock.advance(timedelta(seconds=100))
    looks = LostChildren(redis, "me", clock=fake_clock)
    warned = []

    for seconds in (0, 59, 1, 59, 1):
        fake_clock.advance(timedelta(seconds=seconds))
        looks.look()
        warned.append(len(caplog.messages))

    assert warned == [0, 0, 0, 0, 1]


def test_another_worker_does_not_look_while_one_does(redis: Redis, fake_clock: FakeClock) -> None:
    lost(1)
    redis.delete("queue:default")
    one, other = (LostChildren(redis, name, clock=fake_clock) for name in ("one", "other"))

    for _ in range(4):
        fake_clock.advance(timedelta(seconds=61))
        one.look()
        other.look()

    [claim] = [key for key in redis.keys("*") if redis.type(key) == b"string" and redis.get(key) == b"one"]
    assert 100 < redis.ttl(claim) <= 150


def test_a_job_that_is_found_at_the_second_look_is_not_lost(redis: Redis, fake_clock: FakeClock) -> None:
    lost(1)
    looks = LostChildren(redis, "me", clock=fake_clock)
    redis.rename("queue:default", "elsewhere")
    assert looks.check(fake_clock.now()) == 0
    redis.rename("elsewhere", "queue:default")
    assert looks.check(fake_clock.now()) == 0
    redis.delete("queue:default")

    assert looks.check(fake_clock.now()) == 0
    assert looks.check(fake_clock.now()) == 1
    assert looks.check(fake_clock.now()) == 0


def test_a_worker_looks_at_a_part_of_the_jobs_and_next_at_the_rest(
    redis: Redis, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(duties, "MOST_CHILDREN", 2)
    lost(5)
    redis.delete("queue:default")
    looks = LostChildren(redis, "me", clock=fake_clock)

    counts = [looks.check(fake_clock.now()) for _ in range(6)]

    assert counts == [0, 0, 0, 2, 2, 1]
    assert caplog.messages[0].startswith("Ended 2 jobs of batches that another program removed: ")
    assert caplog.messages[0].count(" of ") == 3


def test_the_log_names_ten_lost_jobs(
    redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    lost(12)
    redis.delete("queue:default")
    looks = LostChildren(redis, "me", clock=fake_clock)

    looks.check(fake_clock.now())
    looks.check(fake_clock.now())

    assert caplog.messages[0].startswith("Ended 12 jobs")
    assert caplog.messages[0].count(", ") == 9
