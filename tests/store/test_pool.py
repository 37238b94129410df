"""Connections follow the primary, and do not outlive what breaks them."""

from __future__ import annotations

import gc
import socket
import threading
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from clock.clocks import monotonic
from clock.errors import StoreError, StoreUnavailable
from clock.store import keys
from clock.store.jobs.delayed import Nearer
from clock.store.ledger.lease import Lease
from clock.store.server import pool
from clock.store.server.client import client
from clock.store.server.connection import connect, lent, translated
from clock.store.server.pool import Limits, Pool
from tests.patience import eventually
from tests.process.moving_address import MovingAddress
from tests.servers import Servers, port_of, push


@pytest.fixture
def server(servers: Servers) -> Redis:
    return servers.start()


@pytest.fixture
def redis(server: Redis) -> Iterator[Redis]:
    found = connect(f"redis://127.0.0.1:{port_of(server)}/0", max_connections=5)
    yield found
    found.close()


def others(server: Redis) -> set[str]:
    """The ids of the connections to a server, but for the test's own and a replica's."""
    mine = server.client_id()
    listed = [each for each in server.client_list() if not set(each["flags"]) & set("MS")]
    return {each["id"] for each in listed if int(each["id"]) != mine}


def open_some(redis: Redis, count: int) -> None:
    """Leave so many idle connections in the pool."""
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(lent(redis))


def become_replica(server: Redis) -> None:
    server.replicaof("127.0.0.1", "1")


def test_one_refused_write_closes_all_connections_to_a_replica(server: Redis, redis: Redis) -> None:
    open_some(redis, 4)
    assert len(others(server)) == 4

    become_replica(server)
    with pytest.raises(StoreUnavailable) as caught, translated():
        redis.set("x", 1)

    assert caught.value.cause == "read_only"
    assert others(server) == set()


def test_a_refused_command_leaves_nothing_that_holds_its_connection(redis: Redis) -> None:
    """A cycle would keep its socket open until the next garbage collection, which is frozen in a worker."""
    connections: Any = redis.connection_pool
    link = connections.new_link()
    link.connect()
    link.send_command("LPUSH", "x")
    gc.disable()
    try:
        with suppress(ResponseError):
            link.read_response()
        held = weakref.ref(link)
        link.disconnect()
        del link
        assert held() is None
    finally:
        gc.enable()


def test_a_connection_in_use_is_closed_when_it_comes_back(server: Redis, redis: Redis) -> None:
    with lent(redis) as link:
        become_replica(server)
        with suppress(StoreUnavailable), translated():
            redis.set("x", 1)
        [held] = others(server)
        link.send_command("CLIENT", "ID")
        assert link.read_response() == int(held)

    assert others(server) == set()


def test_a_subscription_leaves_with_the_others(server: Redis, redis: Redis) -> None:
    nearer = Nearer(redis)
    nearer.wait(0.01)
    subscribed = others(server)

    become_replica(server)
    with suppress(StoreUnavailable), translated():
        redis.set("x", 1)
    nearer.wait(0.01)

    assert len(others(server)) == 1
    assert not others(server) & subscribed


def test_a_wait_ends_when_its_server_becomes_a_replica(server: Redis, redis: Redis) -> None:
    lease = Lease(redis, identity="a", release="1", rank=1)
    timer = threading.Timer(0.2, become_replica, [server])
    timer.start()

    with pytest.raises(StoreUnavailable) as caught:
        lease.wait_for_hand_over(60)

    timer.join()
    assert caught.value.cause in ("unblocked", "read_only")
    assert others(server) == set()


@pytest.mark.process
def test_a_push_that_a_replica_refuses_is_sent_to_the_primary_once(server: Redis, servers: Servers) -> None:
    new = servers.start()
    address = MovingAddress(port_of(server))
    redis = connect(f"redis://127.0.0.1:{address.port}/0", max_connections=2, is_application=True)
    push(redis)

    become_replica(server)
    address.target = port_of(new)
    push(redis)

    assert (server.llen(keys.queue("default")), new.llen(keys.queue("default"))) == (1, 1)
    redis.close()
    address.close()


def test_a_push_that_every_server_refuses_raises(server: Redis, redis: Redis) -> None:
    become_replica(server)

    with pytest.raises(StoreUnavailable, match="read-only replica"):
        push(redis)


