"""Keys of clock with a wrong type are named."""

import pytest
from redis import Redis

from clock.errors import StoreError
from clock.store.wrong_type import WrongType, reading, readings, typed


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
