"""Moving an application's keys to a namespace."""

import pytest
from redis import Redis

from clock.store.moving import move_key, own_keys

OWN = [
    *(
        "queues",
        "schedule",
        "retry",
        "dead",
        "paused",
        "processes",
        "process_cleanup",
        "queue:mail",
        "stat:failed",
    ),
    *("clock:leases", "j|261124|9:0", "h|AJob-24-9:7", "it-abc", "20261124-marks", "clock:\udce9"),
]
FOREIGN = ["other", "20261124-marks-2", "2026112-marks", "{shop}:queues", "{shop}:other", "x:clock:lease", "dead2"]


def raw(name: str) -> bytes:
    return name.encode(errors="surrogateescape")


def test_without_a_namespace_only_keys_of_sidekiq_and_clock_are_the_applications(redis: Redis) -> None:
    for name in (*OWN, *FOREIGN):
        redis.set(raw(name), "1")

    assert sorted(own_keys(redis, None)) == sorted(OWN)
    assert sorted(own_keys(redis, "shop")) == ["other", "queues"]


def test_a_key_moves_between_namespaces_also_if_its_name_is_not_valid_utf_8(redis: Redis) -> None:
    redis.set(raw("clock:\udce9"), "1")

    assert move_key(redis, "clock:\udce9", source=None, target="shop")
    assert redis.keys() == [b"{shop}:clock:\xe9"]
    assert move_key(redis, "clock:\udce9", source="shop", target="store")
    assert redis.keys() == [b"{store}:clock:\xe9"]
    assert move_key(redis, "clock:none", source=None, target="shop")


@pytest.mark.parametrize("count", [1, 199, 200, 201, 450])
def test_a_list_is_joined_behind_the_jobs_that_are_there_in_short_steps(redis: Redis, count: int) -> None:
    redis.lpush("queue:mail", *range(count))
    redis.lpush("{shop}:queue:mail", "there")

    assert move_key(redis, "queue:mail", source=None, target="shop")

    assert redis.lrange("{shop}:queue:mail", 0, -1) == [
        *(str(at).encode() for at in reversed(range(count))),
        b"there",
    ]
    assert not redis.exists("queue:mail")


def test_hashes_that_both_have_are_not_joined(redis: Redis) -> None:
    for name in ("clock:x", "{shop}:clock:x"):
        redis.hset(name, "a", 1)

    assert not move_key(redis, "clock:x", source=None, target="shop")

    assert redis.exists("clock:x", "{shop}:clock:x") == 2
