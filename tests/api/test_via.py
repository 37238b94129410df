"""`api.via`: the jobs of a block go to another Redis."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis

from clock import Batch, Job, api, testing
from clock.errors import ConfigurationError
from clock.store.ledger.held_pushes import holding


class RouteJob(Job):
    def perform(self) -> None: ...


@pytest.fixture
def other(redis: Redis, redis_url: str) -> Iterator[Redis]:
    """Another place for jobs, beside the process's own: a namespace of the same server."""
    found = api.connect(redis_url, namespace="other")
    yield found
    found.close()


def counts(redis: Redis, other: Redis) -> tuple[object, object]:
    return redis.llen("queue:default"), other.llen("queue:default")


@pytest.mark.parametrize("wrong", [None, "redis://localhost", Redis(decode_responses=True)])
def test_what_is_no_connection_of_connect_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"api\.connect\(url\)"), api.via(wrong):
        RouteJob.perform_async()
    if wrong is not None:
        with pytest.raises(ConfigurationError, match=r"api\.connect\(url\)"):
            api.Queue("default", redis=wrong)


@pytest.mark.parametrize("url", ["", 5])
def test_an_empty_url_does_not_open_the_connection_of_the_process(url: Any) -> None:
    with pytest.raises(ConfigurationError, match="the URL is"):
        api.connect(url)


def test_jobs_of_the_block_go_to_the_other_redis(redis: Redis, other: Redis) -> None:
    with api.via(other):
        RouteJob.perform_async()
        RouteJob.perform_bulk([[], []])
        RouteJob.set(unique=True).perform_async()
        RouteJob.set(unique=True).perform_async()
        with Batch():
            RouteJob.perform_async()
        assert len(api.Queue("default")) == 5
    RouteJob.perform_async()

    assert counts(redis, other) == (1, 5)


def test_tasks_of_the_block_follow_it_and_threads_do_not(redis: Redis, other: Redis) -> None:
    async def push() -> None:
        with api.via(other):
            await asyncio.gather(*(RouteJob.aperform_async() for _ in range(15)))
            thread = threading.Thread(target=RouteJob.perform_async)
            thread.start()
            thread.join(30)
        await asyncio.gather(*(RouteJob.aperform_async() for _ in range(15)))

    asyncio.run(push())

    assert counts(redis, other) == (16, 15)


def test_a_job_that_waits_for_a_commit_goes_where_its_block_says(redis: Redis, other: Redis) -> None:
    committed: list[Callable[[], object]] = []

    with api.via(other):
        RouteJob.set(enqueue_after_commit=committed.append).perform_async()
    RouteJob.set(enqueue_after_commit=committed.append).perform_async()
    with api.via(other):
        for push in committed:
            push()

    assert counts(redis, other) == (1, 1)


def test_a_job_for_another_redis_is_no_part_of_a_firing(redis: Redis, other: Redis) -> None:
    with holding("nightly", 0, None) as held:
        RouteJob.perform_async()
        with api.via(other):
            RouteJob.perform_async()

    assert len(held.pushes) == 1
    assert counts(redis, other) == (0, 1)


def test_a_job_of_the_block_does_not_belong_to_the_batch_around_it(redis: Redis, other: Redis) -> None:
    with Batch(), api.via(other):
        RouteJob.perform_async()

    assert counts(redis, other) == (0, 1)
    payload = other.lindex("queue:default", 0)
    assert b'"bid"' not in payload  # type: ignore[operator]  # bytes


def test_a_test_that_fakes_pushes_collects_them_too(redis: Redis, other: Redis) -> None:
    with testing.fake(), api.via(other):
        RouteJob.perform_async()
        assert len(RouteJob.jobs) == 1

    assert counts(redis, other) == (0, 0)
