"""The connection of an event loop that pushes often: `clock.store.server.loop_link`."""

import asyncio
import gc
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from clock import Job
from clock.errors import StoreError, StoreUnavailable
from clock.store.server import loop_link
from clock.store.server.client import client
from clock.store.server.connection import connect, using_default
from clock.store.server.loop_link import OFTEN, LoopLink, LoopLinks, opened
from tests.patience import PATIENCE_SECONDS

QUEUE = "queue:default"


class WriteNoteJob(Job):
    def perform(self, number: int, text: str = "") -> None: ...


@pytest.fixture
def ours(redis: Redis, redis_url: str) -> Iterator[Redis]:
    """The process's own connection, as an application has it; a push may take as long as a busy machine needs."""
    with applications(redis_url, PATIENCE_SECONDS) as found:
        yield found


@pytest.fixture
def impatient(redis: Redis, redis_url: str) -> Iterator[Redis]:
    """The process's own connection; a push may take 2 seconds."""
    with applications(redis_url, 2.0) as found:
        yield found


@contextmanager
def applications(redis_url: str, push_seconds: float) -> Iterator[Redis]:
    with (
        closing(connect(redis_url, push_seconds=push_seconds, is_application=True)) as found,
        using_default(found),
    ):
        yield found


def run(body: Callable[[], Awaitable[object]]) -> object:
    """Run the body in a loop that has its own connection."""

    async def prepared() -> object:
        for number in range(OFTEN):
            await WriteNoteJob.aperform_async(-number)
        return await body()

    return asyncio.run(prepared())


async def push_many(count: int, text: str = "") -> list[str | BaseException]:
    pushes = [WriteNoteJob.aperform_async(number, text) for number in range(count)]
    return await asyncio.gather(*pushes, return_exceptions=True)


def clients(redis: Redis) -> int:
    return len(redis.client_list())


def test_a_loop_that_pushes_often_needs_no_thread(redis: Redis, ours: Redis) -> None:
    async def body() -> set[int]:
        before = {thread.ident for thread in threading.enumerate()}
        async with asyncio.timeout(30):
            found = await push_many(50)
        assert len({*map(str, found)}) == 50
        return {thread.ident or 0 for thread in threading.enumerate() if thread.ident not in before}

    assert run(body) == set()
    assert redis.llen(QUEUE) == OFTEN + 50


def test_its_connection_ends_with_the_loop(redis: Redis, ours: Redis) -> None:
    before = clients(redis)
    for _ in range(3):
        run(lambda: push_many(3))
    gc.collect()

    assert clients(redis) <= before + 4  # those of the threads' pool


def test_large_jobs_that_fill_the_socket_arrive_whole(redis: Redis, ours: Redis) -> None:
    run(lambda: push_many(20, "x" * 300_000))

    assert redis.llen(QUEUE) == OFTEN + 20
    assert all(len(payload) > 300_000 for payload in redis.lrange(QUEUE, 0, 19))


def test_a_closed_connection_costs_no_push(redis: Redis, ours: Redis) -> None:
    async def body() -> list[str | BaseException]:
        found = []
        for _ in range(3):
            redis.client_kill_filter(_type="normal", skipme=True)
            found += await push_many(1)
        for _ in range(OFTEN + 3):
            found += await push_many(1)
        return found

    found = run(body)

    assert isinstance(found, list)
    assert [one for one in found if isinstance(one, BaseException)] == []
    assert redis.llen(QUEUE) == 2 * OFTEN + 6


@pytest.mark.slow
def test_a_push_without_an_answer_fails_within_its_limit_and_the_next_one_works(
    redis: Redis, impatient: Redis
) -> None:
    async def body() -> None:
        redis.client_pause(20_000, all=False)
        async with asyncio.timeout(30):
            found = await push_many(5)
        redis.client_unpause()
        assert {type(one) for one in found} == {StoreUnavailable}
        assert await WriteNoteJob.aperform_async(99)

    run(body)


def test_a_refused_push_raises_what_a_thread_raises_and_adds_nothing(redis: Redis, ours: Redis) -> None:
    async def body() -> list[str | BaseException]:
        redis.rename(QUEUE, "kept")
        redis.set(QUEUE, "not a list")
        found = await push_many(2)
        redis.rename("kept", QUEUE)
        return [*found, *await push_many(1)]

    found: Any = run(body)
    first, second, third = found

    redis.set("queue:other", "not a list")
    with pytest.raises(StoreError) as told:
        WriteNoteJob.set(queue="other").perform_async(1)
    assert str(first).replace(QUEUE, "") == str(told.value).replace("queue:other", "")
    assert type(first) is type(second) is type(told.value)
    assert isinstance(third, str)
    assert redis.llen(QUEUE) == OFTEN + 1


