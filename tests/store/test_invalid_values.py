"""Values that clock never writes: each affects only itself."""

import pytest
from redis import Redis
from redis.exceptions import RedisError, ResponseError

from clock.store.invalid_values import has_invalid_value, json_object, number, seconds_in, tolerated


def test_a_write_to_an_invalid_value_is_none_unless_it_is_needed(redis: Redis) -> None:
    redis.set("text", "foreign")
    redis.set("largest", 2**63 - 1)
    redis.hset("hash", "field", "text")
    with redis.pipeline(transaction=False) as pipeline:

        def write() -> None:
            pipeline.set("new", 1)
            pipeline.incr("text")
            pipeline.incr("largest")
            pipeline.sadd("text", 1)
            pipeline.hincrby("hash", "field", 1)
            pipeline.incrbyfloat("text", 1)

        write()
        assert tolerated(pipeline, needed=1) == [True, None, None, None, None, None]
        write()
        with pytest.raises(ResponseError, match="not an integer"):
            tolerated(pipeline, needed=2)
        pipeline.execute_command("CONFIG", "NO-SUCH-WORD")  # type: ignore[no-untyped-call]  # untyped there
        with pytest.raises(ResponseError):
            tolerated(pipeline)


def test_only_errors_of_redis_about_a_value_are_invalid_values() -> None:
    assert has_invalid_value(ResponseError("hash value is not an integer"))
    assert not has_invalid_value(ResponseError("OOM command not allowed"))
    assert not has_invalid_value(RedisError("value is not an integer"))
    assert not has_invalid_value(RedisError("WRONGTYPE Operation"))


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"9223372036854775807", 2**63 - 1),
        (b"-9223372036854775808", -(2**63)),
        (b"9223372036854775808", None),
        (b"-9223372036854775809", None),
        (b"0" * 20 + b"7", None),
        (b"0" * 19 + b"7", 7),
        (b"--5", None),
        (b"", None),
        (b"1.5", None),
        (None, None),
    ],
)
def test_a_number_is_whole_and_has_64_bits(value: bytes | None, found: int | None) -> None:
    assert number(value, 42) == (42 if found is None else found)
    assert number(value) == (found or 0)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1e11, 1e11),
        (100_000_000_001, 100_000_000.001),
        (1_795_500_000_500, 1_795_500_000.5),
        (7, 7.0),
        (-5, -5.0),
        (True, 0.0),
        ("1795500000", 0.0),
        (None, 0.0),
    ],
)
def test_a_time_above_a_hundred_thousand_million_is_in_milliseconds(value: object, seconds: float) -> None:
    assert seconds_in(value) == seconds


@pytest.mark.parametrize("value", [None, "", b"no json", b"[1]", b"7", b"\xff", b"[" * 100_000])
def test_a_value_that_is_no_json_object_is_none(value: bytes | str | None) -> None:
    assert json_object(value) is None


def test_a_json_object_is_read() -> None:
    assert json_object(b'{"a": 1}') == json_object('{"a": 1}') == {"a": 1}
