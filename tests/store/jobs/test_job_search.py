"""Finding out whether jobs are still anywhere in Redis."""

import json
from collections.abc import Callable

import pytest
from redis import Redis

from clock.store import keys
from clock.store.jobs.job_search import MOST_JIDS, STEPS_PER_SECOND, Found, JobSearch
from tests.store.jobs.calls import script_calls

NOW_MS = 1_795_500_000_000
SPAN = (0, 2 * NOW_MS)
GONE, WAITS, DELAYED = Found.GONE, Found.WAITS_OR_RUNS, Found.DELAYED


def payload(jid: str, **more: object) -> str:
    return json.dumps({"class": "J", "jid": jid, **more})


def results(search: JobSearch, seconds: int = 1, first_ms: int = NOW_MS) -> dict[str, Found]:
    found = [one for second in range(seconds) for one in search.go_on(first_ms + 1_000 * second)]
    assert len(dict(found)) == len(found), "a job has one result"
    return {jid.decode(): result for jid, result in found}


def enqueue(redis: Redis, *payloads: str, queue: str = "default") -> None:
    redis.sadd(keys.QUEUES, queue)
    redis.lpush(keys.queue(queue), *payloads)


def run(redis: Redis, worker: str, expires_ms: int) -> None:
    redis.zadd(keys.WORKERS, {worker: expires_ms})
    redis.hset(keys.IN_PROGRESS + worker, "1", f"default\n{payload('j1')}")


def be_busy(redis: Redis) -> None:
    redis.sadd(keys.PROCESSES, "ruby:1:a")
    redis.hset("ruby:1:a:work", "t1", json.dumps({"queue": "default", "payload": payload("j1")}))


