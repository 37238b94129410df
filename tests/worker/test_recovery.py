import json
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from clock import Job
from clock.clocks import to_ms
from clock.errors import StoreUnavailable
from clock.job import registry
from clock.problems import Problems
from clock.store import keys
from clock.store.jobs.delayed import Delayed, Nearer
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.moves import Move
from clock.store.jobs.worker_register import End, WorkerRegister
from clock.testing import FakeClock
from clock.worker.maintenance.recovery import recover, unpark
from clock.worker.maintenance.scheduled import ScheduledJobs
from tests.worker import jobs
from tests.worker.conftest import NOW, Bench
from tests.worker.jobs import NoteThingJob

Build = Callable[..., Bench]


def die(worker: Bench, identity: str, clock: FakeClock) -> None:
    """The worker was heard of for the last time a minute ago."""
    worker.redis.zadd(keys.WORKERS, {identity: to_ms(clock.now()) - 60_000})


def test_a_dead_workers_jobs_go_back_to_the_front_of_their_queues_in_order(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    NoteThingJob.perform_bulk([[1], [2], [3]])
    dead = bench("dead:1:a")
    dead.take()
    dead.take()
    die(dead, "dead:1:a", fake_clock)

    recover(redis, clock=fake_clock)
    bench().run_all()

    assert [thing for _, thing in jobs.ran] == [1, 2, 3]
    assert redis.keys("clock:in_progress:*") == []
    assert redis.zscore(keys.WORKERS, "dead:1:a") is None


class SlowClock(FakeClock):
    """Each look at the time takes a second."""

    def monotonic(self) -> float:
        self.advance(timedelta(seconds=1))
        return super().monotonic()


def test_the_jobs_of_many_dead_workers_are_put_back_for_two_seconds_at_a_time(bench: Build, redis: Redis) -> None:
    slow = SlowClock(NOW)
    NoteThingJob.perform_bulk([[1], [2], [3]])
    for number in range(3):
        worker = bench(f"dead:{number}:a")
        worker.take()
        die(worker, f"dead:{number}:a", slow)

    counts = [recover(redis, clock=slow, problems=Problems(clock=FakeClock(NOW))) for _ in range(6)]

    assert counts == [1, 0, 1, 0, 1, 0]  # a step of one worker, and the end of its jobs
    assert redis.zcard(keys.WORKERS) == 0


def test_a_dead_worker_whose_jobs_cannot_be_read_holds_up_no_other(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    NoteThingJob.perform_async(1)
    worker = bench("dead:2:a")
    worker.take()
    for identity in ("dead:1:a", "dead:2:a"):
        die(worker, identity, fake_clock)
    redis.set("clock:in_progress:dead:1:a", "a string")

    assert recover(redis, clock=fake_clock) == 1


@pytest.mark.parametrize("step", ["left", "marked"])
def test_dead_workers_are_looked_after_again_when_redis_is_back(
    bench: Build, redis: Redis, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(_: object) -> None:
        raise StoreUnavailable("away")

    NoteThingJob.perform_async(1)
    bench("dead:1:a").take()
    die(bench("dead:1:a"), "dead:1:a", fake_clock)

    with monkeypatch.context() as patch:
        patch.setattr(InProgress, step, fail)
        with pytest.raises(StoreUnavailable):
            recover(redis, clock=fake_clock)

    assert recover(redis, clock=fake_clock) == 1


def test_an_unreadable_job_of_a_dead_worker_goes_back_with_those_before_it(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    NoteThingJob.perform_async(1)
    redis.lpush("queue:default", "not json")
    worker = bench("dead:1:a", concurrency=2)
    worker.fetcher.claim(2)
    die(worker, "dead:1:a", fake_clock)

    assert recover(redis, clock=fake_clock) == 2
    assert redis.llen("queue:default") == 2


def test_parked_jobs_are_not_sought_without_redis() -> None:
    with closing(Redis(port=1, retry=Retry(NoBackoff(), 0))) as none, pytest.raises(StoreUnavailable):
        unpark(Delayed(none))


def test_parked_jobs_that_cannot_be_read_do_not_end_the_worker(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    redis.set(keys.PARKED, "a string")

    assert unpark(Delayed(redis)) == 0
    assert "Could not read parked jobs" in caplog.text


@pytest.mark.parametrize("held", [0, 1])
def test_a_dead_worker_is_logged_with_the_number_of_its_jobs(
    bench: Build, redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture, held: int
) -> None:
    NoteThingJob.perform_bulk([[1]] * held)
    worker = bench("dead:1:a")
    worker.fetcher.claim(1)
    die(worker, "dead:1:a", fake_clock)

    recover(redis, clock=fake_clock)

    [line] = [record.getMessage() for record in caplog.records]
    assert line == f"Worker dead:1:a is dead: its heartbeat expired; put back {held} of its jobs"


def test_a_living_workers_jobs_are_left_alone(bench: Build, redis: Redis, fake_clock: FakeClock) -> None:
    NoteThingJob.perform_async(1)
    alive = bench("alive:1:a")
    alive.take()
    redis.zadd(keys.WORKERS, {"alive:1:a": to_ms(fake_clock.now()) + 20_000})

    assert recover(redis, clock=fake_clock) == 0
    assert len(alive.in_progress.all()) == 1


def test_a_worker_that_was_stopped_since_its_heartbeat_does_not_take_itself_for_dead(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    NoteThingJob.perform_async(1)
    stopped = bench("stopped:1:a")
    stopped.take()
    die(stopped, "stopped:1:a", fake_clock)

    assert recover(redis, clock=fake_clock, own="stopped:1:a") == 0
    assert len(stopped.in_progress.all()) == 1


def test_a_job_taken_from_a_worker_that_was_thought_dead_is_not_retried_twice(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    redis.lpush("queue:default", '{"class":"BreakThingJob","args":[],"jid":"x","retry":true}')
    thought_dead = bench("dead:1:a")
    claimed = thought_dead.take()
    die(thought_dead, "dead:1:a", fake_clock)
    recover(redis, clock=fake_clock)

    thought_dead.processor.process(claimed)

    assert redis.llen("queue:default") == 1
    assert redis.zcard("retry") == 0


def test_a_job_with_which_three_workers_died_goes_to_dead_and_its_neighbours_do_not(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    NoteThingJob.perform_bulk([["poison"], ["innocent"]])
    deaths = 0
    while redis.zcard("dead") == 0:
        worker = bench(f"dead:{deaths}:a")
        first, _ = worker.take(), worker.take()
        if b"worker_killed" in first.payload:
            worker.in_progress.mark(first)  # what the processor does before it runs such a job
        die(worker, f"dead:{deaths}:a", fake_clock)
        deaths += 1
        recover(redis, clock=fake_clock)

    rows: Any = redis.zrange("dead", 0, -1)
    [payload] = [json.loads(row) for row in rows]
    assert deaths == 3
    assert (payload["args"], payload["error_class"]) == (["poison"], "WorkerKilled")
    assert [json.loads(row)["args"] for row in list[Any](redis.lrange("queue:default", 0, -1))] == [["innocent"]]


def test_parked_jobs_are_released_when_their_class_is_known(bench: Build, redis: Redis) -> None:
    redis.lpush("queue:default", '{"class":"SendLaterJob","args":["x"],"jid":"1","queue":"low"}')
    worker = bench()
    worker.run_all()
    assert unpark(Delayed(redis)) == 0

    class SendLaterJob(Job):
        def perform(self, thing: str) -> None:
            jobs.ran.append((self.jid, thing))

    try:
        assert unpark(Delayed(redis)) == 1
        worker.run_all()
    finally:
        registry.forget(SendLaterJob)

    assert jobs.ran == [("1", "x")]
    assert not redis.exists("clock:parked", "clock:parked:SendLaterJob")


def test_delayed_jobs_move_to_their_queues_when_they_are_due(redis: Redis, fake_clock: FakeClock) -> None:
    due, later = NOW.timestamp() + 5, NOW.timestamp() + 6
    redis.zadd("schedule", {'{"class":"NoteThingJob","args":[1],"jid":"1","queue":"low"}': due})
    redis.zadd("retry", {'{"class":"NoteThingJob","args":[18446744073709551617],"jid":"2"}': later})
    poller = ScheduledJobs(Delayed(redis), Nearer(redis), clock=fake_clock)

    assert (poller.poll(), poller.seconds_to_sleep()) == (0, 0.5)
    fake_clock.advance(timedelta(seconds=4.9))
    assert round(poller.seconds_to_sleep(), 3) == 0.1
    fake_clock.advance(timedelta(seconds=0.1))
    assert poller.poll() == 1
    fake_clock.advance(timedelta(seconds=1))
    assert poller.poll() == 1

    row: Any = redis.lindex("queue:default", 0)
    assert json.loads(row)["args"] == [18446744073709551617]
    assert json.loads(row)["enqueued_at"] == later
    assert redis.llen("queue:low") == 1


def test_what_is_no_payload_in_the_schedule_reaches_a_worker_and_is_buried(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    redis.zadd("schedule", {b"\xff not json": 1, b"[1]": 2})

    ScheduledJobs(Delayed(redis), Nearer(redis), clock=fake_clock).poll()
    bench().run_all()

    assert redis.zcard("dead") == 2


def test_of_dead_jobs_ten_thousand_are_kept_those_with_which_workers_died_among_them(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    redis.zadd("dead", {f"n{number}": NOW.timestamp() - 60 + number / 1e6 for number in range(10_000)})
    redis.lpush("queue:default", '{"class":"NoteThingJob","args":[],"jid":"1","worker_killed":2}')
    worker = bench("dead:1:a")
    worker.in_progress.mark(worker.take())
    die(worker, "dead:1:a", fake_clock)

    recover(redis, clock=fake_clock)

    assert redis.zcard("dead") == 10_000
    assert redis.zscore("dead", "n0") is None


def test_a_job_that_is_tried_again_from_the_dead_has_its_deaths_before_it_anew(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    redis.lpush("queue:default", '{"class":"NoteThingJob","args":[],"jid":"1","worker_killed":2}')
    worker = bench("dead:1:a")
    worker.in_progress.mark(worker.take())
    die(worker, "dead:1:a", fake_clock)
    recover(redis, clock=fake_clock)

    dead: Any = redis.zpopmin("dead")
    redis.lpush("queue:default", dead[0][0])
    worker = bench("dead:2:a")
    worker.in_progress.mark(worker.take())
    die(worker, "dead:2:a", fake_clock)
    recover(redis, clock=fake_clock)

    assert b"3 workers that ran this job stopped sending heartbeats" in dead[0][0]
    assert redis.zcard("dead") == 0
    assert redis.llen("queue:default") == 1


def test_the_job_of_a_worker_that_died_before_it_was_ever_heard_of_is_put_back(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    NoteThingJob.perform_async(1)
    bench("young:1:a").take()

    assert recover(redis, clock=fake_clock) == 0
    fake_clock.advance(timedelta(seconds=60))
    assert recover(redis, clock=fake_clock) == 1

    assert redis.llen("queue:default") == 1
    assert redis.zcard(keys.WORKERS) == 0


def test_a_job_that_kills_its_worker_each_time_is_dead_after_three_however_many_others_die(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    NoteThingJob.perform_async("poison")
    for number in range(3):
        assert redis.zcard("dead") == 0
        worker = bench(f"dead:{number}:a")
        worker.in_progress.mark(worker.take())
        die(worker, f"dead:{number}:a", fake_clock)
        redis.zadd(keys.WORKERS, {f"other:{number}{other}:a": 1 for other in range(9)})
        recover(redis, clock=fake_clock)

    assert redis.zcard("dead") == 1


def test_jobs_of_a_worker_that_comes_back_while_it_is_looked_at_are_left_to_it(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    NoteThingJob.perform_async(1)
    thought_dead = bench("dead:1:a")
    job = thought_dead.take()
    die(thought_dead, "dead:1:a", fake_clock)
    looked = fake_clock.now()
    NoteThingJob.perform_async(2)
    thought_dead.fetcher.claim(1)

    move = Move(job, "queue", job.queue, job.payload)
    assert thought_dead.in_progress.put_back([move], if_dead_at=looked) == 0

    assert len(thought_dead.in_progress.all()) == 2
    assert recover(redis, clock=fake_clock) == 0


def test_dead_workers_are_looked_after_though_the_queue_of_one_is_no_list(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    redis.lpush("queue:low", '{"class":"NoteThingJob","args":[],"jid":"1"}')
    for identity in ("dead:1:a", "dead:2:b"):
        worker = bench(identity)
        worker.take()
        die(worker, identity, fake_clock)
        NoteThingJob.perform_async(1)
    redis.set("queue:low", "a string")

    assert recover(redis, clock=fake_clock) == 1
    assert redis.llen("queue:default") == 2
    assert redis.hlen("clock:in_progress:dead:1:a") == 1


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ([End.SILENT] * 3, "3 workers that ran this job stopped sending heartbeats"),
        ([End.ENDED] * 3, "3 workers that ran this job were killed or exited"),
        (
            [End.FROZEN, End.SILENT, End.FROZEN],
            "were killed because they were frozen or stopped sending heartbeats",
        ),
    ],
)
def test_the_reason_says_how_the_workers_ended(
    bench: Build, redis: Redis, fake_clock: FakeClock, ends: list[End], told: str
) -> None:
    NoteThingJob.perform_async("poison")
    for number, end in enumerate(ends):
        identity = f"dead:{number}:a"
        worker = bench(identity)
        job = worker.take()
        worker.in_progress.mark(job)
        die(worker, identity, fake_clock)
        if end is not End.SILENT:
            WorkerRegister(redis).note_end(identity, end)
        recover(redis, clock=fake_clock)

    [row] = list[Any](redis.zrange("dead", 0, -1))
    payload = json.loads(row)
    assert told in payload["error_message"]
    assert not {"worker_killed", "worker_ends"} & payload.keys()


def test_the_jobs_of_a_worker_whose_end_is_reported_are_put_back_at_once(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    NoteThingJob.perform_async(1)
    bench("killed:1:a").take()
    processes = WorkerRegister(redis)
    processes.extend("killed:1:a", 20, frozen=0)
    assert recover(redis, clock=fake_clock) == 0

    processes.note_end("killed:1:a", End.ENDED)
    assert recover(redis, clock=fake_clock) == 1


def test_a_worker_that_has_left_is_not_registered_again_by_its_heartbeat_process(redis: Redis) -> None:
    processes = WorkerRegister(redis)

    processes.extend("left:1:a", 20, frozen=0)
    processes.note_end("left:1:a", End.ENDED)

    assert redis.zcard(keys.WORKERS) == 0
