import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from redis import Redis

from clock import api
from clock.api import JobSet, Progress, Queue
from clock.errors import JobError
from tests.api.conftest import Payload

AT = 1_795_500_000.0


def fill(redis: Redis, place: str, payload: Payload, count: int, *, step: float = 1.0) -> None:
    """So many jobs of `place`; each third one is of the class OddJob."""
    jobs = [payload(f"{n:05}", **({"class": "OddJob"} if n % 3 == 0 else {})) for n in range(count)]
    if place.startswith("queue:"):
        redis.lpush(place, *jobs)
    else:
        redis.zadd(place, {job: AT + step * n for n, job in enumerate(jobs)})


@pytest.mark.parametrize("step", [1.0, 0.0])
@pytest.mark.parametrize("place", [api.ScheduledSet, api.RetrySet, api.DeadSet])
def test_jobs_of_a_set_are_deleted_by_conditions_in_steps_with_progress(
    redis: Redis, payload: Payload, place: type[JobSet], step: float
) -> None:
    fill(redis, place.name, payload, 3_000, step=step)
    seen: list[Progress] = []

    deleted = place().delete(class_="OddJob", progress=seen.append)

    assert deleted == 1_000
    assert {job.job_class for job in place()} == {"SendMailJob"}
    assert len(seen) > 3
    assert max(after.searched - before.searched for before, after in pairwise(seen)) <= 1_000
    assert (seen[-1].done, seen[-1].searched, seen[-1].cursor) == (1_000, 3_000, None)


def test_jobs_of_a_queue_are_deleted_by_conditions_while_others_are_pushed(redis: Redis, payload: Payload) -> None:
    fill(redis, "queue:default", payload, 3_000)
    queue = Queue()

    def push_more(_: Progress) -> None:
        redis.lpush("queue:default", *[payload(f"new{n}") for n in range(10)])
        redis.rpop("queue:default", 5)

    deleted = queue.delete(class_="OddJob", progress=push_more)

    assert deleted >= 985  # workers took the others
    assert not list(queue.search(class_="OddJob"))


def test_steps_go_on_from_a_cursor_in_another_request(redis: Redis, payload: Payload) -> None:
    fill(redis, "retry", payload, 2_500)
    done, cursor, requests = 0, None, 0

    while True:
        step = next(api.RetrySet().steps("delete", cursor, class_="OddJob"))
        done, requests, cursor = done + step.done, requests + 1, step.cursor
        if cursor is None:
            break

    assert (done, api.RetrySet().size()) == (834, 1_666)
    assert requests > 2
    with pytest.raises(JobError, match="unknown action 'burn'; known are delete, add_to_queue, kill"):
        api.RetrySet().steps("burn")  # type: ignore[arg-type]


def test_all_retries_are_enqueued_and_cost_no_try(redis: Redis, payload: Payload) -> None:
    redis.zadd("retry", {payload("a", retry_count=2): AT, payload("b", queue="low"): AT})

    assert api.RetrySet().retry_all() == 2

    assert redis.zcard("retry") == 0
    assert json.loads(redis.lindex("queue:default", 0) or b"")["retry_count"] == 1
    assert redis.llen("queue:low") == 1


def test_jobs_are_killed_and_dead_ones_retried_by_conditions(redis: Redis, payload: Payload) -> None:
    fill(redis, "schedule", payload, 30)

    killed = api.ScheduledSet().kill(class_="OddJob")
    retried = api.DeadSet().retry_all(jid="00003")

    assert (killed, retried) == (10, 1)
    assert (redis.zcard("schedule"), redis.zcard("dead"), redis.llen("queue:default")) == (20, 9, 1)


@pytest.mark.parametrize("step", [1.0, 0.0])
def test_jobs_are_rescheduled_by_conditions(redis: Redis, payload: Payload, step: float) -> None:
    fill(redis, "retry", payload, 1_500, step=step)
    later = datetime.fromtimestamp(AT, UTC) + timedelta(seconds=700)

    changed = api.RetrySet().reschedule(later, before=AT + 3_000)
    again = api.RetrySet().reschedule(later, before=AT + 3_000)

    assert changed == (1_499 if step else 1_500)
    assert again == 0
    assert {job.at for job in api.RetrySet()} == {AT + 700}


def test_a_dead_job_is_rescheduled_by_way_of_the_scheduled_ones(redis: Redis, payload: Payload) -> None:
    redis.zadd("dead", {payload("a", retry_count=24): AT})

    assert api.DeadSet().reschedule(3600, jid="a") == 1

    [job] = api.ScheduledSet()
    assert job.jid == "a"
    assert 3500 < (job.at or 0) - time.time() < 3700
    assert redis.zcard("dead") == 0


def test_jobs_that_are_passed_are_changed_and_those_that_have_left_are_not(redis: Redis, payload: Payload) -> None:
    fill(redis, "dead", payload, 3)
    first, second, third = api.DeadSet()
    redis.zrem("dead", first.member)

    assert api.DeadSet().delete(first, second) == 1
    assert [job.jid for job in api.DeadSet()] == [third.jid]


def test_neither_jobs_nor_conditions_or_both_are_refused(redis: Redis, payload: Payload) -> None:
    fill(redis, "dead", payload, 1)
    [job] = api.DeadSet()

    for method in (api.DeadSet().delete, api.DeadSet().add_to_queue, Queue().delete):
        with pytest.raises(JobError, match="takes either jobs or conditions"):
            method()
    with pytest.raises(JobError, match="takes either jobs or conditions"):
        api.DeadSet().delete(job, class_="x")
    assert api.DeadSet().clear() == 1


def test_one_job_is_cancelled_rescheduled_and_run_by_its_id(redis: Redis, payload: Payload) -> None:
    redis.sadd("queues", "default")
    redis.lpush("queue:default", payload("queued"), payload("other"))
    redis.zadd("retry", {payload("failed"): AT})
    redis.zadd("dead", {payload("died"): AT})

    done = [
        api.JobRef("queued").run_now(),
        api.JobRef("queued").cancel(),
        api.JobRef("queued").cancel(),
        api.JobRef("failed").reschedule(AT + 60),
        api.JobRef("failed").run_now(),
        api.JobRef("died").cancel(),
        asyncio.run(api.JobRef("nobody").acancel()),
    ]

    assert done == [False, True, False, True, True, True, False]
    assert [json.loads(job)["jid"] for job in redis.lrange("queue:default", 0, -1)] == ["failed", "other"]
    assert (redis.zcard("retry"), redis.zcard("dead")) == (0, 0)


def test_jobs_of_a_queue_are_deleted_if_they_are_passed_or_in_steps(redis: Redis, payload: Payload) -> None:
    fill(redis, "queue:default", payload, 9)
    queue = Queue()

    assert queue.delete(*list(queue.search(class_="OddJob"))[:1]) == 1
    assert sum(step.done for step in queue.delete_in_steps(class_="OddJob")) == 2

    assert queue.size() == 6
    with pytest.raises(JobError, match="delete_in_steps"):
        queue.delete_in_steps()
