"""Waiting until one of several queues holds a job, without taking it."""

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from clock.errors import StoreUnavailable
from clock.store.jobs import blocking_wait
from clock.store.jobs.blocking_wait import BlockingWait
from clock.store.server.connection import connect
from tests.patience import PATIENCE_SECONDS, eventually
from tests.store.jobs.calls import calls

A, B, C = "queue:a", "queue:b", "queue:c"
LONG = 4 * PATIENCE_SECONDS


class Waiting:
    """A wait in a thread; the command that follows it counts the jobs of a queue."""

    def __init__(self, wait: BlockingWait, queues: Sequence[str], counted: str) -> None:
        self._found: list[Any] = []
        self._thread = threading.Thread(
            target=lambda: self._found.append(wait.then(("LLEN", counted), queues, LONG)), daemon=True
        )
        self._thread.start()

    def is_over_after(self, call: Callable[[], None]) -> Callable[[], bool]:
        """Whether the wait has ended after a call, which is repeated until then."""

        def is_over() -> bool:
            call()
            return bool(self._found)

        return is_over

    def result(self) -> Any:
        """The answer to the command, as soon as the wait has ended."""
        self._thread.join(PATIENCE_SECONDS)
        assert self._found, "the wait has not ended"
        return self._found[0]


@pytest.fixture
def waiter(redis_url: str) -> Iterator[Redis]:
    """The client that waits. Its connections have a name that no other has."""
    join = "&" if "?" in redis_url else "?"
    name = f"waiter-{secrets.token_hex(8)}"
    found = connect(f"{redis_url}{join}client_name={name}", max_connections=20)
    yield found
    found.connection_pool.disconnect()  # also those of threads that still wait


@pytest.fixture(autouse=True)
def _only_jobs_end_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking_wait, "FURTHER_SECONDS", LONG)


def has_blocked(waiter: Redis, count: int) -> None:
    """Wait until so many connections of this client wait for a job."""
    name = waiter.client_getname()

    def is_so() -> bool:
        links: Any = waiter.client_list()
        return [link["name"] == name and "b" in link["flags"] for link in links].count(True) == count

    eventually(is_so, f"{count} connections that wait")


@pytest.mark.parametrize("queue", [A, B, C])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_job_in_any_queue_ends_the_wait_and_stays_there(
    redis: Redis, waiter: Redis, queue: str, when: str
) -> None:
    if when == "before":
        redis.rpush(queue, "job")
    waiting = Waiting(BlockingWait(waiter), [A, B, C], queue)
    if when == "after":
        has_blocked(waiter, 3)
        redis.rpush(queue, "job")

    assert waiting.result() == 1

    assert redis.lrange(queue, 0, -1) == [b"job"]


def test_each_further_queue_has_one_thread_that_does_not_keep_the_process_alive(
    redis: Redis, waiter: Redis
) -> None:
    wait = BlockingWait(waiter)
    for queue in ("queue:one", "queue:two"):
        redis.rpush(queue, "job")
    for _ in range(3):
        wait.then(("PING",), ["queue:one", "queue:two"], LONG)

    threads = [
        thread
        for thread in threading.enumerate()
        if thread.name.startswith(("arrivals queue:one", "arrivals queue:two"))
    ]

    assert [(thread.name, thread.daemon) for thread in threads] == [("arrivals queue:two", True)]


def test_a_wait_is_ended_from_another_thread_and_afterwards_there_is_none_to_end(
    redis: Redis, waiter: Redis
) -> None:
    wait = BlockingWait(waiter)
    wait.end()
    waiting = Waiting(wait, [A], A)
    has_blocked(waiter, 1)

    eventually(waiting.is_over_after(wait.end), "the end of the wait")

    assert waiting.result() == 0
    redis.config_resetstat()
    wait.end()
    assert calls(redis, "client|unblock") == 0


@pytest.fixture
def may_read(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The waiting thread reads the number of its connection only after the test has set this."""
    number, may_read = blocking_wait._number, threading.Event()

    def read(link: object) -> int | None:
        assert may_read.wait(PATIENCE_SECONDS)
        return number(link)

    monkeypatch.setattr(blocking_wait, "_number", read)
    yield may_read
    may_read.set()


def test_a_wait_is_ended_although_its_thread_has_not_read_the_number_of_its_connection(
    redis: Redis, waiter: Redis, may_read: threading.Event
) -> None:
    wait = BlockingWait(waiter)
    waiting = Waiting(wait, [A], A)
    has_blocked(waiter, 1)

    ending = threading.Thread(target=wait.end, daemon=True)
    ending.start()
    ending.join(0.05)
    may_read.set()
    ending.join(PATIENCE_SECONDS)

    assert waiting.result() == 0


def test_a_wait_whose_connection_is_lost_before_its_number_is_read_leaves_none_to_end(
    redis: Redis, waiter: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(link: object) -> int | None:
        raise RedisConnectionError("lost")

    monkeypatch.setattr(blocking_wait, "_number", lose)
    wait = BlockingWait(waiter)
    with pytest.raises(StoreUnavailable):
        wait.then(("PING",), [A], LONG)
    redis.config_resetstat()

    wait.end()

    assert calls(redis, "client|unblock") == 0


def test_a_thread_that_still_waits_ends_the_wait_of_a_later_connection(redis: Redis, waiter: Redis) -> None:
    wait = BlockingWait(waiter)
    first = Waiting(wait, [A, B], B)
    has_blocked(waiter, 2)
    redis.rpush(A, "job")
    assert first.result() == 0
    redis.delete(A)
    held = waiter.connection_pool.get_connection()  # the next wait has another one
    second = Waiting(wait, [A, B], B)
    has_blocked(waiter, 2)

    redis.rpush(B, "job")

    assert second.result() == 1
    waiter.connection_pool.release(held)


@pytest.mark.parametrize("denied", ["client", pytest.param("client|unblock", marks=pytest.mark.slow)])
def test_waits_on_several_queues_are_short_if_this_user_may_not_end_them(
    redis: Redis, limited: Callable[[str], Redis], denied: str
) -> None:
    wait = BlockingWait(limited(denied))
    redis.rpush(*(A, "job") if denied == "client" else (B, "job"))
    wait.then(("PING",), [A, B], LONG / 100)
    eventually(lambda: wait._further[B].is_refused, "the refusal")
    redis.delete(A, B)

    assert Waiting(wait, [A, B], B).result() == 0


def test_waits_are_short_beside_a_queue_that_is_no_list(redis: Redis, waiter: Redis) -> None:
    wait = BlockingWait(waiter)
    redis.rpush(A, "job")
    redis.set(B, "foreign")
    wait.then(("PING",), [A, B], LONG)
    eventually(lambda: wait._further[B].is_refused, "the refusal")
    redis.delete(A)

    assert Waiting(wait, [A, B], A).result() == 0
