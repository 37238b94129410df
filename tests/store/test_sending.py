"""A push by an open connection: what is sent again, and what is not."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import NamedTuple

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from clock.errors import StoreError, StoreUnavailable
from clock.store.server import sending
from clock.store.server.client import PUSH_SECONDS
from clock.store.server.connection import connect
from clock.store.server.pool import Link, Place, Pool
from clock.store.server.sending import (
    Command,
    ask,
    ask_all,
    ask_script,
    checked,
    push_seconds,
    send,
    send_one,
    send_to_places,
)
from tests.servers import push
from tests.store.talking import port_in, serving

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


REFUSAL = b"-READONLY You can't write against a read only replica.\r\n"


class Noting:
    """Answers the commands of pushes in their order; `received` are their last words. After them it answers 1."""

    def __init__(self, *answers: bytes | None) -> None:
        self.received: list[str] = []
        self._answers = list(answers)

    def __call__(self, words: list[bytes]) -> bytes | None:
        if words[0] in (b"INFO", b"CLIENT"):
            return READY[words[0]]
        self.received.append(words[1 if words[0] == b"WAIT" else -1].decode())
        return self._answers.pop(0) if self._answers else b":1\r\n"


def lpush(*values: str) -> list[Command]:
    return [("LPUSH", QUEUE, value) for value in values]


def durable(*values: str) -> list[Command]:
    """A batch that one replica must have."""
    return [*lpush(*values), ("WAIT", 1, 1000)]


def test_an_error_has_the_number_of_batches_that_were_answered() -> None:
    server = Noting(b":1\r\n", b":1\r\n", None)

    with serving(server) as url, closing(connect(url)) as redis, pytest.raises(StoreUnavailable) as caught:
        send(redis, [lpush("a"), lpush("b"), lpush("c"), lpush("d")], within=30)

    assert caught.value.answered == 2
    assert "d" not in server.received


def test_without_commands_nothing_is_sent() -> None:
    server = Noting()

    with serving(server) as url, closing(connect(url)) as redis:
        send(redis, [], within=30)
        send_to_places([], within=30)

    assert server.received == []


def test_of_a_batch_only_the_refused_commands_are_sent_again() -> None:
    server = Noting(b":1\r\n", REFUSAL, b":1\r\n")

    with serving(server) as url, closing(connect(url)) as redis:
        send(redis, [lpush("a", "b", "c"), lpush("d")], within=30)

    assert server.received == ["a", "b", "c", "b", "d"]


@pytest.mark.parametrize("is_open", [False, True])
def test_a_refused_push_is_sent_again_once(is_open: bool) -> None:
    server = Noting(REFUSAL, REFUSAL, REFUSAL)

    with serving(server) as url, closing(connect(url, is_application=True)) as redis:
        if not is_open:
            redis.connection_pool.disconnect()
        with pytest.raises(StoreUnavailable) as caught:
            send_one(redis, lpush("a"), within=30)

    assert caught.value.cause == "read_only"
    assert server.received == ["a"] * (3 if is_open else 2)


def test_of_a_push_by_an_open_connection_only_the_refused_commands_are_sent_again() -> None:
    server = Noting(b":1\r\n", REFUSAL, b":1\r\n")

    with serving(server) as url, closing(connect(url, is_application=True)) as redis:
        send_one(redis, lpush("a", "b", "c"), within=30)

    assert server.received == ["a", "b", "c", "b"]


def test_replicas_confirm_a_durable_push() -> None:
    server = Noting()

    with serving(server) as url, closing(connect(url, is_application=True)) as redis:
        send_one(redis, durable("a", "b"), within=30)

    assert server.received == ["a", "b", "1"]


@pytest.mark.parametrize("wait", [b":0\r\n", REFUSAL])
def test_a_push_that_no_replica_confirms_raises_and_is_not_sent_again(wait: bytes) -> None:
    server = Noting(b":1\r\n", b":1\r\n", wait)

    with (
        serving(server) as url,
        closing(connect(url, is_application=True)) as redis,
        pytest.raises(StoreError, match="0 of 1 confirmed it") as caught,
    ):
        send_one(redis, durable("a", "b"), within=30)

    assert caught.value.cause == "not_replicated"
    assert server.received == ["a", "b", "1"]


@pytest.mark.parametrize(
    ("answers", "again"),
    [
        ([REFUSAL, REFUSAL, REFUSAL], ["a", "b", "1"]),
        ([b":1\r\n", REFUSAL, b":1\r\n"], ["b", "1"]),
        ([REFUSAL, b":1\r\n", b":2\r\n"], ["a", "1"]),
    ],
)
def test_refused_commands_of_a_durable_push_are_sent_again_and_confirmed(
    answers: list[bytes], again: list[str]
) -> None:
    server = Noting(*answers)

    with serving(server) as url, closing(connect(url)) as redis:
        send(redis, [durable("a", "b")], within=30)

    assert server.received == ["a", "b", "1", *again]


def test_a_batch_goes_to_all_its_places() -> None:
    one, two = Noting(), Noting()

    with (
        serving(one) as first,
        serving(two) as second,
        closing(connect(first)) as here,
        closing(connect(second)) as there,
    ):
        send_to_places([[(here, lpush("a")), (there, lpush("b", "c"))], [(there, lpush("d"))]], within=30)

    assert (one.received, two.received) == (["a"], ["b", "c", "d"])


def test_commands_that_one_place_refuses_are_sent_there_again() -> None:
    one, two = Noting(REFUSAL), Noting()

    with (
        serving(one) as first,
        serving(two) as second,
        closing(connect(first)) as here,
        closing(connect(second)) as there,
    ):
        send_to_places([[(here, lpush("a")), (there, lpush("b"))]], within=30)

    assert (one.received, two.received) == (["a", "a"], ["b"])


def test_an_error_of_a_place_has_the_number_of_batches_that_all_places_have_answered() -> None:
    one, two = Noting(), Noting(b":1\r\n", b":1\r\n", None)

    with (
        serving(one) as first,
        serving(two) as second,
        closing(connect(first)) as here,
        closing(connect(second)) as there,
    ):
        batches = ([(here, lpush(text)), (there, lpush(text))] for text in "abcd")
        with pytest.raises(StoreUnavailable) as caught:
            send_to_places(batches, within=30)

    assert caught.value.answered == 2
    assert "d" not in two.received


def test_a_batch_that_cannot_be_made_leaves_connections_that_work() -> None:
    server = Noting()

    def batches(redis: Redis) -> Iterator[list[tuple[Redis, list[Command]]]]:
        yield [(redis, lpush("a"))]
        raise ZeroDivisionError

    with serving(server) as url, closing(connect(url)) as redis:
        with pytest.raises(ZeroDivisionError):
            send_to_places(batches(redis), within=30)
        send(redis, [lpush("b")], within=30)

    assert server.received == ["a", "b"]


def test_a_push_may_take_as_long_as_its_client_says(redis_url: str) -> None:
    with closing(connect(redis_url, push_seconds=2.5)) as redis:
        assert push_seconds(redis) == 2.5
    with Redis() as of_the_library:
        assert push_seconds(of_the_library) == PUSH_SECONDS


def test_a_command_that_the_server_refuses_for_good_is_not_sent_again() -> None:
    server = Noting(b"-WRONGTYPE of another kind\r\n")

    with serving(server) as url, closing(connect(url)) as redis, pytest.raises(StoreError) as caught:
        send(redis, [lpush("a")], within=30)

    assert caught.value.cause == "wrong_type"
    assert server.received == ["a"]


class Node(Noting):
    """A node of a cluster, which names `owner` as the node that has all slots."""

    owner = 0

    def __call__(self, words: list[bytes]) -> bytes | None:
        if words[0] == b"CLUSTER":
            return b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n" % self.owner
        return super().__call__(words)

    def answer(self, *answers: bytes) -> None:
        """Give these answers next."""
        self._answers.extend(answers)


class FakeCluster(NamedTuple):
    """The node that owns the slot, another node with its port, and a client."""

    owner: Node
    other: Node
    port: int
    redis: Redis


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeCluster]:
    monkeypatch.setattr(sending, "PAUSE_SECONDS", 0.001)
    owner, other = Node(), Node()
    with serving(owner) as here, serving(other) as there:
        owner.owner = other.owner = port_in(here)
        with closing(connect(f"redis+cluster://127.0.0.1:{owner.owner}", namespace="shop")) as redis:
            yield FakeCluster(owner, other, port_in(there), redis)


def ask_of(cluster: FakeCluster) -> bytes:
    return b"-ASK 7 127.0.0.1:%d\r\n" % cluster.port


AGAIN = b"-TRYAGAIN Multiple keys request during rehashing of slot\r\n"


def test_while_a_slot_moves_a_command_goes_to_the_node_that_has_its_key(cluster: FakeCluster) -> None:
    cluster.owner.answer(b":1\r\n", ask_of(cluster), b":1\r\n")

    send(cluster.redis, [lpush("a", "b", "c"), lpush("d")], within=30)

    assert cluster.owner.received == ["a", "b", "c", "d"]
    assert cluster.other.received == ["ASKING", "b"]


def test_commands_that_both_nodes_of_a_moving_slot_refuse_are_sent_until_one_runs_them(
    cluster: FakeCluster,
) -> None:
    cluster.owner.answer(ask_of(cluster), ask_of(cluster))
    cluster.other.answer(b"+OK\r\n", AGAIN, b"+OK\r\n", b":1\r\n")

    send(cluster.redis, [lpush("a", "b")], within=30)

    assert cluster.owner.received == ["a", "b", "a"]
    assert cluster.other.received == ["ASKING", "a", "ASKING", "b"]


def test_a_command_that_a_moving_slot_refuses_is_sent_again_until_its_time_is_over(cluster: FakeCluster) -> None:
    cluster.owner.answer(*[AGAIN] * 5)
    send(cluster.redis, [lpush("a")], within=30)
    assert cluster.owner.received == ["a"] * 6


def test_a_command_that_a_moving_slot_refuses_at_one_place_is_sent_there_again(cluster: FakeCluster) -> None:
    cluster.owner.answer(AGAIN)

    send_to_places([[(cluster.redis, lpush("a"))]], within=30)

    assert cluster.owner.received == ["a", "a"]


class Waits:
    """A clock on which only waits take time. They return at once."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, _: object, seconds: float) -> bool:
        self.seconds += seconds
        return False


