"""A worker of a shard checks its rights at the home before it claims a shard."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis

from clock.config import Config
from clock.errors import StoreError
from clock.store.server.checks.permissions import check_permissions
from clock.store.server.opening import connected
from clock.store.server.shards import every
from clock.worker.options import WorkerOptions
from clock.worker.shard_post import shard_post


@pytest.fixture
def limited_home(redis: Redis, redis_url: str) -> Iterator[Redis]:
    """The home of an application with two shards, for a user without the keys of the claims on shards."""
    patterns = ["{shop}:[^c]*", "{shop}:clock:[^s]*", "{shop}:clock:schedules", "{shop-1}:*"]
    redis.acl_setuser("limited", enabled=True, nopass=True, keys=patterns, channels=["*"], commands=["+@all"])
    url = redis_url.replace("//", "//limited:any@", 1)
    found = connected(Config(redis=url, namespace="shop", shards=2), 3)
    yield found
    for place in every(found):
        place.close()
    redis.acl_deluser("limited")


def test_a_worker_whose_user_lacks_the_keys_of_shards_names_them_all(limited_home: Redis, redis: Redis) -> None:
    with pytest.raises(StoreError, match=r"ZADD clock:shards, ZADD clock:shard_claims:.*docs/deploying.md"):
        shard_post(limited_home, WorkerOptions())

    assert redis.keys("*shard*") == []


def test_clock_status_names_the_missing_keys_of_shards(limited_home: Redis) -> None:
    with pytest.raises(StoreError, match="clock:shard_claims"):
        check_permissions(limited_home)
