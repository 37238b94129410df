import logging
import threading

import pytest
from redis import Redis

from clock.store import keys
from clock.store.ledger.lease import Lease
from tests.patience import PATIENCE_SECONDS

TTL_SECONDS = 60


def lease(redis: Redis, identity: str, release: str = "v1", rank: int = 1) -> Lease:
    return Lease(redis, identity=identity, release=release, rank=rank)


def test_the_first_clock_takes_the_lease_and_keeps_it(redis: Redis) -> None:
    first, second = lease(redis, "a"), lease(redis, "b")

    assert [clock.take(TTL_SECONDS).holder for clock in (first, second, first)] == ["a", "a", "a"]


def test_a_lease_runs_out(redis: Redis) -> None:
    tenure = lease(redis, "a").take(TTL_SECONDS)

    assert tenure.left_seconds == TTL_SECONDS
    assert 0 < redis.ttl(keys.LEASE) <= TTL_SECONDS


def test_a_lease_given_back_is_free_at_once(redis: Redis) -> None:
    first = lease(redis, "a")
    first.take(TTL_SECONDS)
    first.give_back()

    assert lease(redis, "b").take(TTL_SECONDS).holder == "b"


def test_a_clock_cannot_give_back_anothers_lease(redis: Redis) -> None:
    lease(redis, "a").take(TTL_SECONDS)
    lease(redis, "b").give_back()

    assert lease(redis, "c").take(TTL_SECONDS).holder == "a"


def test_a_newer_release_takes_the_lease_from_an_older_one(redis: Redis) -> None:
    lease(redis, "old", "v41", 41).take(TTL_SECONDS)

    assert lease(redis, "new", "v42", 42).take(TTL_SECONDS).holder == "new"
    assert lease(redis, "old", "v41", 41).take(TTL_SECONDS).holder == "new"


def test_a_clock_of_the_same_release_does_not_take_the_lease(redis: Redis) -> None:
    lease(redis, "a", "3f9c", 1).take(TTL_SECONDS)

    assert lease(redis, "b", "3f9c", 2).take(TTL_SECONDS).holder == "a"


def test_a_clock_that_steps_down_wakes_one_that_waits(redis: Redis) -> None:
    first, second = lease(redis, "a"), lease(redis, "b")
    first.take(TTL_SECONDS)
    woken: list[bool] = []
    waiter = threading.Thread(target=lambda: woken.append(second.wait_for_hand_over(20)))
    waiter.start()

    first.give_back()
    waiter.join(PATIENCE_SECONDS)

    assert woken == [True]
    assert second.wait_for_hand_over(0) is False


def test_the_answer_tells_how_long_the_lease_holds_and_what_time_redis_has(redis: Redis) -> None:
    lease(redis, "a").take(TTL_SECONDS)
    seconds = redis.time()[0]

    tenure = lease(redis, "b").take(TTL_SECONDS)

    assert 0 < tenure.left_seconds <= TTL_SECONDS
    assert seconds <= tenure.server_time.timestamp() < seconds + 60


def test_a_value_that_is_no_lease_is_replaced_and_reported_once(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    redis.set(keys.LEASE, "of another program")

    with caplog.at_level(logging.INFO):
        tenures = [lease(redis, "a").take(TTL_SECONDS), lease(redis, "a").take(TTL_SECONDS)]

    assert [tenure.holder for tenure in tenures] == ["a", "a"]
    assert caplog.messages == [f"In Redis, the key {keys.LEASE} held a string; a clock replaced it."]
