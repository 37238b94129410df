"""Which node of a Redis Cluster connections go to: the nodes are fakes that answer over real sockets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import AbstractConnection
from redis.crc import key_slot
from redis.exceptions import AskError, MovedError, RedisError, ResponseError
from redis.retry import Retry

from clock.store.server.connection import connect, lent
from clock.store.server.faults import fault_of
from clock.store.server.guides import MOST_NODES, ClusterNodes
from clock.store.server.pool import Place, TcpLink
from tests.store.talking import Several, port_in, serving

SLOT = key_slot(b"shop")
LOADING = b"-LOADING Redis is loading the dataset in memory\r\n"
NO_PERMISSION = b"-NOPERM no permission for 'cluster'\r\n"
DISABLED = b"-ERR This instance has cluster support disabled\r\n"

Node = tuple[bytes | None, int]  # host and port, as a node names them; None: unknown


def slots(*ranges: tuple[int, int, Sequence[Node]]) -> bytes:
    """The answer to CLUSTER SLOTS: of each range the first and last slot, and its nodes, the owner first."""
    answer = b"*%d\r\n" % len(ranges)
    for first, last, nodes in ranges:
        answer += b"*%d\r\n:%d\r\n:%d\r\n" % (2 + len(nodes), first, last)
        for host, port in nodes:
            name = b"$-1\r\n" if host is None else b"$%d\r\n%s\r\n" % (len(host), host)
            answer += b"*2\r\n%s:%d\r\n" % (name, port)
    return answer


def of(*addresses: Place) -> ClusterNodes:
    return ClusterNodes(addresses, "shop", kind=TcpLink, protocol=2, retry=Retry(NoBackoff(), 0))


ONE, TWO, THREE = (b"10.0.0.1", 7001), (b"10.0.0.2", 7002), (b"10.0.0.3", 7003)


@pytest.mark.parametrize(
    ("answer", "owner"),
    [
        (slots((0, 16_383, [ONE, TWO])), ("10.0.0.1", 7001)),
        (slots((0, SLOT - 1, [ONE]), (SLOT, SLOT, [TWO]), (SLOT + 1, 16_383, [THREE])), ("10.0.0.2", 7002)),
        (slots((0, SLOT, [ONE]), (SLOT + 1, 16_383, [TWO])), ("10.0.0.1", 7001)),
        (slots((0, SLOT - 1, [ONE]), (SLOT, 16_383, [TWO])), ("10.0.0.2", 7002)),
        (slots((0, 16_383, [(b"", 7001)])), ("127.0.0.1", 7001)),
        (slots((0, 16_383, [(b"?", 7001)])), ("127.0.0.1", 7001)),
        (slots((0, 16_383, [(None, 7001)])), ("127.0.0.1", 7001)),
    ],
)
def test_the_owner_of_the_namespaces_slot_is_the_first_node_of_its_range(
    stack: ExitStack, answer: bytes, owner: Place
) -> None:
    nodes = Several(stack, b"CLUSTER", answer)

    assert of(*nodes.addresses).primary() == owner


def test_a_node_that_does_not_answer_is_passed_over_and_the_one_that_answered_is_asked_first_then(
    stack: ExitStack, free_port: int
) -> None:
    nodes = Several(stack, b"CLUSTER", slots((0, 16_383, [ONE])), b"")
    found = of(("127.0.0.1", free_port), *nodes.addresses)

    assert [found.primary() for _ in range(2)] == [("10.0.0.1", 7001)] * 2

    assert nodes.asked == [0, 0]


def test_a_node_that_knows_no_owner_is_passed_over(stack: ExitStack) -> None:
    nodes = Several(stack, b"CLUSTER", slots((0, SLOT - 1, [ONE])), slots((0, 16_383, [TWO])))

    assert of(*nodes.addresses).primary() == ("10.0.0.2", 7002)


def test_nodes_that_another_node_has_named_are_asked_when_it_is_gone(stack: ExitStack) -> None:
    nodes = Several(stack, b"CLUSTER", b"", slots((0, 16_383, [ONE])))
    nodes.answers[0] = slots((0, 16_383, [(None, port) for _, port in nodes.addresses]))
    found = of(nodes.addresses[0])

    assert found.primary() == nodes.addresses[0]
    nodes.answers[0] = LOADING
    assert found.primary() == ("10.0.0.1", 7001)

    assert nodes.asked == [0, 0, 1]


def test_when_the_pool_leaves_an_owner_the_node_that_named_it_is_asked_last(stack: ExitStack) -> None:
    nodes = Several(stack, b"CLUSTER", *[b""] * 3)
    nodes.answers = [slots((0, 16_383, [(None, port) for _, port in nodes.addresses]))] * 3
    found = of(*nodes.addresses)

    found.primary()
    found.turn_to_the_next()
    nodes.answers[1:] = [LOADING] * 2
    found.primary()

    assert nodes.asked == [0, 1, 2, 0]


def test_of_very_many_nodes_only_the_first_are_asked(stack: ExitStack) -> None:
    nodes = Several(stack, b"CLUSTER", *[LOADING] * (MOST_NODES + 1))

    with pytest.raises(RedisError) as caught:
        of(*nodes.addresses).primary()

    assert nodes.asked == list(range(MOST_NODES))
    assert fault_of(caught.value).cause == "unreachable"


def test_the_node_that_a_moved_answer_names_is_asked_first_when_the_pool_leaves_the_old_owner(
    stack: ExitStack,
) -> None:
    nodes = Several(stack, b"CLUSTER", *[slots((0, 16_383, [ONE]))] * 3)
    found = of(*nodes.addresses)

    found.prefer(nodes.addresses[2])
    found.turn_to_the_next()
    found.primary()
    found.turn_to_the_next()  # this owner was none, either
    found.primary()

    assert nodes.asked == [2, 0]


@pytest.mark.parametrize(
    ("answers", "cause"),
    [
        ([slots()], "cluster_down"),
        ([slots(), LOADING], "cluster_down"),
        ([LOADING, DISABLED], "not_a_cluster"),
        ([NO_PERMISSION, DISABLED], "not_a_cluster"),
        ([LOADING, b"-WRONGPASS invalid username-password pair\r\n"], "wrong_password"),
        ([LOADING, NO_PERMISSION], "no_permission"),
        ([LOADING] * 2, "unreachable"),
    ],
)
def test_an_error_says_why_no_node_has_named_the_owner(stack: ExitStack, answers: list[bytes], cause: str) -> None:
    nodes = Several(stack, b"CLUSTER", *answers)

    with pytest.raises(RedisError) as caught:
        of(*nodes.addresses).primary()

    assert fault_of(caught.value).cause == cause


@pytest.fixture
def cluster(stack: ExitStack) -> Callable[[bytes], Redis]:
    """A client of a cluster of one node, which answers all commands so but those of a client that connects."""
    ready = {b"INFO": b"$21\r\nredis_version:7.4.0\r\n\r\n", b"CLIENT": b"+OK\r\n"}

    def connected(answer: bytes) -> Redis:
        def answered(words: list[bytes]) -> bytes:
            if words[0] == b"CLUSTER":
                return slots((0, 16_383, [(None, port)]))
            return ready.get(words[0], answer)

        url = stack.enter_context(serving(answered))
        port = port_in(url)
        return stack.enter_context(closing(connect(f"redis+cluster://127.0.0.1:{port}", namespace="shop")))

    return connected


@pytest.mark.parametrize(
    ("answer", "kind", "cause", "host", "leaves"),
    [
        (b"-MOVED 7 localhost:7001\r\n", MovedError, "moved", "localhost", True),
        (b"-MOVED 7 :7001\r\n", MovedError, "moved", "127.0.0.1", True),
        (b"-ASK 7 localhost:7001\r\n", AskError, "try_again", "localhost", False),
        (b"-ASK 7 :7001\r\n", AskError, "try_again", "127.0.0.1", False),
    ],
)
def test_a_slot_that_is_elsewhere_is_an_error_that_names_its_node(
    cluster: Callable[[bytes], Redis], answer: bytes, kind: type[AskError], cause: str, host: str, leaves: bool
) -> None:
    with lent(cluster(answer)) as link:
        link.send_command("GET", "x")
        with pytest.raises(AskError) as caught:
            link.read_response()

    assert type(caught.value) is kind
    assert (fault_of(caught.value).cause, caught.value.host, caught.value.port) == (cause, host, 7001)
    assert link.is_elsewhere is leaves


@pytest.mark.parametrize(
    ("text", "kind"), [("MOVED 7 one:7001", MovedError), ("ASK 7 one:7001", AskError), ("ERR no", ResponseError)]
)
def test_a_general_error_of_an_older_client_library_gets_its_class(
    cluster: Callable[[bytes], Redis], monkeypatch: pytest.MonkeyPatch, text: str, kind: type[ResponseError]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ResponseError(text)

    with lent(cluster(b"+OK\r\n")) as link:
        monkeypatch.setattr(AbstractConnection, "read_response", refuse)
        with pytest.raises(ResponseError) as caught:
            link.read_response()

    assert type(caught.value) is kind
