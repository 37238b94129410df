"""How late runs started: the counts of a stretch of time, and their slots in Redis."""

from datetime import UTC, datetime

import pytest
from redis import Redis

from clock.store import keys
from clock.store.jobs.job_metrics import MINUTE_TTL_SECONDS, TEN_MINUTES_TTL_SECONDS
from clock.store.ledger import lateness
from clock.store.ledger.lateness import BUCKETS_MS, Lateness

NOW = datetime(2026, 3, 29, 11, 7, 30, tzinfo=UTC)
MINUTE, TEN_MINUTES = "260329|11:07", "260329|11:0"


def counted(*late_ms: int) -> Lateness:
    found = Lateness()
    for each in late_ms:
        found.add(each)
    return found


def test_a_run_counts_in_the_first_bucket_whose_end_it_does_not_exceed() -> None:
    found = counted(0, 5, 6, 10, BUCKETS_MS[-1], BUCKETS_MS[-1] + 1)

    assert found.counts[:3] == [2, 2, 0]
    assert found.counts[-2:] == [1, 1]
    assert (found.runs, found.max_ms, len(found.counts)) == (6, BUCKETS_MS[-1] + 1, len(BUCKETS_MS) + 1)


def test_a_run_before_its_due_instant_is_not_late() -> None:
    assert (counted(-7).counts[0], counted(-7).max_ms, counted(-7).quantile(0.5)) == (1, 0, 0)


@pytest.mark.parametrize(
    ("runs", "part", "quantile"),
    [
        ((), 0.5, 0),
        ((3,), 0.5, 3),  # never more than the greatest lateness
        ((3, 40), 0.5, 5),
        ((3, 40), 0.51, 40),
        ((3, 4, 40, 9_000), 0.75, 50),
        ((3, 4, 40, 9_000), 1.0, 9_000),
        ((BUCKETS_MS[-1] + 7,), 0.5, BUCKETS_MS[-1] + 7),
    ],
)
def test_a_quantile_is_the_end_of_the_bucket_that_so_many_runs_did_not_exceed(
    runs: tuple[int, ...], part: float, quantile: int
) -> None:
    assert counted(*runs).quantile(part) == quantile


def test_counts_of_two_stretches_add_up() -> None:
    found = counted(3, 700)

    found.merge(counted(4, 90))

    assert (found.runs, found.max_ms, found.counts[0]) == (4, 700, 2)


def test_what_is_added_is_read_from_its_minute_and_its_ten_minutes(redis: Redis) -> None:
    lateness.add(redis, counted(3, 700), now=NOW)
    lateness.add(redis, counted(4, BUCKETS_MS[-1] + 1), now=NOW)

    minute, ten_minutes, other = lateness.read(redis, [MINUTE, TEN_MINUTES, "260329|11:08"])

    assert minute == ten_minutes == counted(3, 700, 4, BUCKETS_MS[-1] + 1)
    assert other == Lateness()
    assert MINUTE_TTL_SECONDS - 60 < redis.ttl(keys.LATENESS + MINUTE) <= MINUTE_TTL_SECONDS
    assert TEN_MINUTES_TTL_SECONDS - 60 < redis.ttl(keys.LATENESS + TEN_MINUTES) <= TEN_MINUTES_TTL_SECONDS


def test_a_slot_may_have_runs_in_all_buckets(redis: Redis) -> None:
    found = counted(*BUCKETS_MS, BUCKETS_MS[-1] + 1)

    lateness.add(redis, found, now=NOW)

    assert lateness.read(redis, [MINUTE]) == [found]


def test_members_that_another_program_wrote_are_left_out(redis: Redis) -> None:
    end = len(BUCKETS_MS)
    odd = {"x": 1, "-1": 1, str(end + 1): 1, "007": 1, "²": 1, "1": -1, "2": 1e15, "": 1}
    redis.zadd(keys.LATENESS + MINUTE, {**odd, "0": 2, str(end): 0, "max": 4})

    [found] = lateness.read(redis, [MINUTE])

    assert (found.counts[0], found.runs, found.max_ms) == (2, 2, 4)


def test_a_key_of_another_type_has_no_counts_and_loses_no_others(redis: Redis) -> None:
    redis.set(keys.LATENESS + MINUTE, "in the way")

    lateness.add(redis, counted(3), now=NOW)

    assert [found.runs for found in lateness.read(redis, [MINUTE, TEN_MINUTES])] == [0, 1]


def test_the_greatest_lateness_of_a_slot_stays(redis: Redis) -> None:
    lateness.add(redis, counted(700), now=NOW)
    lateness.add(redis, counted(90), now=NOW)

    assert lateness.read(redis, [MINUTE]) == [counted(700, 90)]
