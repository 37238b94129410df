"""Shards: which place a job is pushed to, and which shard a worker process serves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from redis import Redis

from clock import Batch
from clock.config import Config
from clock.errors import ConfigurationError, StoreUnavailable
from clock.store import keys
from clock.store.jobs.shard_claims import ShardClaims
from clock.store.ledger.held_pushes import holding
from clock.store.server.connection import set_default
from clock.store.server.opening import connected
from clock.store.server.shards import (
    Address,
    ShardSettings,
    added,
    addresses,
    by_place,
    every,
    likely_first,
    names_of,
    note,
    only,
    place_of,
)
from tests.store.sharded_jobs import AddNumbersJob, CallPartnerJob, FanOutSumsJob, RebuildOneJob, SendBulkMailJob

Opens = Callable[..., Redis]


@pytest.fixture
def opened(redis: Redis, redis_url: str) -> Iterator[Opens]:
    """Opens the home of the application `shop` with so many shards, to which jobs are pushed then."""
    homes = []

    def home(shards: int = 4, **settings: object) -> Redis:
        config = Config(**{"redis": redis_url, "namespace": "shop", "shards": shards, **settings})  # type: ignore[arg-type]  # as the settings say
        homes.append(connected(config, 3))
        set_default(homes[-1])
        return homes[-1]

    yield home
    for one in homes:
        for place in every(one):
            place.close()


def sizes(home: Redis) -> list[int]:
    """How many jobs wait in the queue of each place."""
    return [place.llen("queue:default") for place in every(home)]


def test_plain_jobs_are_spread_by_their_jids(opened: Opens) -> None:
    home = opened(4)

    jids = [*AddNumbersJob.perform_bulk([(number,) for number in range(1_500)]), AddNumbersJob.perform_async(1)]

    assert sizes(home) == [sum(place_of(home, jid) == number for jid in jids) for number in range(4)]
    assert min(sizes(home)) > 300
    assert names_of(home) == ["shop", "shop-1", "shop-2", "shop-3"]


def test_a_scheduled_job_is_in_the_shard_of_its_jid(opened: Opens) -> None:
    home = opened(4)

    jids = [AddNumbersJob.perform_in(3600, number) for number in range(20)]

    places = [
        next(n for n, place in enumerate(every(home)) if jid in str(place.zrange("schedule", 0, -1)))
        for jid in jids
    ]
    assert places == [place_of(home, jid) for jid in jids]


def test_jobs_with_a_rule_stay_at_home(opened: Opens) -> None:
    home = opened(4)

    for number in range(20):
        RebuildOneJob.perform_async(number)
    for job in (FanOutSumsJob, CallPartnerJob, SendBulkMailJob):
        job.perform_bulk([(number,) for number in range(20)])
        job.perform_async(20)
    with Batch(on_success=AddNumbersJob, args=[1]):
        AddNumbersJob.perform_bulk([(number,) for number in range(20)])
        AddNumbersJob.perform_async(20)
    AddNumbersJob.set(then=AddNumbersJob.signature(2)).perform_async(1)

    assert sizes(home) == [20 + 3 * 21 + 21 + 1, 0, 0, 0]


def test_jobs_that_an_event_pushes_stay_at_home(opened: Opens) -> None:
    home = opened(4)

    with holding("nightly", 1000, None) as held:
        AddNumbersJob.perform_bulk([(1,), (2,)])

    assert sizes(home) == [0, 0, 0, 0]
    assert len(held.pushes) == 2


def test_a_job_is_looked_for_in_its_shard_then_at_home_and_then_in_the_others(opened: Opens) -> None:
    home = opened(4)
    places = list(every(home))
    jids = {place_of(home, str(number)): str(number) for number in range(100)}

    found = {number: [places.index(place) for place in likely_first(home, jid)] for number, jid in jids.items()}

    assert found == {0: [0, 1, 2, 3], 1: [1, 0, 2, 3], 2: [2, 0, 1, 3], 3: [3, 0, 1, 2]}
    assert likely_first(places[1], jids[2]) == [places[1]]


class Row(NamedTuple):
    """A thing that was read in a shard."""

    shard: int


def test_things_of_a_shard_that_is_gone_are_those_of_the_home(opened: Opens) -> None:
    home = opened(2)

    found = by_place(home, [Row(1), Row(2), Row(0), Row(7), Row(1)])

    assert [(place is home, rows) for place, rows in found] == [
        (True, [Row(2), Row(0), Row(7)]),
        (False, [Row(1), Row(1)]),
    ]


def test_the_address_of_a_shard_is_its_server_and_its_namespace() -> None:
    alone = Address("redis://one:7001", "")

    assert [str(one) for one in addresses(alone, ShardSettings(1))] == ["redis://one:7001"]
    assert [str(one) for one in addresses(Address("redis://one:7001", "shop"), ShardSettings(2))] == [
        "redis://one:7001, namespace shop",
        "redis://one:7001, namespace shop-1",
    ]


def test_the_shards_in_use_are_noted_at_the_home(opened: Opens) -> None:
    home, alone = opened(2), opened(1)

    for redis in (home, alone):
        note(redis, datetime(2026, 11, 24, tzinfo=UTC))

    assert home.zcard(keys.SHARDS) == 2


def test_counts_of_places_are_added() -> None:
    assert added([{"mail": 2, "low": 1}, {}, {"mail": 3, "high": 4}]) == {"mail": 5, "low": 1, "high": 4}


def test_a_connection_that_knows_no_shards_is_to_the_same_place(opened: Opens) -> None:
    home = opened(2)

    assert len(every(only(home))) == 1
    assert only(home).connection_pool is home.connection_pool
    alone = every(home)[1]
    assert only(alone) is alone


def test_without_the_setting_a_connection_is_its_own_only_place(opened: Opens) -> None:
    home = opened(1)

    AddNumbersJob.perform_bulk([(1,), (2,)])

    assert list(every(home)) == [home]
    assert sizes(home) == [2]


def test_several_servers_are_shards(opened: Opens, redis_url: str) -> None:
    urls = (redis_url, f"{redis_url}{'&' if '?' in redis_url else '?'}db=1")
    home = opened(1, redis_urls=urls, namespace="")

    AddNumbersJob.perform_bulk([(number,) for number in range(100)])

    assert sum(sizes(home)) == 100
    assert min(sizes(home)) > 20


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shards": 2, "namespace": ""}, "set CLOCK_NAMESPACE"),
        ({"shards": 3, "redis_urls": ("{url}", "redis://b:1")}, "REDIS_URLS names 2 servers"),
        ({"shards": 1, "redis_urls": ("redis://a:1", "redis://b:1")}, "not the first of REDIS_URLS"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    opened: Opens, redis_url: str, settings: dict[str, object], message: str
) -> None:
    urls = tuple(str(url).format(url=redis_url) for url in settings.get("redis_urls", ()))  # type: ignore[attr-defined]  # a tuple

    with pytest.raises(ConfigurationError, match=message):
        opened(**{**settings, "redis_urls": urls})


def test_a_push_to_several_shards_fails_if_one_does_not_answer(opened: Opens, redis_url: str) -> None:
    opened(1, redis_urls=(redis_url, "redis://127.0.0.1:1"), namespace="")

    with pytest.raises(StoreUnavailable):
        AddNumbersJob.perform_bulk([(number,) for number in range(100)])


def served(home: Redis, names: range, queues: str = "default") -> list[int]:
    """The shards that processes get which start one after the other."""
    return [ShardClaims(home, str(name), [queues], expires_ms=60_000).claim() for name in names]


def test_each_process_gets_the_shard_with_the_fewest(opened: Opens) -> None:
    home = opened(3)

    assert served(home, range(7)) == [0, 1, 2, 0, 1, 2, 0]
    assert served(home, range(3), "mail") == [0, 1, 2]  # each list of queues is spread by itself


def test_a_process_that_replaces_another_gets_its_shard(opened: Opens) -> None:
    home = opened(3)
    served(home, range(3))

    assert ShardClaims(home, "1", ["default"], expires_ms=60_000).claim() == 1


def test_a_process_moves_to_a_shard_that_lost_its_workers(opened: Opens) -> None:
    home = opened(2)
    served(home, range(4))
    for name in "13":
        ShardClaims(home, name, ["default"], expires_ms=60_000).release()
    first, third = (ShardClaims(home, name, ["default"], expires_ms=60_000) for name in "02")

    assert first.claim(0) == 0  # it may not move yet
    assert first.claim(0, may_move=True) == 1
    assert third.claim(0, may_move=True) == 0
    assert first.claim(1, may_move=True) == 1


def test_a_claim_ends_by_itself(opened: Opens) -> None:
    home = opened(2)
    ShardClaims(home, "killed", ["default"], expires_ms=0).claim()

    assert served(home, range(1)) == [0]


def test_a_process_of_a_shard_that_is_gone_gets_another(opened: Opens) -> None:
    served(opened(3), range(3))

    assert ShardClaims(opened(2), "2", ["default"], expires_ms=60_000).claim(2) in (0, 1)
