"""Jobs that wait for their time, and parked ones."""

import math
from typing import Any

import pytest
from redis import Redis

from clock.store import keys
from clock.store.jobs.delayed import CannotEnqueue, Delayed, earliest
from tests.store.jobs.calls import script_calls


def fill(redis: Redis, where: str, *jobs: bytes) -> None:
    redis.zadd(where, {job: place for place, job in enumerate(jobs)})


def queue(redis: Redis, name: str = "default") -> Any:
    """The jobs of a queue, the next one first."""
    found: Any = redis.lrange(f"queue:{name}", 0, -1)
    return found[::-1]


def test_jobs_are_due_at_their_second_the_earliest_first_in_pages_that_grow(redis: Redis) -> None:
    jobs = [f"{number:03}".encode() for number in range(300)]
    fill(redis, keys.RETRY, *jobs)
    delayed = Delayed(redis)

    assert delayed.due(keys.RETRY, -0.5) == []
    assert delayed.due(keys.RETRY, 2) == jobs[:3]
    assert delayed.due(keys.RETRY, 1e9) == jobs[:64]
    assert delayed.due(keys.RETRY, 1e9) == jobs[:200]
    assert delayed.due(keys.SCHEDULE, 1e9) == []


def test_released_jobs_go_behind_those_that_wait_and_freed_ones_to_the_front(redis: Redis) -> None:
    redis.lpush("queue:default", "waits")
    fill(redis, keys.SCHEDULE, b"a", b"b", b"c")
    fill(redis, keys.FREED, b"d", b"e")
    delayed = Delayed(redis)

    moves = [(b"a", "default", "a2"), (b"b", "low", "b2"), (b"gone", "low", "x"), (b"c", "default", "c2")]
    assert delayed.release(keys.SCHEDULE, moves) == 3
    assert delayed.release(keys.FREED, [(b"d", "default", "d2"), (b"e", "default", "e2")]) == 2

    assert queue(redis) == [b"d2", b"e2", b"waits", b"a2", b"c2"]
    assert queue(redis, "low") == [b"b2"]
    assert redis.smembers(keys.QUEUES) == {b"default", b"low"}
    assert not redis.exists(keys.SCHEDULE, keys.FREED)


@pytest.mark.parametrize(("length", "steps"), [(10, 3), (2_501, 3), (2_499, 3), (10_000, 10)])
def test_many_jobs_are_released_in_short_steps_in_their_order(redis: Redis, length: int, steps: int) -> None:
    jobs = [b"%0*d" % (length, number) for number in range(500)]
    fill(redis, keys.SCHEDULE, *jobs)
    redis.config_resetstat()

    assert Delayed(redis).release(keys.SCHEDULE, [(job, "default", job[-3:]) for job in jobs]) == 500

    assert queue(redis) == [job[-3:] for job in jobs]
    assert script_calls(redis) == steps


@pytest.mark.parametrize(("again", "score"), [(None, 1), (77.5, 77.5)])
def test_a_job_whose_queue_is_no_list_stays_and_the_others_move(
    redis: Redis, again: float | None, score: float
) -> None:
    redis.set("queue:bad", "foreign")
    redis.set("queue:awful", "foreign")
    fill(redis, keys.SCHEDULE, b"a", b"b", b"c", b"d")
    names = {b"a": "x", b"b": "bad", b"c": "x", b"d": "awful"}
    moves = [(job, name, job) for job, name in names.items()]

    with pytest.raises(CannotEnqueue) as raised:
        Delayed(redis).release(keys.SCHEDULE, moves, again=again)

    assert raised.value.moved == 2
    assert raised.value.keys == ["queue:awful", "queue:bad"]
    assert str(raised.value) == (
        "jobs cannot be moved to their queues, because these keys are not lists (WRONGTYPE): "
        "'queue:awful', 'queue:bad'. Another program wrote them; delete them."
    )
    assert queue(redis, "x") == [b"a", b"c"]
    assert redis.zscore(keys.SCHEDULE, "b") == score


def test_the_first_due_times_are_read_together_and_the_earliest_counts(redis: Redis) -> None:
    delayed = Delayed(redis)
    assert set(delayed.first_due().values()) == {math.inf}
    assert earliest(delayed.first_due()) == math.inf
    redis.zadd(keys.RETRY, {"a": 5.5, "b": 7})
    redis.zadd(keys.SCHEDULE, {"c": 3.25})
    redis.set(keys.FREED, "foreign")

    firsts = delayed.first_due()

    assert firsts == {keys.RETRY: 5.5, keys.SCHEDULE: 3.25, keys.FREED: -math.inf}
    assert earliest(firsts) == 3.25


def park(redis: Redis, class_name: str, *payloads: bytes) -> None:
    redis.sadd(keys.PARKED, class_name)
    redis.lpush(keys.PARKED_JOBS + class_name, *payloads)


def test_parked_jobs_are_counted_and_read_the_oldest_last_in_pages_that_grow(redis: Redis) -> None:
    jobs = [f"{number:03}".encode() for number in range(300)]
    park(redis, "BJob", *jobs)
    park(redis, "AJob", b"a", b"b")
    delayed = Delayed(redis)

    assert delayed.parked_classes() == ["AJob", "BJob"]
    assert [delayed.count_parked(name) for name in ("AJob", "BJob", "CJob")] == [2, 300, 0]
    assert delayed.parked("AJob") == [b"b", b"a"]
    assert delayed.parked("BJob") == jobs[63::-1]
    assert delayed.parked("BJob") == jobs[199::-1]


def test_unparked_jobs_go_to_the_front_of_their_queues_in_their_order(redis: Redis) -> None:
    redis.lpush("queue:default", "waits")
    park(redis, "AJob", b"a", b"b", b"c")
    delayed = Delayed(redis)

    assert delayed.unpark("AJob", [(b"c", "default"), (b"b", "low"), (b"a", "default")]) == 3

    assert queue(redis) == [b"a", b"c", b"waits"]
    assert queue(redis, "low") == [b"b"]
    assert delayed.parked_classes() == []


def test_parked_jobs_whose_queue_is_no_list_stay_parked(redis: Redis) -> None:
    redis.set("queue:bad", "foreign")
    park(redis, "AJob", b"a", b"b")
    delayed = Delayed(redis)

    with pytest.raises(CannotEnqueue, match="'queue:bad'") as raised:
        delayed.unpark("AJob", [(b"b", "bad"), (b"a", "default")])

    assert raised.value.moved == 1
    assert delayed.parked("AJob") == [b"b"]
    assert queue(redis) == [b"a"]


def test_an_error_names_five_keys_at_most() -> None:
    error = CannotEnqueue(0, [f"queue:{number}".encode() for number in range(9)])

    assert "'queue:0', 'queue:1', 'queue:2', 'queue:3', 'queue:4' and 4 more" in str(error)
