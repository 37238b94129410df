"""Deploy marks, in the format of `sidekiq/deploy.rb`."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from redis import Redis

from clock.api import amark_deploy, mark_deploy
from clock.errors import InvalidDeployMark, StoreError

NOON = datetime(2026, 11, 29, 12, 0, 31, tzinfo=UTC)


def test_a_mark_is_what_sidekiq_writes_and_expires(redis: Redis) -> None:
    berlin = NOON.astimezone(timezone(timedelta(hours=1)))

    assert mark_deploy("v42 new mailer", berlin, redis=redis)
    assert not mark_deploy("v42 new mailer", NOON + timedelta(seconds=40), redis=redis)
    assert not mark_deploy("v43", NOON, redis=redis)

    assert redis.hgetall("20261129-marks") == {b"2026-11-29T12:00:00Z": b"v42 new mailer"}
    assert 0 < redis.ttl("20261129-marks") <= 90 * 86_400
    assert 0 < redis.ttl("deploylock-v42 new mailer") <= 60


def test_a_mark_is_set_from_the_event_loop_and_its_label_is_cut(redis: Redis) -> None:
    assert asyncio.run(amark_deploy("x" * 10_000, NOON, redis=redis))

    assert [len(label) for label in redis.hvals("20261129-marks")] == [200]


@pytest.mark.parametrize(
    ("label", "at", "message"),
    [
        (None, NOON, "label of a deploy mark is None; it must be a text"),
        ("caf\udce9", NOON, r"not valid UTF-8: caf\\udce9"),
        ("v42", 5, "time of a deploy mark is 5; it must be a datetime"),
        ("v42", date(2026, 11, 29), r"datetime.date\(2026, 11, 29\); it must be a datetime"),
        (
            "v42",
            datetime.min.replace(tzinfo=timezone(timedelta(hours=1))),
            "year 1; it must be from 1971 to 9998",
        ),
        ("v42", datetime.max.replace(tzinfo=UTC), "in the year 9999"),
    ],
)
def test_a_label_or_a_time_that_cannot_be_stored_is_refused_in_one_sentence(
    redis: Redis, label: Any, at: Any, message: str
) -> None:
    with pytest.raises(InvalidDeployMark, match=message):
        mark_deploy(label, at, redis=redis)

    assert not redis.keys("*")


def test_a_label_that_was_not_marked_may_be_marked_in_the_next_minute(redis: Redis) -> None:
    assert mark_deploy("v42", NOON, redis=redis)
    assert not mark_deploy("v43", NOON, redis=redis)
    assert mark_deploy("v43", NOON + timedelta(minutes=1), redis=redis)


def test_a_mark_without_a_label_or_a_zone_is_refused(redis: Redis) -> None:
    with pytest.raises(ValueError, match="empty"):
        mark_deploy(" ", redis=redis)
    with pytest.raises(ValueError, match="no zone"):
        mark_deploy("v42", datetime(2026, 11, 29), redis=redis)  # what is tested
    redis.set("20261129-marks", "x")
    with pytest.raises(StoreError, match="20261129-marks is not a hash"):
        mark_deploy("v42", NOON, redis=redis)