def test_a_cancelled_push_takes_no_answer_from_others(redis: Redis, ours: Redis) -> None:
    async def body() -> list[str]:
        cut = asyncio.create_task(WriteNoteJob.aperform_async(1))
        await asyncio.sleep(0)
        cut.cancel()
        first = await WriteNoteJob.aperform_async(2)
        assert cut.cancelled()
        return [first, await WriteNoteJob.aperform_async(3)]

    jids: Any = run(body)

    payloads = str(redis.lrange(QUEUE, 0, -1))
    assert all(jid in payloads for jid in jids)


def test_a_connection_that_was_left_is_closed_even_if_its_last_push_was_cancelled_and_never_answered(
    redis: Redis, redis_url: str
) -> None:
    async def body(ours: Redis) -> None:
        link = opened(ours)
        assert link is not None
        link.start()
        redis.client_pause(60_000, all=False)
        push = asyncio.create_task(link.push([("LPUSH", QUEUE, "{}")]))
        await asyncio.sleep(0)
        push.cancel()
        link.leave()
        async with asyncio.timeout(30):
            while not link.is_lost:
                await asyncio.sleep(0.01)

    with closing(connect(redis_url, push_seconds=0.1, is_application=True)) as ours:
        try:
            asyncio.run(body(ours))
        finally:
            redis.client_unpause()


def test_delayed_jobs_and_a_namespace_work_alike(redis: Redis, redis_url: str) -> None:
    with closing(connect(redis_url, namespace="shop", is_application=True)) as found, using_default(found):

        async def body() -> None:
            await WriteNoteJob.aperform_in(3600, 1)
            await push_many(2)

        run(body)

    assert redis.zcard("{shop}:schedule") == 1
    assert redis.llen("{shop}:queue:default") == OFTEN + 2


def test_another_default_connection_gets_the_next_pushes(redis: Redis, ours: Redis, redis_url: str) -> None:
    async def body() -> None:
        with closing(connect(redis_url, namespace="other", is_application=True)) as other, using_default(other):
            await push_many(1)
        await push_many(1)

    run(body)

    assert (redis.llen("{other}:queue:default"), redis.llen(QUEUE)) == (1, OFTEN + 1)


def test_a_server_that_answers_nonsense_ends_the_connection(redis: Redis, ours: Redis) -> None:
    async def body() -> type[BaseException]:
        link = opened(ours)
        assert isinstance(link, LoopLink)
        here, there = socket.socketpair()
        link._sock.close()
        link._sock = here
        here.setblocking(False)
        link.start()
        push = asyncio.create_task(link.push([("LPUSH", "queue:x", "{}")]))
        await asyncio.sleep(0)
        there.sendall(b"?nonsense\r\n")
        with pytest.raises(StoreUnavailable):
            await push
        assert not link.is_usable()
        here.close()
        there.close()
        return StoreUnavailable

    asyncio.run(body())


def test_pushes_by_threads_replace_no_connection_that_is_usable(ours: Redis) -> None:
    async def body() -> None:
        links = LoopLinks()
        first, second = opened(ours), opened(ours)
        links.use(first)

        assert not any(links.is_due(ours) for _ in range(2 * OFTEN))
        links.use(second)  # it was opened when the first one was, too

        assert first is not None
        assert links.usable(ours) is first
        assert second is not None
        assert second.is_lost
        first.lose(RedisConnectionError("the test is over"))
        assert [links.is_due(ours) for _ in range(OFTEN)] == [False] * (OFTEN - 1) + [True]

    asyncio.run(body())


def test_a_loop_gets_no_connection_for_durable_pushes(redis_url: str) -> None:
    async def body(durable: Redis) -> bool:
        links = LoopLinks()
        return any(links.is_due(durable) for _ in range(2 * OFTEN))

    with closing(connect(redis_url, durable=1, is_application=True)) as durable:
        assert not asyncio.run(body(durable))


PUSH = [("SADD", "queues", "x"), ("LPUSH", "queue:x", "{}")]
REFUSAL = b"-READONLY You can't write against a read only replica.\r\n"


@contextmanager
def talking(ours: Redis) -> Iterator[tuple[LoopLink, socket.socket]]:
    """A loop's connection and the server's end of it, which the test plays."""
    link = opened(ours)
    assert link is not None
    here, there = socket.socketpair()
    here.setblocking(False)
    there.settimeout(30)
    link._sock.close()
    link._sock = here
    link.start()
    with here, there:
        yield link, there
        link.lose(RedisConnectionError("the test is over"))


async def answered(link: LoopLink, there: socket.socket, *answers: bytes) -> bool:
    """Push, and get these answers."""
    push = asyncio.create_task(link.push(PUSH))
    await asyncio.sleep(0)
    for answer in answers:
        there.sendall(answer)
    async with asyncio.timeout(30):
        return await push


