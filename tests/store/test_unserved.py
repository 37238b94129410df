import json
from datetime import UTC, datetime, timedelta

from redis import Redis

from clock.store.jobs.unserved_queues import GRACE_SECONDS, UnservedQueues, unserved
from clock.testing import FakeClock

SIX = datetime(2026, 11, 24, 6, tzinfo=UTC)
NOW = SIX.timestamp()


def waits(redis: Redis, queue: str, enqueued_at: float) -> None:
    redis.sadd("queues", queue)
    redis.lpush(f"queue:{queue}", json.dumps({"class": "AJob", "args": [], "enqueued_at": enqueued_at}))


def serves(redis: Redis, identity: str, queues: list[str], *, quiet: bool = False) -> None:
    redis.sadd("processes", identity)
    redis.hset(identity, mapping={"info": json.dumps({"queues": queues}), "quiet": str(quiet).lower()})


def test_a_queue_that_a_worker_takes_from_is_served(redis: Redis) -> None:
    waits(redis, "mail", NOW)
    serves(redis, "ruby:1:a", ["default", "mail"])  # Sidekiq's own count as well

    assert unserved(redis) == {}


def test_a_queue_that_nobody_takes_from_is_named_with_its_jobs(redis: Redis) -> None:
    waits(redis, "mail", NOW)
    waits(redis, "mail", NOW + 1)
    serves(redis, "here:1:a", ["default"])

    assert unserved(redis) == {"mail": (2, NOW + 1)}


def test_a_quiet_worker_and_one_without_a_heartbeat_take_nothing(redis: Redis) -> None:
    waits(redis, "mail", NOW)
    serves(redis, "here:1:a", ["mail"], quiet=True)
    redis.sadd("processes", "gone:1:a")

    assert list(unserved(redis)) == ["mail"]


def test_only_jobs_that_came_later_make_a_process_unready(redis: Redis) -> None:
    waits(redis, "new", (NOW + 1) * 1000)  # as Sidekiq 8 writes it
    waits(redis, "old", NOW - 86_400)

    found = {problem.cause: problem.blocks for problem in UnservedQueues(redis, clock=FakeClock(SIX)).problems()}

    assert found == {"no_worker:new": True, "no_worker:old": False}


def test_a_queue_whose_worker_restarts_is_reported_only_after_the_grace_time(redis: Redis) -> None:
    clock = FakeClock(SIX)
    queues = UnservedQueues(redis, clock=clock)
    serves(redis, "here:1:a", ["mail"])
    assert queues.problems() == []
    redis.srem("processes", "here:1:a")
    waits(redis, "mail", NOW)

    assert queues.problems() == []
    clock.advance(timedelta(seconds=GRACE_SECONDS + 1))
    (problem,) = queues.problems()
    assert problem.text == (
        "Jobs wait in the queue 'mail' (1), and no worker processes it. Start one (clock worker -q mail)."
    )


def test_a_process_that_starts_while_a_worker_drains_waits_for_the_grace_time(redis: Redis) -> None:
    clock = FakeClock(SIX)
    queues = UnservedQueues(redis, clock=clock)
    waits(redis, "mail", NOW)
    serves(redis, "here:1:a", ["mail"], quiet=True)

    assert queues.problems() == []
    clock.advance(timedelta(seconds=GRACE_SECONDS + 1))
    assert [problem.cause for problem in queues.problems()] == ["no_worker:mail"]


def test_a_queue_that_no_worker_was_seen_on_is_reported_at_once(redis: Redis) -> None:
    waits(redis, "mail", NOW)
    serves(redis, "here:1:a", ["default"])

    assert len(UnservedQueues(redis, clock=FakeClock(SIX)).problems()) == 1


def test_invalid_values_and_heartbeats_are_passed_over(redis: Redis) -> None:
    waits(redis, "mail", NOW)
    redis.sadd("queues", "text")
    redis.set("queue:text", "no list")
    redis.sadd("processes", "odd:1:a", "odd:1:b", "odd:1:c")
    redis.set("odd:1:a", "no hash")
    redis.hset("odd:1:b", mapping={"info": "no JSON"})
    redis.hset("odd:1:c", mapping={"info": '{"queues": 7}'})

    assert list(unserved(redis)) == ["mail"]


def test_a_job_that_came_at_the_start_of_the_process_makes_it_unready(redis: Redis) -> None:
    waits(redis, "now", NOW)
    waits(redis, "before", NOW - 0.001)

    found = {problem.cause: problem.blocks for problem in UnservedQueues(redis, clock=FakeClock(SIX)).problems()}

    assert found == {"no_worker:before": False, "no_worker:now": True}


def test_the_grace_time_is_40_seconds_from_the_last_sight_of_the_worker(redis: Redis) -> None:
    clock = FakeClock(SIX)
    queues = UnservedQueues(redis, clock=clock)
    waits(redis, "mail", NOW)
    serves(redis, "here:1:a", ["mail"])
    assert queues.problems() == []
    clock.advance(timedelta(seconds=100))
    assert queues.problems() == []
    serves(redis, "here:1:a", ["mail"], quiet=True)

    clock.advance(timedelta(seconds=40))
    assert queues.problems() == []
    clock.advance(timedelta(seconds=0.5))
    assert [problem.cause for problem in queues.problems()] == ["no_worker:mail"]


def test_two_hundred_queues_are_looked_at_in_one_check(redis: Redis) -> None:
    names = [f"queue-{number}" for number in range(201)]
    redis.sadd("queues", *names)
    with redis.pipeline() as pipeline:
        for name in names:
            pipeline.lpush(f"queue:{name}", "{}")
        pipeline.execute()

    assert len(unserved(redis)) == 200


def test_twenty_workers_are_seen_while_no_job_waits_and_all_when_some_do(redis: Redis) -> None:
    names = [f"queue-{number}" for number in range(25)]
    queues = UnservedQueues(redis, clock=FakeClock(SIX))
    for name in names:
        serves(redis, f"{name}:1:a", [name])
    assert queues.problems() == []
    redis.delete("processes")
    for name in names:
        waits(redis, name, NOW)

    assert len(queues.problems()) == 5  # the others have their grace time
    for name in names:
        serves(redis, f"{name}:1:a", [name])
    assert queues.problems() == []


def test_a_job_without_a_time_or_that_is_no_json_is_counted(redis: Redis) -> None:
    redis.sadd("queues", "a", "b", "empty")
    redis.lpush("queue:a", "no json")
    redis.lpush("queue:b", '{"enqueued_at": "soon"}', "{}")

    assert unserved(redis) == {"a": (1, 0.0), "b": (2, 0.0)}
