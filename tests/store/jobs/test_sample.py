"""Reading the jobs of a place up to a limit."""

import pytest
from redis import Redis

from clock.store.jobs.sample import Kind, sampled, size
from tests.store.jobs.calls import calls

KINDS = pytest.mark.parametrize("kind", ["list", "zset"])


def fill(redis: Redis, kind: Kind, count: int, length: int = 1) -> list[bytes]:
    jobs = [f"{number:0{max(length, 4)}}".encode() for number in range(count)]
    if kind == "list":
        redis.rpush("jobs", *jobs)
    else:
        redis.zadd("jobs", {job: place for place, job in enumerate(jobs)})
    return jobs


@KINDS
@pytest.mark.parametrize("count", [1, 16, 17, 100, 450])
def test_all_jobs_are_read_once_in_order_if_they_are_not_more_than_wanted(
    redis: Redis, kind: Kind, count: int
) -> None:
    jobs = fill(redis, kind, count)

    assert size(redis, "jobs", kind) == count
    assert list(sampled(redis, "jobs", kind, count, count)) == jobs


@KINDS
def test_of_more_jobs_about_as_many_as_wanted_are_read_in_pages_spread_over_the_place(
    redis: Redis, kind: Kind
) -> None:
    jobs = fill(redis, kind, 3_000)

    found = list(sampled(redis, "jobs", kind, 3_000, 300))

    places = [jobs.index(job) for job in found]
    pages = [at for at, place in enumerate(places) if at == 0 or place != places[at - 1] + 1]
    assert [places[at] for at in pages] == [0, 160, 800, 1_800, 2_800]
    assert len(found) == 16 + 64 + 3 * 100


@KINDS
def test_jobs_that_leave_or_join_during_the_reading_end_it_or_are_left_out(redis: Redis, kind: Kind) -> None:
    jobs = fill(redis, kind, 20)

    assert list(sampled(redis, "jobs", kind, 50, 50)) == jobs
    assert list(sampled(redis, "jobs", kind, 16, 16)) == jobs[:16]
    assert list(sampled(redis, "jobs", kind, 0, 10)) == []
    assert list(sampled(redis, "none", kind, 5, 10)) == []


@KINDS
def test_large_jobs_are_read_in_smaller_pages(redis: Redis, kind: Kind) -> None:
    jobs = fill(redis, kind, 40, 100_000)
    redis.config_resetstat()

    assert list(sampled(redis, "jobs", kind, 40, 40)) == jobs

    command = "lrange" if kind == "list" else "zrange"
    assert calls(redis, command) == 4  # 16, 10, 10, 4


def test_a_key_of_another_type_has_no_jobs(redis: Redis) -> None:
    redis.set("jobs", "foreign")

    assert size(redis, "jobs", "list") == size(redis, "jobs", "zset") == 0
