"""Triggers that end, in the zone of their event."""

from datetime import UTC, datetime, time, timedelta, timezone, tzinfo

import pytest

from clock.timetable.triggers.adjustments import Moment, Until, parse_until, until_words
from clock.timetable.triggers.intervals import Elapsed
from clock.timetable.triggers.zone_offsets import DAY, HOUR
from tests.timetable.changing_zone import ChangingZone

MIDNIGHT = 20_000 * DAY  # 2024-10-04
ANCHOR = MIDNIGHT + 10 * HOUR + 7
TOKYO = timezone(timedelta(hours=9))


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        ("2026-12-31 18:00:05", datetime(2026, 12, 31, 18, 0, 5)),
        ("2026-12-31 18:00", datetime(2026, 12, 31, 18)),
        ("2026-12-31", datetime(2026, 12, 31)),
        ("18:00:05", time(18, 0, 5)),
        ("18:00", time(18)),
        ("2026-12-31T18:00:00+09:00", datetime(2026, 12, 31, 18, tzinfo=TOKYO)),
        (timedelta(hours=2), timedelta(hours=2)),
        (time(6), time(6)),
        (datetime(2026, 12, 31), datetime(2026, 12, 31)),
    ],
)
def test_a_moment_is_parsed(given: object, moment: Moment) -> None:
    assert parse_until(given) == moment


@pytest.mark.parametrize("given", ["tomorrow", "25:00", "", 5, None])
def test_what_is_no_moment_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match=f"until is {given!r}; use a datetime, a timedelta, a time"):
        parse_until(given)


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (timedelta(hours=2), "2 h after it was first seen"),
        (time(6, 5, 4), "06:05:04 of the day on which it was first seen"),
        (datetime(2026, 12, 31, 18), "2026-12-31 18:00:00"),
    ],
)
def test_a_moment_is_shown_in_words(moment: Moment, words: str) -> None:
    assert until_words(moment) == words


@pytest.mark.parametrize(
    ("moment", "zone", "last"),
    [
        (timedelta(seconds=90), UTC, ANCHOR + 90),
        (timedelta(seconds=90, microseconds=999_999), UTC, ANCHOR + 90),
        (time(11, 2, 3), UTC, MIDNIGHT + 11 * HOUR + 123),
        (time(23, 0, 9), TOKYO, MIDNIGHT + 14 * HOUR + 9),
        (time(23, 0, 9, tzinfo=TOKYO), UTC, MIDNIGHT + 14 * HOUR + 9),
        (time(1), timezone(timedelta(hours=14)), MIDNIGHT + 11 * HOUR),  # the anchor's day is the next one there
        (time(12), ChangingZone(MIDNIGHT + 11 * HOUR, HOUR), MIDNIGHT + 11 * HOUR),  # the end of the gap
        (time(12, 30), ChangingZone(MIDNIGHT + 11 * HOUR, HOUR), MIDNIGHT + 11 * HOUR + 1800),
        (datetime(2024, 10, 4, 12), UTC, MIDNIGHT + 12 * HOUR),
        (datetime(2024, 10, 4, 21), TOKYO, MIDNIGHT + 12 * HOUR),
        (datetime(2024, 10, 4, 21, tzinfo=TOKYO), UTC, MIDNIGHT + 12 * HOUR),
    ],
)
def test_the_last_instant_is_due_and_nothing_after_it(moment: Moment, zone: tzinfo, last: int) -> None:
    trigger = Until(Elapsed(1), moment, zone)

    assert list(trigger.due_between(last - 3, last + 3, ANCHOR, None)) == [last - 2, last - 1, last]
    assert list(trigger.due_between(last - 3, last - 1, ANCHOR, None)) == [last - 2, last - 1]
