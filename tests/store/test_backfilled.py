"""The instants that were backfilled: they are remembered for a year."""

from datetime import timedelta

from redis import Redis

from clock.clocks import from_ms, to_ms
from clock.store import keys
from clock.store.ledger import backfilled

NOW = from_ms(1_795_521_600_000)


def test_the_instants_of_an_event_are_read_without_those_of_others(redis: Redis) -> None:
    members = ["1000 feed", "2000 feed", "3000 feed me", "4000 mail", "x feed", " feed", "5000"]
    redis.zadd(keys.BACKFILLED, dict.fromkeys(members, 1))

    assert backfilled.read(redis, "feed") == {1000, 2000}
    assert backfilled.read(redis, "feed me") == {3000}


def test_backfills_of_more_than_a_year_ago_are_forgotten(redis: Redis) -> None:
    year = timedelta(days=366)
    redis.zadd(keys.BACKFILLED, {"1 feed": to_ms(NOW - year), "2 feed": to_ms(NOW - year) + 1})

    backfilled.forget_old(redis, NOW)

    assert backfilled.read(redis, "feed") == {2}
