"""A primary behind sentinels that hangs, refuses to write or still loads its data is left soon."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from clock.clocks import SystemClock
from clock.errors import StoreUnavailable
from clock.store.server.connection import connect
from tests.patience import PATIENCE_SECONDS, eventually
from tests.servers import Servers, free_port, port_of, push

pytestmark = [pytest.mark.process, pytest.mark.slow]

NO_DELAY = ("--repl-diskless-sync-delay", "0")


@pytest.fixture
def primary(servers: Servers) -> Iterator[Redis]:
    found = servers.start(*NO_DELAY)
    pid = int(found.info("server")["process_id"])
    yield found
    os.kill(pid, signal.SIGCONT)


@pytest.fixture
def replica(servers: Servers, primary: Redis) -> Redis:
    found = servers.start(*NO_DELAY, "--replicaof", f"127.0.0.1 {port_of(primary)}")
    eventually(lambda: found.info("replication")["master_link_status"] == "up", "the replica")
    return found


@pytest.fixture
def url(servers: Servers, primary: Redis, replica: Redis) -> str:
    """The URL of a service whose sentinel promotes the replica half a second after the primary has gone."""
    lines = [
        f"sentinel monitor main 127.0.0.1 {port_of(primary)} 1",
        "sentinel down-after-milliseconds main 500",
        "sentinel failover-timeout main 2000",
    ]
    sentinel = servers.start_sentinel("\n".join(lines))
    eventually(lambda: len(sentinel.sentinel_slaves("main")) == 1, "a sentinel that knows the replica")
    return f"redis+sentinel://127.0.0.1:{port_of(sentinel)}/main/0"


def starts_fail_over(sentinel: Redis) -> bool:
    """Whether the sentinel starts a fail-over now."""
    try:
        sentinel.execute_command("SENTINEL FAILOVER", "main")  # type: ignore[no-untyped-call]  # untyped there
    except ResponseError:
        return False
    return True


def patiently(push_one: Callable[[], object]) -> int:
    """Push until it succeeds; how many pushes failed before."""
    clock, failed = SystemClock(), 0
    end = clock.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            push_one()
        except StoreUnavailable:
            failed += 1
            assert clock.monotonic() < end, "no push succeeded"
        else:
            return failed


def test_a_primary_that_hangs_with_open_connections_is_left_within_the_push_timeout(
    primary: Redis, replica: Redis, url: str
) -> None:
    redis, clock = connect(url, push_seconds=1.0, is_application=True), SystemClock()
    push(redis)
    os.kill(int(primary.info("server")["process_id"]), signal.SIGSTOP)
    began = clock.monotonic()

    with pytest.raises(StoreUnavailable) as raised:
        push(redis)
    took = clock.monotonic() - began
    patiently(lambda: push(redis))

    assert raised.value.cause == "no_answer"
    assert took < PATIENCE_SECONDS / 2  # not the minutes that TCP would take
    assert replica.info("replication")["role"] == "master"
    assert replica.llen("queue:default") >= 1
    redis.close()


def test_a_primary_that_became_read_only_is_left_and_the_refused_push_is_sent_to_the_new_one(
    primary: Redis, replica: Redis, url: str
) -> None:
    redis = connect(url, is_application=True)
    push(redis)
    eventually(lambda: replica.llen("queue:default") == 1, "the first push on the replica")
    sentinel = Redis(host="127.0.0.1", port=int(url.split(":")[2].split("/")[0]))
    eventually(lambda: starts_fail_over(sentinel), "a sentinel that finds the replica good")
    sentinel.close()
    eventually(lambda: replica.info("replication")["role"] == "master", "the new primary")
    eventually(lambda: primary.info("replication")["role"] == "slave", "a primary that became a replica")

    patiently(lambda: push(redis))

    assert replica.llen("queue:default") == 2  # refused by READONLY, and pushed once
    redis.close()


def test_a_server_that_loads_its_data_refuses_pushes_until_it_has_loaded_them(
    servers: Servers, tmp_path: Path
) -> None:
    full = servers.start("--dir", str(tmp_path))
    for number in range(300):
        full.set(f"key {number}", "x" * 4_000)
    full.save()
    port, slowly = free_port(), ("--key-load-delay", "5000", "--loading-process-events-interval-bytes", "1024")
    servers.launch("redis-server", "--port", str(port), "--save", "", "--dir", str(tmp_path), *slowly)
    causes = set[str]()

    def pushed() -> bool:
        try:
            redis = connect(f"redis://127.0.0.1:{port}", is_application=True)
            push(redis)
        except StoreUnavailable as error:
            causes.add(error.cause)
            return False
        assert redis.llen("queue:default") == 1
        redis.close()
        return True

    eventually(pushed, lambda: f"a push after the load: {causes}")

    assert "loading" in causes
