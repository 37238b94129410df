"""The next due marker, and what any process concludes from it."""

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from clock.clocks import from_ms
from clock.errors import StoreError
from clock.store import keys
from clock.store.ledger import next_due
from clock.store.ledger.lease import Lease
from clock.store.ledger.next_due import Lateness

NOON = 1_795_521_600_000


def test_the_marker_before_is_returned_unless_the_anchors_are_gone(redis: Redis) -> None:
    redis.hset(keys.LEDGER_ANCHOR, "feed", 1)

    found = [next_due.set_marker(redis, "feed", 1000), next_due.set_marker(redis, "mail", 2000)]
    redis.unlink(keys.LEDGER_ANCHOR)
    lost = next_due.set_marker(redis, "mail", 3000)

    assert found == [(None, 0), ("feed", 1000)]
    assert lost == (None, 0)
    assert redis.hgetall(keys.NEXT_DUE) == {b"event": b"mail", b"due": b"3000"}


def test_without_a_next_due_instant_there_is_no_marker(redis: Redis) -> None:
    redis.hset(keys.LEDGER_ANCHOR, "feed", 1)
    next_due.set_marker(redis, "feed", 1000)

    assert next_due.set_marker(redis, None, 0) == ("feed", 1000)
    assert not redis.exists(keys.NEXT_DUE)


def test_a_key_of_another_type_in_the_place_of_the_marker_is_replaced(redis: Redis) -> None:
    redis.hset(keys.LEDGER_ANCHOR, "feed", 1)
    redis.set(keys.NEXT_DUE, "in the way")

    assert next_due.set_marker(redis, "feed", 1000) == (None, 0)
    assert next_due.set_marker(redis, "feed", 2000) == ("feed", 1000)


def test_another_error_of_redis_is_raised(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> list[object]:
        return [ResponseError("NOPERM this user has no permissions"), 0, 0]

    monkeypatch.setattr(next_due, "ask_all", refuse)

    with pytest.raises(StoreError):
        next_due.set_marker(redis, "feed", 1000)


@pytest.mark.parametrize(
    ("event", "due", "marker"),
    [
        (b"feed", b"1000", ("feed", 1000)),
        (b"feed", b"0", ("feed", 0)),
        (b"feed", b"x", (None, 0)),
        (b"feed", None, (None, 0)),
        (None, b"1000", (None, 0)),
    ],
)
def test_a_marker_has_an_event_and_an_instant(
    event: bytes | None, due: bytes | None, marker: tuple[str | None, int]
) -> None:
    assert next_due.marker(event, due) == marker


def test_the_lateness_is_measured_by_redis_s_clock(redis: Redis) -> None:
    seconds = redis.time()[0]
    next_due.set_marker(redis, "feed", (seconds - 100) * 1000 + 500)
    Lease(redis, identity="web1", release="v1", rank=1).take(60)

    found = next_due.look(redis)

    assert (found.event, found.due, found.leader) == ("feed", from_ms((seconds - 100) * 1000 + 500), "web1")
    assert 99.5 <= found.late_seconds < 160


@pytest.mark.parametrize("key", [keys.NEXT_DUE, keys.LEASE])
def test_a_key_of_another_type_is_no_marker_and_no_leader(redis: Redis, key: str) -> None:
    next_due.set_marker(redis, "feed", NOON)
    redis.unlink(key)
    redis.set(key, "in the way")

    found = next_due.look(redis)

    assert (found.event, found.leader) == (None if key == keys.NEXT_DUE else "feed", None)


def test_only_an_instant_beyond_the_limit_is_a_problem() -> None:
    late = Lateness("feed", from_ms(NOON), 60.0, "web1")

    assert late.problem(60) is None
    assert late.problem(59.9) == (
        "event 'feed' is overdue: it was due 60 s ago and has not run; the leader is web1"
    )
    assert Lateness(None, None, 99.0, None).problem(60) is None
    assert Lateness(None, None, 0.0, None).leadership == "no clock is the leader"
