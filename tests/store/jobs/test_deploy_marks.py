"""Deploy marks: one for each deploy and minute."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from redis import Redis

from clock.errors import StoreError
from clock.store import keys
from clock.store.jobs.deploy_marks import Marking, mark, read

NOON = datetime(2026, 11, 24, 12, 0, 31, 5, tzinfo=UTC)
DAY = date(2026, 11, 24)


def test_a_label_is_marked_once_in_a_minute_and_a_minute_has_one_mark(redis: Redis) -> None:
    assert mark(redis, "v1", NOON) is Marking.MARKED
    assert mark(redis, "v1", NOON + timedelta(minutes=1)) is Marking.LABEL_HAS_MARK
    assert mark(redis, "v2", NOON + timedelta(seconds=28)) is Marking.MINUTE_HAS_MARK
    assert mark(redis, "v2", NOON + timedelta(seconds=29)) is Marking.MARKED

    assert read(redis, [DAY]) == [
        (NOON.replace(second=0, microsecond=0), "v1"),
        (NOON.replace(minute=1, second=0, microsecond=0), "v2"),
    ]
    assert redis.ttl("20261124-marks") == 90 * 86_400
    assert redis.ttl(keys.deploy_lock("v1")) == 60


def test_a_mark_is_noted_in_utc_and_its_label_is_cut(redis: Redis) -> None:
    west = timezone(timedelta(hours=-13))

    mark(redis, "x" * 201, NOON.astimezone(west))

    assert redis.hgetall("20261124-marks") == {b"2026-11-24T12:00:00Z": b"x" * 200}
    assert redis.exists(keys.deploy_lock("x" * 200)) == 1


def test_marks_are_read_by_day_the_oldest_first_without_invalid_ones(redis: Redis) -> None:
    redis.hset("20261124-marks", mapping={"2026-11-24T13:00:00Z": "b", "2026-11-24T12:00:00+01:00": "a" * 201})
    redis.hset("20261124-marks", mapping={"2026-11-24T12:30:00": "no zone", "soon": "x", b"\xff": b"\xff"})
    redis.hset("20261124-marks", mapping={"0001-01-01T00:00:00+14:00": "before all days"})
    redis.hset("20261123-marks", mapping={"2026-11-23T09:00:00Z": b"caf\xe9"})
    redis.set("20261122-marks", "foreign")

    found = read(redis, [DAY - timedelta(days=days) for days in range(4)])

    assert [(f"{at:%d %H:%M}", label) for at, label in found] == [
        ("23 09:00", "caf\ufffd"),
        ("24 11:00", "a" * 200),
        ("24 13:00", "b"),
    ]
    assert read(redis, []) == []


def test_all_minutes_of_a_day_are_read(redis: Redis) -> None:
    minutes = (NOON.replace(hour=0, minute=0) + timedelta(minutes=number) for number in range(1_440))
    redis.hset("20261124-marks", mapping={f"{at:%Y-%m-%dT%H:%M:%SZ}": "v" for at in minutes})

    assert len(read(redis, [DAY])) == 1_440


def test_a_day_of_a_wrong_type_is_named_and_the_label_can_be_marked_later(redis: Redis) -> None:
    redis.set("20261124-marks", "foreign")

    with pytest.raises(StoreError, match="the key 20261124-marks is not a hash"):
        mark(redis, "v1", NOON)

    redis.delete("20261124-marks")
    assert mark(redis, "v1", NOON) is Marking.MARKED


def test_a_user_without_rights_reads_no_marks(redis: Redis, limited: Callable[[str], Redis]) -> None:
    mark(redis, "v1", NOON)

    assert read(limited("hscan"), [DAY]) == []


def test_another_error_of_redis_is_raised(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise StoreError("away", cause="network")

    monkeypatch.setattr("clock.store.jobs.deploy_marks.readings", fail)

    with pytest.raises(StoreError, match="away"):
        read(redis, [DAY])
