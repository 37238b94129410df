"""Removing what rates no longer need."""

from redis import Redis

from clock.store import keys
from clock.store.jobs.flow.rates import START, claim_check, forget
from tests.servers import lifetime
from tests.store.jobs.calls import script_calls

NOW_MS = 1_795_500_000_000
DAY_MS = 86_400_000


def test_rates_are_checked_once_a_minute_while_there_are_any(redis: Redis) -> None:
    assert not claim_check(redis)
    redis.zadd(keys.RATE_SLOTS, {"j1": NOW_MS})

    assert claim_check(redis)
    assert not claim_check(redis)

    assert redis.pttl(keys.RATES_CHECKED) in lifetime(60)
    redis.delete(keys.RATES_CHECKED, keys.RATE_SLOTS)
    redis.hset(keys.RATES, "mail", "1|0|0|0|0")
    assert claim_check(redis)


def test_rates_that_are_as_good_as_new_and_slots_older_than_a_day_are_removed(redis: Redis) -> None:
    redis.hset(keys.RATES, mapping={"full": f"{NOW_MS}|0|0|0|0", "busy": f"{NOW_MS + 1}|0|0|0|0"})
    redis.zadd(keys.RATE_SLOTS, {"old": NOW_MS - DAY_MS, "young": NOW_MS - DAY_MS + 1})

    assert forget(redis, within=5, now_ms=NOW_MS) == (START, 2)

    assert redis.hkeys(keys.RATES) == [b"busy"]
    assert redis.zrange(keys.RATE_SLOTS, 0, -1) == [b"young"]


def test_without_a_time_the_time_of_redis_counts(redis: Redis) -> None:
    seconds, _ = redis.time()
    redis.hset(
        keys.RATES, mapping={"full": f"{seconds * 1000 - 60_000}|0|0|0|0", "busy": "9000000000000000|0|0|0|0"}
    )

    assert forget(redis, within=5) == (START, 1)


def test_many_rates_are_looked_at_in_steps_and_a_later_call_goes_on(redis: Redis) -> None:
    redis.hset(keys.RATES, mapping={f"rate-{number}": "5|0|0|0|0" for number in range(3_000)})
    redis.zadd(keys.RATE_SLOTS, {f"j{number}": 5 for number in range(600)})
    redis.config_resetstat()

    at, removed = forget(redis, within=0, now_ms=NOW_MS)

    assert script_calls(redis) == 1
    assert at != START
    assert 500 + 500 <= removed < 1_500  # of slots and of rates
    at, more = forget(redis, at, within=60, now_ms=NOW_MS)
    assert at == START
    assert script_calls(redis) > 2
    assert removed + more > 3_000
    assert not redis.exists(keys.RATE_SLOTS)