def test_connections_that_the_server_has_closed_are_opened_again(server: Redis, redis: Redis) -> None:
    open_some(redis, 3)
    for each in others(server):
        server.client_kill_filter(each)

    for _ in range(3):
        push(redis)

    assert server.llen(keys.queue("default")) == 3


def test_a_connection_that_was_unused_for_long_is_opened_again(
    server: Redis, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = others(server)
    assert redis.ping()
    assert others(server) == before

    monkeypatch.setattr(pool, "UNUSED_SECONDS", -1.0)
    assert redis.ping()

    assert len(others(server)) == 1
    assert not others(server) & before


def test_a_server_with_too_many_clients_is_named_and_used_when_it_has_room(server: Redis, redis: Redis) -> None:
    redis.close()
    room = server.config_get("maxclients")["maxclients"]
    server.config_set("maxclients", 1)

    with pytest.raises(StoreUnavailable, match="accepts no more clients") as caught, translated():
        redis.ping()
    assert caught.value.cause == "too_many_clients"

    server.config_set("maxclients", str(room))
    assert redis.ping()


def test_a_pool_without_a_free_connection_says_so(redis: Redis, server: Redis) -> None:
    only = client(f"redis://127.0.0.1:{port_of(server)}/0", 1, Limits(wait=0.05, connect=5, answer=5))

    with (
        lent(only),
        pytest.raises(StoreUnavailable, match="No connection to Redis is free") as caught,
        translated(),
    ):
        only.ping()

    assert caught.value.cause == "no_free_connection"
    only.close()


@pytest.mark.slow
def test_a_wait_is_longer_than_the_limit_of_an_answer(server: Redis) -> None:
    limits = Limits(wait=1, connect=5, answer=0.3)
    redis = client(f"redis://127.0.0.1:{port_of(server)}/0", 1, limits)

    assert not Lease(redis, identity="a", release="1", rank=1).wait_for_hand_over(1.0)

    server.client_pause(5_000)
    with pytest.raises(StoreUnavailable, match="does not answer") as caught, translated():
        redis.ping()
    assert caught.value.cause == "no_answer"
    redis.close()


def test_a_user_that_was_removed_is_told_at_the_next_command(server: Redis) -> None:
    server.acl_setuser("me", enabled=True, passwords=["+secret"], keys=["*"], categories=["+@all"])
    redis = connect(f"redis://me:secret@127.0.0.1:{port_of(server)}/0")
    server.acl_deluser("me")
    eventually(
        lambda: all(one["user"] != "me" for one in server.client_list()), lambda: "its connection is closed"
    )

    with pytest.raises(StoreError) as caught, translated():
        redis.ping()

    assert caught.value.cause == "wrong_password"
    assert "secret" not in str(caught.value)
    redis.close()


@pytest.fixture
def own(redis_url: str) -> Iterator[Pool]:
    """A pool with one connection, which is open and free. Its limits: 20 s, 4 s, 10 s, and 2 s for a push."""
    with closing(client(redis_url, 1, Limits(wait=20, connect=4, answer=10, push=2))) as redis:
        found = redis.connection_pool
        assert isinstance(found, Pool)
        found.release(found.take())
        yield found


@pytest.mark.parametrize(
    ("within", "waits", "seconds"),
    [
        (None, 0.0, 10.0),
        (None, 3.0, 13.0),
        (60.0, 0.0, 10.0),
        (9.95, 0.0, 10.0),  # so little was spent that the limit need not change
        (9.875, 0.0, 9.875),
        (5.0, 0.0, 5.0),
        (5.0, 3.0, 8.0),
        (1e-9, 0.0, 0.01),
    ],
)
def test_an_answer_may_take_what_is_left_of_the_time_of_all(
    own: Pool, monkeypatch: pytest.MonkeyPatch, within: float | None, waits: float, seconds: float
) -> None:
    monkeypatch.setattr(pool, "monotonic", lambda: 4096.0)

    link = own.take(within, waits)

    assert link._sock.gettimeout() == seconds
    own.release(link)


@pytest.mark.parametrize(("within", "least", "most"), [(None, 4, 4), (60.0, 4, 4), (7.0, 3, 3.5), (1.0, 0.4, 0.5)])
def test_a_connection_is_opened_to_two_addresses_within_the_time_of_all(
    own: Pool, within: float | None, least: float, most: float
) -> None:
    own.disconnect()

    link = own.take(within)

    seconds = link.socket_connect_timeout
    assert seconds is not None
    assert least <= seconds <= most
    own.release(link)


@pytest.mark.parametrize("within", [0, -0.1])
def test_without_time_no_connection_is_taken(own: Pool, within: float) -> None:
    with pytest.raises(StoreUnavailable, match="No connection to Redis is free"), translated():
        own.take(within)

    own.release(own.take(0.5))


@pytest.mark.parametrize(("seconds", "is_same"), [(29.5, True), (30.5, False)])
def test_a_connection_is_opened_again_if_it_was_unused_for_half_a_minute(
    own: Pool, monkeypatch: pytest.MonkeyPatch, seconds: float, is_same: bool
) -> None:
    link = own.take()
    before, now = link._sock, monotonic() + 1000
    monkeypatch.setattr(pool, "monotonic", lambda: now)
    own.release(link)

    monkeypatch.setattr(pool, "monotonic", lambda: now + seconds)
    again = own.take()

    assert (again._sock is before) is is_same
    own.release(again)


def test_an_open_connection_is_taken_for_a_push_and_another_is_not(own: Pool) -> None:
    link = own.take_open()
    assert link is not None
    assert link._sock.gettimeout() == 2
    assert own.take_open() is None, "it is the only one"
    own.release(link)

    link.disconnect()  # type: ignore[no-untyped-call]  # untyped there
    assert own.take_open() is None
    assert own.take(0.5) is link, "it is still in the pool"
    own.release(link)


def test_a_forked_child_takes_no_open_connection_of_its_parent(own: Pool) -> None:
    own.pid -= 1

    assert own.take_open() is None


def test_a_connection_that_cannot_be_made_leaves_its_place_free(
    own: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.reset()  # type: ignore[no-untyped-call]  # untyped there

    def fail() -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(own, "make_connection", fail)
        with pytest.raises(MemoryError):
            own.take(0.5)

    own.release(own.take(0.5))


def test_a_connection_from_before_the_pool_left_is_closed_when_it_returns(own: Pool) -> None:
    link = own.take()
    assert not own.has_left(link)

    own.leave()

    assert own.has_left(link)
    assert link._sock is not None
    own.release(link)
    assert link._sock is None


def test_a_connection_that_a_fork_interrupts_leaves_no_second_place(own: Pool) -> None:
    link = own.take()
    own.reset()  # type: ignore[no-untyped-call]  # untyped there; as in the child

    own.release(link)

    taken = own.take(0.5)
    assert own.take_open() is None
    own.release(taken)


def test_a_connection_that_is_lost_makes_the_pool_leave_its_server(own: Pool) -> None:
    link = own.take()
    link._sock.shutdown(socket.SHUT_RDWR)

    with pytest.raises(RedisConnectionError):
        link.exchange(b"PING\r\n", 1)
    own.release(link)

    assert own.has_left(link)


def test_commands_that_cannot_be_sent_to_a_socket_name_it(redis_url: str) -> None:
    if not redis_url.startswith("unix:"):
        pytest.skip("the server of CLOCK_TEST_REDIS_URL is not reached by a socket file")
    with closing(client(redis_url, 1, Limits(wait=20, connect=4, answer=10))) as redis:
        link: Any = redis.connection_pool.get_connection()
        link._sock.shutdown(socket.SHUT_RDWR)

        with pytest.raises(RedisConnectionError) as caught:
            link.send_command("PING")
        redis.connection_pool.release(link)

    assert caught.value.__notes__ == [f"Socket: {link.path}"]


def test_a_connection_that_another_thread_closes_while_it_reads_is_lost_or_has_its_answer(own: Pool) -> None:
    link = own.take()
    received = link._sock.recv_into

    class ClosedWhileRead:
        """The socket, whose connection is closed after an answer has arrived and before it is parsed."""

        def __getattr__(self, name: str) -> object:
            return getattr(link._sock, name)

        def recv_into(self, *args: object) -> int:
            count = received(*args)
            link.disconnect()  # type: ignore[no-untyped-call]  # untyped there
            return int(count)

    link.send_command("PING")  # type: ignore[no-untyped-call]  # untyped there
    link._parser._sock = ClosedWhileRead()

    with suppress(RedisConnectionError):  # redis-py 5 has lost the answer
        assert link.read_response() in (b"PONG", "PONG")
    own.release(link)
