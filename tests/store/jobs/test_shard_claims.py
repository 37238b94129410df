"""Which worker process serves which shard."""

from collections.abc import Iterator

import pytest
from redis import Redis

from clock.config import Config
from clock.store import keys
from clock.store.jobs.shard_claims import ShardClaims, forget_shard, noted_shards
from clock.store.server.opening import connected
from clock.store.server.shards import every
from tests.servers import lifetime


@pytest.fixture
def home(redis: Redis, redis_url: str) -> Iterator[Redis]:
    """The home of an application with three shards, its own place included."""
    found = connected(Config(redis=redis_url, namespace="shop", shards=3), 3)
    yield found
    for place in every(found):
        place.close()


def claims(home: Redis, name: str, *queues: str) -> ShardClaims:
    return ShardClaims(home, name, queues or ("default",), expires_ms=60_000)


def test_processes_with_the_same_queues_share_the_shards_and_keep_theirs(home: Redis) -> None:
    served = {name: claims(home, name, "low", "high").claim() for name in "abcd"}

    assert served == {"a": 0, "b": 1, "c": 2, "d": 0}
    assert claims(home, "b", "high", "low").claim() == 1  # a process that replaces one of the same name
    assert claims(home, "x", "low").claim() == 0
    assert claims(home, "a", "low", "high").claim(2) == 2
    assert claims(home, "a", "low", "high").claim(0) == 0


def test_a_process_moves_to_a_shard_with_two_fewer_only_if_it_may(home: Redis) -> None:
    for name in ("a", "b", "c"):
        claims(home, name).claim(0)

    assert claims(home, "b").claim(0) == 0
    assert claims(home, "b").claim(0, may_move=True) == 1
    assert claims(home, "c").claim(0, may_move=True) == 2
    assert claims(home, "a").claim(0, may_move=True) == 0
    assert claims(home, "b").claim(1, may_move=False) == 1


def test_a_claim_ends_with_its_time_or_its_process(home: Redis, redis: Redis) -> None:
    first, second = claims(home, "a"), claims(home, "b")
    assert [first.claim(), second.claim()] == [0, 1]
    names = redis.keys("*:clock:shard_claims:*")
    assert [redis.pttl(name) in lifetime(60) for name in names] == [True, True]

    first.release()

    assert [claims(home, name).claim() for name in ("c", "d")] == [0, 2]


def test_the_shards_that_were_in_use_are_noted_until_they_are_forgotten(home: Redis) -> None:
    assert noted_shards(home) == {}
    home.zadd(keys.SHARDS, {"redis://one": 5, "redis://two": 7})
    assert noted_shards(home) == {"redis://one": 5.0, "redis://two": 7.0}

    forget_shard(home, "redis://one")

    assert noted_shards(home) == {"redis://two": 7.0}
    home.delete(keys.SHARDS)
    home.set(keys.SHARDS, "foreign")
    assert noted_shards(home) == {}
