"""A push by an open connection: what is sent again, and what is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from redis import Redis

from clock.errors import StoreError, StoreUnavailable
from clock.store.server.connection import connect
from clock.store.server.pool import Pool
from tests.servers import push
from tests.store.talking import serving

QUEUE = "queue:default"
READY = {b"INFO": b"$21\r\nredis_version:7.4.0\r\n\r\n", b"CLIENT": b"+OK\r\n", b"SADD": b":1\r\n"}


@pytest.fixture
def ours(redis: Redis, redis_url: str) -> Iterator[Redis]:
    """The connection of an application. It is open."""
    with closing(connect(redis_url, is_application=True)) as found:
        yield found


def test_a_job_whose_queue_cannot_be_noted_is_pushed_once_and_raises(redis: Redis, ours: Redis) -> None:
    redis.set("queues", "not a set")

    with pytest.raises(StoreError) as caught:
        push(ours)

    assert caught.value.cause == "wrong_type"
    assert redis.llen(QUEUE) == 1


def test_a_job_that_its_queue_cannot_hold_raises(redis: Redis, ours: Redis) -> None:
    redis.set(QUEUE, "not a list")

    with pytest.raises(StoreError) as caught:
        push(ours)
    redis.delete(QUEUE)
    push(ours)

    assert caught.value.cause == "wrong_type"
    assert redis.llen(QUEUE) == 1


def test_large_jobs_arrive_whole(redis: Redis, ours: Redis) -> None:
    push(ours, "x" * 3_000_000)

    assert redis.lindex(QUEUE, 0) == b"x" * 3_000_000


@pytest.mark.parametrize(
    ("answer", "cause"),
    [(None, "unreachable"), (b"HTTP/1.1 400 Bad Request\r\n", "not_redis"), (b":1\r\n?\r\n", "not_redis")],
)
def test_a_push_without_a_valid_answer_raises_and_is_not_sent_again(answer: bytes | None, cause: str) -> None:
    pushed = []

    def answered(words: list[bytes]) -> bytes | None:
        if words[0] != b"LPUSH":
            return READY.get(words[0], b":1\r\n")
        pushed.append(words)
        return answer if len(pushed) == 1 else b":2\r\n"

    with serving(answered) as url, closing(connect(url, is_application=True)) as redis:
        with pytest.raises(StoreError) as caught:
            push(redis)
        assert len(pushed) == 1
        push(redis)

    assert (caught.value.cause, isinstance(caught.value, StoreUnavailable)) == (cause, cause == "unreachable")
    assert len(pushed) == 2, "the next push has a new connection"


def test_the_limit_of_a_push_ends_with_it(ours: Redis, redis_url: str) -> None:
    with closing(connect(redis_url, push_seconds=2.0)) as redis:
        pool = redis.connection_pool
        assert isinstance(pool, Pool)
        push(redis)
        link = pool.take()
        assert link._sock.gettimeout() == pool.limits.answer == 10
        pool.release(link)
        open_one = pool.take_open()
        assert open_one is link
        assert link._sock.gettimeout() == 2
        pool.release(link)
