"""The register of live clocks: what is read of reports that other programs, or other versions, wrote."""

import json
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from clock.clocks import from_ms, to_ms
from clock.store import keys
from clock.store.ledger.clock_register import ClockRegister
from clock.store.ledger.entry import LATEST_MS
from tests.servers import lifetime

NOW = from_ms(1_795_521_600_000)


def test_a_clock_is_registered_for_its_time_and_those_whose_time_is_over_are_removed(redis: Redis) -> None:
    register = ClockRegister(redis)
    register.beat("a", {"host": "web1"}, now=NOW, seconds=20)

    last, late = (register.living(NOW + timedelta(seconds=20, milliseconds=more)) for more in (0, 1))
    register.beat("b", {}, now=NOW + timedelta(seconds=20), seconds=20)
    both = redis.zcard(keys.CLOCKS)
    register.beat("b", {}, now=NOW + timedelta(seconds=20, milliseconds=1), seconds=20)

    assert (last, late) == ({"a": {"host": "web1"}}, {})
    assert (both, redis.zcard(keys.CLOCKS)) == (2, 1)
    assert redis.pttl(keys.CLOCK + "a") in lifetime(20)


def test_a_clock_that_left_is_neither_registered_nor_has_a_report(redis: Redis) -> None:
    register = ClockRegister(redis)
    register.beat("a", {}, now=NOW, seconds=20)

    register.leave("a")

    assert register.living(NOW) == {}
    assert not redis.keys()


@pytest.mark.parametrize(
    ("report", "is_valid"),
    [
        ({}, True),
        ({"unknown": [1]}, True),
        ({"host": 5}, False),
        ({"oldest_undecided": None}, True),
        ({"oldest_undecided": "x"}, False),
        ({"last_round": 0, "started_at": LATEST_MS}, True),
        ({"last_round": -1}, False),
        ({"started_at": LATEST_MS + 1}, False),
        ([1], False),
    ],
)
def test_a_report_with_an_invalid_field_is_left_out(redis: Redis, report: Any, is_valid: bool) -> None:
    redis.zadd(keys.CLOCKS, {"odd": to_ms(NOW), "gone": to_ms(NOW)})
    redis.set(keys.CLOCK + "odd", json.dumps(report))

    assert ClockRegister(redis).living(NOW) == ({"odd": report} if is_valid else {})