PLACES: dict[str, tuple[Callable[[Redis], object], Found]] = {
    "schedule": (lambda redis: redis.zadd(keys.SCHEDULE, {payload("j1"): 5}), DELAYED),
    "retry": (lambda redis: redis.zadd(keys.RETRY, {payload("j1"): 5}), DELAYED),
    "blocked": (lambda redis: redis.zadd(keys.BLOCKED, {f"a\n1\nlow\n{payload('j1')}": 0}), WAITS),
    "freed": (lambda redis: redis.zadd(keys.FREED, {payload("j1"): 5}), WAITS),
    "parked": (
        lambda redis: (redis.sadd(keys.PARKED, "J"), redis.lpush(f"{keys.PARKED_JOBS}J", payload("j1"))),
        DELAYED,
    ),
    "queue": (lambda redis: enqueue(redis, payload("j1")), WAITS),
    "a worker that lives": (lambda redis: run(redis, "host:1:a", NOW_MS), WAITS),
    "a dead worker": (lambda redis: run(redis, "host:1:a", NOW_MS - 1), Found.HELD_BY_DEAD_WORKER),
    "a worker of Sidekiq": (be_busy, WAITS),
    "nowhere": (lambda _: None, GONE),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_job_is_found_in_each_place_that_it_may_be_in(redis: Redis, place: str) -> None:
    put, found = PLACES[place]
    put(redis)
    search = JobSearch(redis)
    search.want(b"j1", SPAN)

    assert results(search) == {"j1": found}
    assert results(search) == {}


def test_a_job_counts_as_gone_after_two_searches_without_a_trace(redis: Redis) -> None:
    search = JobSearch(redis)
    search.want(b"j1", SPAN)
    steps = search.go_on(NOW_MS)

    redis.config_resetstat()
    assert next(steps) == (b"j1", GONE)

    assert script_calls(redis) == 2


def test_a_job_that_goes_back_during_the_first_search_is_found_by_the_second(redis: Redis) -> None:
    for queue in range(9):
        enqueue(redis, *[payload("x")] * 1_400, queue=f"queue-{queue}")
    search = JobSearch(redis)
    search.want(b"j1", SPAN)
    search.want(b"j2", SPAN)
    assert results(search) == {}  # the first search takes more than the steps of a second
    redis.zadd(keys.SCHEDULE, {payload("j1"): 5})

    assert results(search, 9, NOW_MS + 1_000) == {"j1": DELAYED, "j2": GONE}


def test_a_job_that_is_no_longer_wanted_has_no_result(redis: Redis) -> None:
    enqueue(redis, payload("j1"))
    search = JobSearch(redis)
    search.want(b"j1", SPAN)
    search.want(b"j2", SPAN)

    search.forget(b"j1")
    search.forget(b"unknown")

    assert results(search) == {"j2": GONE}


def test_eight_steps_are_made_in_a_second_and_the_next_second_goes_on(redis: Redis) -> None:
    for number in range(12):
        enqueue(redis, *[payload("x")] * 700, queue=f"queue-{number:02}")
    search = JobSearch(redis)
    search.want(b"j1", SPAN)

    steps = []
    for second in range(30):
        redis.config_resetstat()
        found = [*search.go_on(NOW_MS + 1_000 * second), *search.go_on(NOW_MS + 1_000 * second + 999)]
        steps.append(script_calls(redis))
        if found:
            break

    assert found == [(b"j1", GONE)]
    assert STEPS_PER_SECOND == 8
    assert set(steps[1:-1]) == {8}
    assert 24 <= sum(steps) < 60


def test_a_thousand_jobs_that_entered_their_queues_within_a_second_are_searched_at_once(redis: Redis) -> None:
    search = JobSearch(redis)
    for number in range(MOST_JIDS + 1):
        search.want(f"j{number}".encode(), (NOW_MS + number % 1_001, NOW_MS + 5_000))
    search.want(b"later", (NOW_MS + 1_001, NOW_MS + 5_000))
    redis.config_resetstat()

    first = list(search.go_on(NOW_MS))

    assert MOST_JIDS == 1_000
    assert {jid for jid, _ in first} >= {f"j{number}".encode() for number in range(MOST_JIDS)}
    assert len(first) == 1_002
    assert script_calls(redis) == 4  # two searches of two rows of jobs


def test_jobs_that_entered_their_queues_a_second_apart_are_searched_together_and_later_ones_after_them(
    redis: Redis,
) -> None:
    search = JobSearch(redis)
    for jid, later_ms in ((b"j1", 0), (b"j2", 1_000), (b"j3", 1_001)):
        search.want(jid, (NOW_MS + later_ms, NOW_MS + 5_000))
    redis.config_resetstat()

    found = search.go_on(NOW_MS)

    assert {next(found), next(found)} == {(b"j1", GONE), (b"j2", GONE)}
    assert script_calls(redis) == 2
    assert list(found) == [(b"j3", GONE)]


def test_a_job_that_is_forgotten_during_a_search_has_no_result_whether_it_is_found_or_not(redis: Redis) -> None:
    for number in range(9):
        enqueue(redis, *[payload("x")] * 1_400, queue=f"queue-{number}")
    run(redis, "host:1:a", NOW_MS)
    search = JobSearch(redis)
    forgotten = [f"j{number}".encode() for number in range(20)]
    for jid in (*forgotten, b"lost"):
        search.want(jid, SPAN)
    assert results(search) == {}

    for jid in forgotten:
        search.forget(jid)

    assert results(search, 7, NOW_MS + 1_000) == {"lost": GONE}  # two searches take about so long


def test_a_payload_that_is_too_large_to_be_read_leaves_the_result_open(redis: Redis) -> None:
    enqueue(redis, "x" * 70_000)
    enqueue(redis, payload("j1"), queue="other")
    search = JobSearch(redis)
    search.want(b"j1", SPAN)
    search.want(b"j2", SPAN)

    assert results(search) == {"j1": WAITS, "j2": WAITS}


def test_the_times_of_all_jobs_of_a_search_are_looked_at_in_a_long_queue(redis: Redis) -> None:
    first_s = NOW_MS // 1000
    rows = [payload(f"j{number}", enqueued_at=first_s + number) for number in range(6_000)]
    enqueue(redis, *rows)
    search = JobSearch(redis)
    wanted = {"j500": 500, "j5500": 5_500, "lost": 3_000}
    for jid, second in wanted.items():
        at = NOW_MS + 1_000 * second
        search.want(jid.encode(), (at - 500, at + 500))

    assert results(search, 60, NOW_MS + 10**7) == {"j500": WAITS, "j5500": WAITS, "lost": GONE}


def test_a_job_that_may_have_entered_a_long_queue_at_any_time_is_found_in_it(redis: Redis) -> None:
    first_s = NOW_MS // 1000
    enqueue(redis, *[payload(f"j{number}", enqueued_at=first_s + number) for number in range(6_000)])
    search = JobSearch(redis)
    search.want(b"j5500", (NOW_MS, NOW_MS + 5_600_000))

    assert results(search, 60, NOW_MS + 10**7) == {"j5500": WAITS}


def test_jobs_that_one_step_finds_have_the_results_of_their_own_places(redis: Redis) -> None:
    redis.zadd(keys.SCHEDULE, {payload("j1"): 5})
    enqueue(redis, payload("j2"), payload("j3"))
    for worker, jid, expires_ms in (("w1", "j4", NOW_MS - 1), ("w2", "j5", NOW_MS), ("w3", "j6", NOW_MS - 2)):
        redis.zadd(keys.WORKERS, {worker: expires_ms})
        redis.hset(keys.IN_PROGRESS + worker, "1", f"default\n{payload(jid)}")
    search = JobSearch(redis)
    for number in range(1, 7):
        search.want(f"j{number}".encode(), SPAN)

    dead = Found.HELD_BY_DEAD_WORKER
    assert results(search) == {"j1": DELAYED, "j2": WAITS, "j3": WAITS, "j4": dead, "j5": WAITS, "j6": dead}


def test_a_job_of_a_living_worker_runs_although_a_dead_one_has_it_too(redis: Redis) -> None:
    run(redis, "a", NOW_MS)
    run(redis, "z", NOW_MS - 1)
    search = JobSearch(redis)
    search.want(b"j1", SPAN)

    assert results(search) == {"j1": WAITS}


def test_keys_of_a_wrong_type_have_no_jobs(redis: Redis) -> None:
    for key in (keys.PARKED, keys.QUEUES, keys.PROCESSES, keys.WORKERS, keys.SCHEDULE):
        redis.set(key, "foreign")
    search = JobSearch(redis)
    search.want(b"j1", SPAN)

    assert results(search) == {"j1": GONE}
