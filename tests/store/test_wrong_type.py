"""Keys of clock with a wrong type are named."""

import re
from pathlib import Path

import pytest
from redis import Redis

from clock.errors import StoreError
from clock.store import keys
from clock.store.wrong_type import WrongType, reading, readings, typed, wrong_keys, wrong_keys_among

KINDS = {name: name for name in ("string", "hash", "list", "set", "stream")} | {"sorted set": "zset"}


def test_a_command_that_finds_another_type_names_the_key(redis: Redis) -> None:
    redis.set("text", "foreign")

    with (
        pytest.raises(WrongType, match="the key text is not a hash, as it should be") as raised,
        typed(redis, "text", "hash"),
    ):
        redis.hgetall("text")

    assert (raised.value.key, raised.value.cause) == ("text", "wrong_type")


def test_another_error_of_redis_names_no_key(redis: Redis) -> None:
    redis.set("text", "foreign")

    with pytest.raises(StoreError) as raised, typed(redis, "text", "string"):
        redis.incr("text")

    assert not isinstance(raised.value, WrongType)


def test_a_reading_of_a_wrong_type_is_none(redis: Redis) -> None:
    redis.set("text", "foreign")

    assert readings(redis, lambda pipe: [pipe.get("text"), pipe.llen("text"), pipe.get("none")]) == [
        b"foreign",
        None,
        None,
    ]
    assert reading(redis, lambda pipe: pipe.get("text")) == b"foreign"
    with pytest.raises(StoreError):
        reading(redis, lambda pipe: pipe.execute_command("CONFIG", "NO-SUCH-WORD"))  # type: ignore[no-untyped-call]  # untyped there


def test_each_key_is_looked_at_for_the_type_that_its_comment_names() -> None:
    source = Path(keys.__file__).read_text()
    described = re.findall(r'^[A-Z_]+(?:: Final)? = \(?\s*"([^"]+)"  # ([a-z ]+)[,:]', source, re.MULTILINE)

    assert len(described) > 60
    assert {key: KINDS[kind] for key, kind in described if kind in KINDS} == keys.TYPES


def test_keys_and_queues_of_a_wrong_type_and_counters_without_a_number_are_named(redis: Redis) -> None:
    redis.sadd(keys.QUEUES, "good", "bad")
    redis.lpush("queue:good", "{}")
    redis.set("queue:bad", "foreign")
    redis.set(keys.RETRY, "foreign")
    redis.set(keys.STAT_PROCESSED, "many")
    redis.set(keys.STAT_FAILED, "-7")

    assert list(map(str, wrong_keys(redis))) == [
        "the key retry holds a string and should hold a zset",
        "the key queue:bad holds a string and should hold a list",
        "the key stat:processed holds a text and should hold a number",
    ]
    assert [wrong.name for wrong in wrong_keys_among(redis, [keys.RETRY, keys.DEAD])] == [keys.RETRY]


def test_a_set_of_queues_of_a_wrong_type_is_named_and_hides_no_other_key(redis: Redis) -> None:
    redis.set(keys.QUEUES, "foreign")
    redis.lpush(keys.STAT_FAILED, "foreign")

    assert {wrong.name: (wrong.found, wrong.wanted) for wrong in wrong_keys(redis)} == {
        keys.QUEUES: ("string", "set"),
        keys.STAT_FAILED: ("list", "string"),
    }


def test_a_thousand_queues_are_looked_at(redis: Redis) -> None:
    names = [f"queue-{number}" for number in range(1_001)]
    redis.sadd(keys.QUEUES, *names)
    redis.mset(dict.fromkeys(map(keys.queue, names), "foreign"))

    assert len(wrong_keys(redis)) == 1_000
