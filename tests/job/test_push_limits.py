"""A push ends within its limit, whatever Redis does, and its error says what is in Redis."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from clock import Job
from clock.errors import ConfigurationError, StoreUnavailable
from clock.store.server.connection import connect, set_default
from tests.servers import Servers, port_of
from tests.store.talking import serving, silent

SECONDS = 1.0  # the limit of a push
SLACK = 4.0  # so many times longer may a busy machine take; forty threads in turn would take forty times


class SendJob(Job):
    def perform(self, number: int) -> None: ...


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CLOCK_PUSH_TIMEOUT", str(SECONDS))
    set_default(None)
    yield
    set_default(None)


def failure(number: int) -> BaseException | None:
    try:
        SendJob.perform_async(number)
    except StoreUnavailable as error:
        return error
    return None


def push_from_many_threads() -> list[BaseException | None]:
    with ThreadPoolExecutor(40) as threads:
        return list(threads.map(failure, range(40)))


@pytest.mark.process
def test_pushes_of_many_threads_fail_within_the_limit_and_so_does_the_next_one(servers: Servers) -> None:
    server = servers.start()
    pid = server.info("server")["process_id"]
    url = f"redis://127.0.0.1:{port_of(server)}/0"
    redis = connect(url, max_connections=10, push_seconds=SECONDS, is_application=True)
    set_default(redis)
    assert SendJob.perform_async(0)

    os.kill(pid, signal.SIGSTOP)
    begun = time.monotonic()
    failures = push_from_many_threads()
    first = time.monotonic() - begun
    next_one = failure(41)
    both = time.monotonic() - begun
    os.kill(pid, signal.SIGCONT)

    assert [str(error) for error in failures if not isinstance(error, StoreUnavailable)] == []
    assert isinstance(next_one, StoreUnavailable)
    assert first < SLACK * SECONDS
    assert both - first < SLACK * SECONDS
    assert SendJob.perform_async(42), "Redis is back"
    redis.close()


@pytest.mark.slow
def test_first_pushes_of_many_threads_fail_within_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    with silent() as url:
        monkeypatch.setenv("REDIS_URL", url)
        begun = time.monotonic()
        failures = push_from_many_threads()

    assert all(isinstance(error, StoreUnavailable) for error in failures)
    assert time.monotonic() - begun < SLACK * SECONDS


@pytest.mark.slow
def test_awaited_pushes_to_a_silent_server_leave_the_applications_threads_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run() -> tuple[bool, list[str | BaseException]]:
        pushes = [asyncio.create_task(SendJob.aperform_async(number)) for number in range(40)]
        await asyncio.sleep(0)
        await asyncio.to_thread(time.monotonic)
        waited = any(push.done() for push in pushes)
        return waited, await asyncio.gather(*pushes, return_exceptions=True)

    with silent() as url:
        monkeypatch.setenv("REDIS_URL", url)
        begun = time.monotonic()
        waited, found = asyncio.run(run())

    assert not waited, "to_thread waited for a push"
    assert [error for error in found if not isinstance(error, StoreUnavailable)] == []
    assert time.monotonic() - begun < SLACK * SECONDS


@pytest.mark.parametrize("is_awaited", [False, True])
def test_a_bulk_push_that_is_cut_off_says_how_many_jobs_redis_has(is_awaited: bool) -> None:
    answers = {b"INFO": b"$21\r\nredis_version:7.4.0\r\n\r\n", b"CLIENT": b"+OK\r\n", b"SADD": b":1\r\n"}
    lists = 0

    def answer(words: list[bytes]) -> bytes | None:
        nonlocal lists
        lists += words[0] == b"LPUSH"
        return None if lists > 3 else answers.get(words[0], b":1000\r\n")

    with serving(answer) as url:
        redis = connect(url, is_application=True)
        set_default(redis)
        jobs = [[number] for number in range(5500)]
        with pytest.raises(StoreUnavailable) as caught:
            _ = asyncio.run(SendJob.aperform_bulk(jobs)) if is_awaited else SendJob.perform_bulk(jobs)
        redis.close()

    assert caught.value.pushed == 3000
    assert str(caught.value).endswith(
        "3000 of 5500 jobs were pushed before; the next 1000 may have been pushed, too."
    )


@pytest.mark.process
def test_a_child_process_pushes_by_threads_of_its_own(servers: Servers) -> None:
    server = servers.start()
    redis = connect(f"redis://127.0.0.1:{port_of(server)}/0", max_connections=10, is_application=True)
    set_default(redis)
    asyncio.run(SendJob.aperform_async(1))

    pid = os.fork()
    if pid == 0:
        asyncio.run(SendJob.aperform_async(2))
        SendJob.perform_async(3)
        os._exit(0)
    _, status = os.waitpid(pid, 0)

    assert status == 0
    assert server.llen("queue:default") == 3
    assert SendJob.perform_async(4)
    redis.close()


def test_a_limit_that_is_no_number_of_seconds_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("CLOCK_PUSH_TIMEOUT", "soon")

    with pytest.raises(
        ConfigurationError,
        match="the environment variable CLOCK_PUSH_TIMEOUT: push_timeout is 'soon'; it must be a number",
    ):
        SendJob.perform_async(1)