def test_a_command_that_a_moving_slot_refuses_until_its_time_is_over_raises_why(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Waits()
    monkeypatch.setattr(sending, "SystemClock", lambda: clock)
    monkeypatch.setattr(sending, "monotonic", clock.monotonic)
    monkeypatch.setattr(sending, "PAUSE_SECONDS", 100)
    cluster.owner.answer(*[AGAIN] * 1_000)

    with pytest.raises(StoreUnavailable) as caught:
        send(cluster.redis, [lpush("b")], within=300)

    assert caught.value.cause == "try_again"
    assert cluster.owner.received == ["b"] * 3


def test_the_node_that_has_the_key_may_take_the_time_that_is_left(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, given = Waits(), list[float]()
    clock.seconds = 100.0
    monkeypatch.setattr(sending, "monotonic", clock.monotonic)
    monkeypatch.setattr(sending, "PAUSE_SECONDS", 1)
    link_to = Pool.link_to

    def link_noting(pool: Pool, node: Place, seconds: float) -> Link:
        given.append(seconds)
        return link_to(pool, node, seconds)

    monkeypatch.setattr(Pool, "link_to", link_noting)

    for within in (30.0, 0.5):  # the shorter one is as long as a pause, at least
        cluster.owner.answer(ask_of(cluster))
        send(cluster.redis, [lpush("a")], within=within)

    assert given == [30, 1]


def test_a_slot_that_has_moved_is_followed(cluster: FakeCluster) -> None:
    cluster.owner.answer(b"-MOVED 7 127.0.0.1:%d\r\n" % cluster.port)
    cluster.owner.owner = cluster.other.owner = cluster.port

    send(cluster.redis, [lpush("a")], within=30)

    assert cluster.other.received == ["a"]


def test_replicas_of_the_node_that_has_the_key_confirm_a_durable_push(cluster: FakeCluster) -> None:
    cluster.owner.answer(*[ask_of(cluster)] * 2)

    send(cluster.redis, [durable("a")], within=30)

    assert cluster.other.received == ["ASKING", "a", "ASKING", "1"]


@pytest.mark.parametrize(
    ("answers", "cause"),
    [
        ([b"+OK\r\n", b":1\r\n", b"+OK\r\n", b":0\r\n"], "not_replicated"),
        ([b"+OK\r\n", b":1\r\n", b"+OK\r\n", AGAIN], "not_replicated"),
        ([b"+OK\r\n", b"-WRONGTYPE of another kind\r\n"], "wrong_type"),
    ],
)
def test_a_push_that_fails_at_the_node_that_has_the_key_raises(
    cluster: FakeCluster, answers: list[bytes], cause: str
) -> None:
    cluster.owner.answer(*[ask_of(cluster)] * 2)
    cluster.other.answer(*answers)

    with pytest.raises(StoreError) as caught:
        send(cluster.redis, [durable("a")], within=30)

    assert caught.value.cause == cause
    assert ("0 of 1 confirmed it" in str(caught.value)) is (cause == "not_replicated")
    assert cluster.owner.received == ["a", "1"]


def test_commands_of_one_round_trip_are_all_answered_though_one_is_refused(redis: Redis) -> None:
    redis.set("text", "no list")

    answers = ask_all(redis, [("INCR", "number"), ("LPUSH", "text", "a"), ("INCR", "number")])

    assert (answers[0], answers[2]) == (1, 2)
    assert isinstance(answers[1], ResponseError)
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        checked(answers)
    assert redis.get("number") == b"2"


class Held:
    """Something that the caller of a command has."""


def held_by_a_caller(call: Callable[[], object]) -> weakref.ref[Held]:
    held = Held()
    with suppress(ResponseError):
        call()
    return weakref.ref(held)


@pytest.mark.parametrize(
    "call",
    [
        lambda redis: ask(redis, "LPUSH", "x")(),
        lambda redis: checked(ask_all(redis, [("LPUSH", "x"), ("LPUSH", "y")])),
        lambda redis: ask_all(redis, [("LPUSH", "x")])[0],
    ],
)
def test_a_refused_command_leaves_nothing_that_holds_what_its_caller_has(
    redis: Redis, call: Callable[[Redis], object]
) -> None:
    """A cycle of the error would hold it until the next garbage collection."""
    gc.disable()
    try:
        assert held_by_a_caller(lambda: call(redis))() is None
    finally:
        gc.enable()


def test_a_script_is_loaded_again_after_the_server_has_forgotten_it(redis: Redis) -> None:
    counts = redis.register_script("return redis.call('INCR', KEYS[1])")
    command = ("EVALSHA", counts.sha, 1, "number")

    first = ask_script(redis, counts, [command])
    redis.script_flush()
    again = ask_script(redis, counts, [("PING",), command])

    assert (first, again) == ([1], [b"PONG", 2])
