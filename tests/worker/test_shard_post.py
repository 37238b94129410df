"""The shard of a worker process: its rights, its claim, and when it moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from redis import Redis

from clock.clocks import SystemClock
from clock.config import Config
from clock.errors import StoreError, StoreUnavailable
from clock.store.jobs.shard_claims import ShardClaims
from clock.store.server.checks.permissions import check_permissions
from clock.store.server.opening import connected
from clock.store.server.shards import every, shards_of
from clock.worker import Worker
from clock.worker.launcher import SLOT_VARIABLE
from clock.worker.options import WorkerOptions
from clock.worker.shard_post import ShardPost, shard_post


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


@pytest.mark.usefixtures("needs_redis_7")
def test_a_worker_whose_user_lacks_the_keys_of_shards_names_them_all(limited_home: Redis, redis: Redis) -> None:
    with pytest.raises(StoreError, match=r"ZADD clock:shards, ZADD clock:shard_claims:.*docs/deploying.md"):
        shard_post(limited_home, WorkerOptions())

    assert redis.keys("*shard*") == []


@pytest.mark.usefixtures("needs_redis_7")
def test_clock_status_names_the_missing_keys_of_shards(limited_home: Redis) -> None:
    with pytest.raises(StoreError, match="clock:shard_claims"):
        check_permissions(limited_home)


@pytest.fixture
def home(redis: Redis, redis_url: str) -> Iterator[Redis]:
    """The home of an application with two shards."""
    found = connected(Config(redis=redis_url, namespace="shop", shards=2), 3)
    yield found
    for place in every(found):
        place.close()


class NotedClaims(ShardClaims):
    """Notes whether each renewal may move the process, and answers as the test says."""

    def __init__(self, home: Redis) -> None:
        super().__init__(home, "me", ["default"], expires_ms=30_000)
        self.may_move: list[bool] = []
        self.answers: list[int | None] = []

    def claim(self, serves: int | None = None, *, may_move: bool = False) -> int:
        if serves is None:
            return 0
        self.may_move.append(may_move)
        answer = self.answers.pop(0) if self.answers else serves
        if answer is None:
            raise StoreUnavailable("away")
        return answer


def post_of(home: Redis) -> tuple[ShardPost, NotedClaims]:
    shards, claims = shards_of(home), NotedClaims(home)
    assert shards is not None
    return ShardPost(home, shards, claims), claims


def test_a_process_may_move_to_another_shard_after_three_heartbeats_without_an_outage(home: Redis) -> None:
    post, claims = post_of(home)
    claims.answers = [0, 0, None, 0, 0, 0]

    for _ in range(8):
        with suppress(StoreUnavailable):
            post.renew()

    assert claims.may_move == [False] * 6 + [True] * 2


def test_a_process_that_must_move_says_where_and_does_not_move_again(home: Redis) -> None:
    post, claims = post_of(home)
    claims.answers = [0, 0, 0, 1, 1]
    assert post.moved == ""

    for _ in range(5):
        post.renew()

    assert post.moved == "the shard shop-1 has fewer workers"
    assert claims.may_move == [False] * 3 + [True, False]


def test_a_post_is_named_in_words(home: Redis) -> None:
    assert str(post_of(home)[0]) == "shop (1 of 2)"


def test_a_post_without_shards_is_none(redis: Redis) -> None:
    assert shard_post(redis, WorkerOptions()) is None


def claims_in(redis: Redis) -> dict[bytes, float]:
    found: Any = [redis.zrange(key, 0, -1, withscores=True) for key in redis.keys("*shard_claims*")]
    return dict(row for rows in found for row in rows)


def test_a_claim_outlives_four_missed_heartbeats_by_the_start_of_a_process(home: Redis, redis: Redis) -> None:
    assert shard_post(home, WorkerOptions(beat_seconds=5)) is not None

    [expires] = claims_in(redis).values()
    assert 25_000 < expires - redis.time()[0] * 1000 < 35_000


def test_a_process_that_replaces_another_takes_its_claim(
    home: Redis, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SLOT_VARIABLE, "token:1")

    shard_post(home, WorkerOptions())

    assert list(claims_in(redis)) == [b"token:1"]


@pytest.mark.parametrize(("burst", "claims"), [(False, 0), (True, 1)])
def test_a_worker_that_stops_gives_its_claim_up_but_not_after_a_burst(
    home: Redis, redis: Redis, caplog: pytest.LogCaptureFixture, burst: bool, claims: int
) -> None:
    caplog.set_level("INFO", "clock.worker")
    options = WorkerOptions(concurrency=1, burst=burst)
    post = shard_post(home, options)
    assert post is not None
    worker = Worker(post.redis, options, identity="here:1:a", clock=SystemClock(), post=post)
    if not burst:
        worker.stop()

    worker.run()

    assert len(claims_in(redis)) == claims
    assert f"This worker serves the shard {post}" in caplog.text
