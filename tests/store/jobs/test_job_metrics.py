"""The figures of job classes, as Sidekiq's page Metrics reads them."""

from datetime import UTC, datetime

import pytest
from redis import Redis

from clock.store import keys
from clock.store.jobs.job_metrics import BUCKETS_MS, Tally, add, histogram, read, slot_of
from tests.servers import lifetime

NOW = datetime(2026, 11, 24, 9, 7, 30, tzinfo=UTC)


def runs(*by_bucket: int) -> list[int]:
    """A histogram that begins with these counts."""
    return [*by_bucket, *[0] * (len(BUCKETS_MS) - len(by_bucket))]


def test_the_buckets_are_those_of_sidekiqs_histogram() -> None:
    sidekiqs = [20, 30, 45, 65, 100, 150, 225, 335, 500, 750, 1100, 1700, 2500, 3800, 5750, 8500, 13000]
    sidekiqs += [20000, 30000, 45000, 65000, 100000, 150000, 225000, 335000]

    ends = dict(zip(BUCKETS_MS, Tally().histogram, strict=True))

    assert [*ends] == [*sidekiqs, float("inf")]


def test_the_figures_of_two_threads_are_added_to_one_tally() -> None:
    tally = Tally(1, 2, 3, 4, 5.5, runs(6, 0, 7))

    tally.merge(Tally(10, 20, 30, 40, 50.25, runs(60, 80)))

    assert tally == Tally(11, 22, 33, 44, 55.75, runs(66, 80, 7))


def test_figures_are_read_by_slot_and_class_after_they_were_added(redis: Redis) -> None:
    add(redis, {"AJob": Tally(5, 2, ms=10.6), "BJob": Tally(1)}, now=NOW)
    add(redis, {"AJob": Tally(3, ms=1.2)}, now=NOW)

    slots = [slot_of(NOW, 1), slot_of(NOW, 10), slot_of(NOW.replace(hour=10), 1)]

    assert slots == ["261124|9:07", "261124|9:0", "261124|10:07"]
    both = {"AJob": {"p": 8, "f": 2, "ms": 12}, "BJob": {"p": 1, "f": 0, "ms": 0}}
    assert read(redis, slots) == [both, both, {}]


def test_figures_are_kept_for_8_hours_and_those_of_ten_minutes_for_3_days(redis: Redis) -> None:
    add(redis, {"AJob": Tally(1, histogram=runs(1))}, now=NOW)

    ages = {b"j|261124|9:07": 28_800, b"j|261124|9:0": 259_200, b"h|AJob-24-9:7": 28_800}
    assert [key for key, seconds in ages.items() if redis.pttl(key) not in lifetime(seconds)] == []
    assert set(redis.keys()) == set(ages)


def test_run_times_are_added_up_over_minutes_and_stop_at_the_largest_number_of_a_bucket(redis: Redis) -> None:
    add(redis, {"AJob": Tally(3, histogram=runs(1, 0, 2))}, now=NOW)
    add(redis, {"AJob": Tally(1, histogram=runs(*[0] * 25, 1))}, now=NOW.replace(minute=8))
    add(redis, {"AJob": Tally(1, histogram=runs(300))}, now=NOW.replace(minute=9))
    add(redis, {"AJob": Tally(1, histogram=runs(0, 70_000))}, now=NOW.replace(minute=10))
    minutes = [NOW.replace(minute=minute) for minute in (7, 8, 9, 10, 11)]

    assert histogram(redis, "AJob", minutes) == runs(301, 65_535, 2, *[0] * 22, 1)
    assert histogram(redis, "AJob", minutes[:1]) == runs(1, 0, 2)
    assert histogram(redis, "BJob", minutes) == runs()


def test_a_class_without_runs_writes_no_keys(redis: Redis) -> None:
    add(redis, {"AJob": Tally()}, now=NOW)

    assert redis.keys() == []


def test_expired_and_cancelled_jobs_are_counted_by_class(redis: Redis) -> None:
    for _ in range(2):
        add(redis, {"AJob": Tally(expired=1), "BJob": Tally(cancelled=3)}, now=NOW)

    assert redis.hgetall(keys.EXPIRED) == {b"AJob": b"2"}
    assert redis.hgetall(keys.CANCELLED_JOBS) == {b"BJob": b"6"}


@pytest.mark.parametrize("wrong", ["j|261124|9:07", "j|261124|9:0", "h|AJob-24-9:7", keys.EXPIRED])
def test_a_key_of_another_program_costs_only_its_own_figures(redis: Redis, wrong: str) -> None:
    redis.rpush(wrong, "foreign")

    add(redis, {"AJob": Tally(1, expired=1, histogram=runs(1))}, now=NOW)

    written = {"j|261124|9:07", "j|261124|9:0", "h|AJob-24-9:7", keys.EXPIRED}
    assert set(redis.keys()) == {key.encode() for key in written}
    assert redis.lrange(wrong, 0, -1) == [b"foreign"]
    assert read(redis, [slot_of(NOW, 1)]) == [{} if wrong.endswith("07") else {"AJob": {"p": 1, "f": 0, "ms": 0}}]
    assert histogram(redis, "AJob", [NOW]) == (runs() if wrong.startswith("h|") else runs(1))


def test_fields_and_counters_of_another_program_are_not_figures(redis: Redis) -> None:
    redis.hset("j|261124|9:07", mapping={"A|BJob|p": 2, "AJob|x": 1, "|ms": "text", "AJob": 3})
    redis.set("h|AJob-24-9:7", b"\x00\x01" * 30 + b"\x07")
    redis.set("h|BJob-24-9:7", b"\x01")

    assert read(redis, [slot_of(NOW, 1)]) == [{"A|BJob": {"p": 2, "f": 0, "ms": 0}, "": {"p": 0, "f": 0, "ms": 0}}]
    assert histogram(redis, "AJob", [NOW]) == [1] * len(BUCKETS_MS)
    assert histogram(redis, "BJob", [NOW]) == runs()