@pytest.mark.parametrize(
    ("answers", "is_added"),
    [
        ([b":1\r\n", b":1\r\n"], True),
        ([b":1\r\n:", b"1\r\n"], True),
        ([b":1\r\n", b"-WRONGTYPE no\r\n"], False),
        ([b"-WRONGTYPE no\r\n", b"-WRONGTYPE no\r\n"], False),
    ],
)
def test_a_push_says_whether_the_server_has_added_its_jobs(
    ours: Redis, answers: list[bytes], is_added: bool
) -> None:
    async def body() -> None:
        with talking(ours) as (link, there):
            assert await answered(link, there, *answers) is is_added
            assert link.is_usable()

    asyncio.run(body())


def test_a_push_whose_job_alone_was_added_raises(ours: Redis) -> None:
    async def body() -> None:
        with talking(ours) as (link, there):
            await answered(link, there, b"-WRONGTYPE no set\r\n", b":1\r\n")

    with pytest.raises(StoreError, match="no set"):
        asyncio.run(body())


def test_a_connection_to_a_replica_is_closed_when_its_pushes_are_answered(ours: Redis) -> None:
    async def body() -> None:
        with talking(ours) as (link, there):
            pushes = [asyncio.create_task(link.push(PUSH)) for _ in range(2)]
            await asyncio.sleep(0)
            there.sendall(REFUSAL * 2)
            assert not await pushes[0]
            link.leave()  # again
            assert (link.is_usable(), link.is_lost) == (False, False)
            there.sendall(REFUSAL * 2)
            assert not await pushes[1]
            assert link.is_lost

    asyncio.run(body())


@pytest.mark.parametrize(("seconds", "is_usable"), [(29.5, True), (30.5, False)])
def test_a_connection_that_was_unused_for_half_a_minute_is_closed(
    ours: Redis, monkeypatch: pytest.MonkeyPatch, seconds: float, is_usable: bool
) -> None:
    async def body() -> None:
        now = loop_link._monotonic()
        monkeypatch.setattr(loop_link, "_monotonic", lambda: now)
        links, link = LoopLinks(), opened(ours)
        assert link is not None
        links.use(link)
        monkeypatch.setattr(loop_link, "_monotonic", lambda: now + seconds)

        assert (links.usable(ours) is link) is is_usable
        assert link.is_lost is not is_usable
        link.lose(RedisConnectionError("the test is over"))

    asyncio.run(body())


def test_a_push_into_a_full_socket_is_sent_when_there_is_room(ours: Redis) -> None:
    async def body() -> None:
        with talking(ours) as (link, there):
            filled = 0
            with suppress(BlockingIOError):
                while True:
                    filled += link._sock.send(b"x" * 65_536)
            push = asyncio.create_task(link.push(PUSH))
            second = asyncio.create_task(link.push(PUSH))
            await asyncio.sleep(0)
            there.setblocking(False)
            received = b""
            async with asyncio.timeout(30):
                while received.count(b"LPUSH") < 2:
                    with suppress(BlockingIOError):
                        received += there.recv(1_000_000)
                    await asyncio.sleep(0)
            there.sendall(b":1\r\n" * 4)
            assert await push
            assert await second
            assert received[filled:] == b"".join(map(link._link.packed, PUSH * 2))

    asyncio.run(body())


def test_a_push_that_cannot_be_written_raises(ours: Redis) -> None:
    async def body() -> None:
        with talking(ours) as (link, there):
            there.close()
            await link.push(PUSH)

    with pytest.raises(StoreUnavailable):
        asyncio.run(body())


def test_a_connection_that_is_left_closes_at_once_if_no_push_waits(ours: Redis) -> None:
    async def body() -> None:
        with talking(ours) as (link, _):
            link.leave()
            link.leave()
            assert link.is_lost

    asyncio.run(body())


def test_a_loop_without_a_connection_to_a_server_pushes_by_threads(
    ours: Redis, redis_url: str, free_port: int
) -> None:
    async def body() -> None:
        links, link = LoopLinks(), opened(ours)
        assert links.usable(ours) is None
        links.use(None)
        assert links.usable(ours) is None
        links.use(link)
        assert links.usable(ours) is link
        assert links.usable(None) is None
        assert link is not None
        assert link._sock.gettimeout() == 0, "it never blocks the loop"
        link.pid -= 1  # as in a forked child
        assert links.usable(ours) is None

        with closing(connect(redis_url)) as of_a_worker:
            assert not any(links.is_due(of_a_worker) for _ in range(2 * OFTEN))
        link.lose(RedisConnectionError("the test is over"))

    asyncio.run(body())
    assert opened(client(f"redis://127.0.0.1:{free_port}", 1)) is None


def test_a_connection_to_another_server_replaces_that_of_the_loop(ours: Redis, redis_url: str) -> None:
    async def body() -> None:
        with closing(connect(redis_url, namespace="other", is_application=True)) as other:
            links, first, second = LoopLinks(), opened(ours), opened(other)
            links.use(first)
            links.use(second)
            assert first is not None
            assert second is not None
            assert (first.is_lost, links.usable(other), links.usable(ours)) == (True, second, None)
            second.lose(RedisConnectionError("the test is over"))

    asyncio.run(body())
