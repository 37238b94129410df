"""Which sentinel is asked for the primary: the sentinels are fakes that answer over real sockets."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from clock.store.server.faults import fault_of
from clock.store.server.guides import Sentinels
from clock.store.server.pool import TcpLink
from tests.store.talking import Several

PRIMARY = b"*2\r\n$8\r\n10.0.0.1\r\n$4\r\n7001\r\n"
UNKNOWN = b"*-1\r\n"
LOADING = b"-LOADING Redis is loading the dataset in memory\r\n"
WRONG = b"-WRONGPASS invalid username-password pair\r\n"


def of(*addresses: tuple[str, int]) -> Sentinels:
    return Sentinels(addresses, "main", kind=TcpLink, protocol=2, retry=Retry(NoBackoff(), 0))


@pytest.mark.parametrize("first", [UNKNOWN, LOADING])
def test_a_sentinel_that_names_no_primary_is_passed_over_and_asked_last_then(
    stack: ExitStack, first: bytes
) -> None:
    several = Several(stack, b"SENTINEL", first, PRIMARY, PRIMARY)
    sentinels = of(*several.addresses)

    assert [sentinels.primary() for _ in range(2)] == [("10.0.0.1", 7001)] * 2

    assert several.asked == [0, 1, 1]
    several.answers = [PRIMARY, UNKNOWN, UNKNOWN]
    sentinels.primary()
    assert several.asked[3:] == [1, 2, 0]


def test_when_the_pool_leaves_a_primary_the_next_sentinel_is_asked_first(stack: ExitStack) -> None:
    several = Several(stack, b"SENTINEL", PRIMARY, PRIMARY, PRIMARY)
    sentinels = of(*several.addresses)

    for _ in range(4):
        sentinels.primary()
        sentinels.turn_to_the_next()

    assert several.asked == [0, 1, 2, 0]


@pytest.mark.parametrize(
    ("answers", "cause"),
    [
        ([UNKNOWN, UNKNOWN], "no_primary"),
        ([UNKNOWN, LOADING], "no_primary"),
        ([LOADING, LOADING], "unreachable"),
        ([LOADING, WRONG], "sentinel_wrong_password"),
        ([WRONG, LOADING], "sentinel_wrong_password"),
    ],
)
def test_an_error_says_why_no_sentinel_has_named_the_primary(
    stack: ExitStack, answers: list[bytes], cause: str
) -> None:
    several = Several(stack, b"SENTINEL", *answers)

    with pytest.raises(RedisError) as caught:
        of(*several.addresses).primary()

    assert fault_of(caught.value).cause == cause
