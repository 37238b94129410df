"""Schedules of run time as they are stored: versions, conflicts, and entries that are not schedules."""

import pytest
from redis import Redis

from clock.errors import ScheduleConflict
from clock.store import keys
from clock.store.ledger import schedules
from clock.store.ledger.schedules import StoredSchedule

HOURLY, DAILY = {"every": "1 hour"}, {"every": "1 day"}


def test_a_schedule_keeps_the_version_of_its_last_change_of_timing(redis: Redis) -> None:
    versions = [
        schedules.put(redis, "a", HOURLY, {"job": "A"}, None),
        schedules.put(redis, "a", HOURLY, {"job": "B"}, None),
        schedules.put(redis, "b", HOURLY, {}, 0),
    ]

    found = schedules.read(redis)

    assert versions == [1, 2, 3]
    assert found == [
        StoredSchedule("a", 2, 1, HOURLY, {"job": "B"}),
        StoredSchedule("b", 3, 3, HOURLY, {}),
    ]
    assert found[0].fields == {"every": "1 hour", "job": "B"}
    assert [schedules.read_one(redis, name) for name in ("a", "b", "c", "")] == [*found, None, None]


def test_the_same_timing_with_its_fields_in_another_order_is_no_change_of_timing(redis: Redis) -> None:
    schedules.put(redis, "a", {"every": "1 hour", "tz": "UTC"}, {}, None)

    schedules.put(redis, "a", {"tz": "UTC", "every": "1 hour"}, {}, None)

    [found] = schedules.read(redis)
    assert (found.version, found.since) == (2, 1)


def test_a_writer_with_another_version_is_refused_and_told_the_present_one(redis: Redis) -> None:
    schedules.put(redis, "a", HOURLY, {}, None)
    schedules.put(redis, "a", DAILY, {}, 1)

    with pytest.raises(ScheduleConflict) as put:
        schedules.put(redis, "a", HOURLY, {}, 1)
    with pytest.raises(ScheduleConflict) as new:
        schedules.put(redis, "a", HOURLY, {}, 0)
    with pytest.raises(ScheduleConflict) as missing:
        schedules.delete(redis, "b", 7)

    assert [each.value.found for each in (put, new, missing)] == [2, 2, 0]
    assert [str(each.value).partition(":")[0] for each in (put, new, missing)] == [
        "the schedule 'a' has version 2, and version 1 was expected",
        "the schedule 'a' has version 2, and no schedule of this name was expected",
        "the schedule 'b' does not exist, and version 7 was expected",
    ]


def test_a_deletion_reports_whether_there_was_a_schedule_and_changes_the_mark(redis: Redis) -> None:
    marks = [schedules.version(redis)]
    schedules.put(redis, "a", HOURLY, {}, None)
    marks.append(schedules.version(redis))

    deleted = [schedules.delete(redis, "a", None) for _ in range(2)]
    marks.append(schedules.version(redis))

    assert deleted == [True, False]
    assert marks[0] == (0, b"")
    assert len(set(marks)) == 3
    assert schedules.read(redis) == []


@pytest.mark.parametrize(
    "raw", ["", "1 1\n{}", "x 1\n{}\n{}", "1 1\n[]\n{}", "1 1\n{}\n7", "1 1\n{}\nx", "1\n{}\n{}"]
)
def test_an_entry_that_is_not_a_schedule_is_skipped(redis: Redis, raw: str) -> None:
    redis.hset(keys.SCHEDULES, mapping={"odd": raw, "fine": "1 1\n{}\n{}", "": "5"})

    assert [each.name for each in schedules.read(redis)] == ["fine"]
    assert schedules.read_one(redis, "odd") is None
