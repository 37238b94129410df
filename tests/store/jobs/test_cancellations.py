"""Marks of cancelled jobs."""

from datetime import timedelta

from redis import Redis

from clock.clocks import from_ms, to_ms
from clock.store import keys
from clock.store.jobs.cancellations import is_marked, mark, marked, unmark

NOW = from_ms(1_795_500_000_000)


def test_a_mark_lasts_a_day_or_as_long_as_was_asked(redis: Redis) -> None:
    mark(redis, ["a"], now=NOW)
    mark(redis, ["b", "c"], now=NOW, seconds=60.5)

    assert redis.zscore(keys.CANCELLED, "a") == to_ms(NOW) + 86_400_000
    for later_ms, are_marked in ((60_499, [True, True, False]), (60_500, [True, False, False])):
        later = NOW + timedelta(milliseconds=later_ms)
        assert [is_marked(redis, jid, now=later) for jid in ("a", "b", "x")] == are_marked


def test_marks_that_are_over_are_removed_when_marks_are_read_or_set(redis: Redis) -> None:
    mark(redis, ["a"], now=NOW)
    mark(redis, ["b"], now=NOW, seconds=60)
    minute = NOW + timedelta(minutes=1)

    assert marked(redis, now=minute - timedelta(milliseconds=1)) == {"a", "b"}
    assert marked(redis, now=minute) == {"a"}
    assert redis.zrange(keys.CANCELLED, 0, -1) == [b"a"]
    mark(redis, ["c"], now=NOW + timedelta(days=1))
    assert redis.zrange(keys.CANCELLED, 0, -1) == [b"c"]


def test_a_mark_is_taken_back(redis: Redis) -> None:
    mark(redis, ["a", "b"], now=NOW)

    unmark(redis, "a")

    assert marked(redis, now=NOW) == {"b"}


def test_a_worker_reads_ten_thousand_marks_at_most(redis: Redis) -> None:
    redis.zadd(keys.CANCELLED, {str(number): 9e15 for number in range(10_001)})

    assert len(marked(redis, now=NOW)) == 10_000
