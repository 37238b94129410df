"""Triggers of elapsed time and of times of day, second by second around their anchor."""

from collections.abc import Iterator
from datetime import UTC, tzinfo
from itertools import product

import pytest

from clock.timetable.triggers.calendar_days import WORKING_DAYS, matching
from clock.timetable.triggers.intervals import (
    CalendarDays,
    Days,
    EachHour,
    Elapsed,
    Hours,
    Minutes,
    RandomGaps,
    Trigger,
    Union,
    drawn,
    in_order,
)
from clock.timetable.triggers.zone_offsets import DAY, HOUR, MINUTE, date_of
from tests.timetable.changing_zone import ChangingZone

MIDNIGHT = 20_001 * DAY  # a Saturday
NEVER_CHANGES = ChangingZone(0, 0, before=5 * HOUR + 1200)


def due(trigger: Trigger, after: int, end: int, anchor: int, previous: int | None = None) -> list[int]:
    return [*iter(trigger.due_between(after, end, anchor, previous))]


def windows(anchor: int, length: int) -> Iterator[tuple[int, int]]:
    """Parts of the time around an anchor, some of one second."""
    places = [*range(anchor - 3, anchor + 4), anchor + length // 2, anchor + length - 1, anchor + length]
    return ((after, end) for after, end in product(places, places) if after <= end)


def assert_due(trigger: Trigger, expected: list[int], anchor: int, length: int) -> None:
    """The trigger has these instants, up to `length` seconds after the anchor, in each part of the time."""
    for after, end in windows(anchor, length):
        assert due(trigger, after, end, anchor) == [each for each in expected if after < each <= end]
    for each in expected:
        assert due(trigger, each - 1, each, anchor) == [each]


@pytest.mark.parametrize("period", [1, 7, 60, 90])
def test_a_period_is_counted_from_the_anchor(period: int) -> None:
    anchor = MIDNIGHT + 123

    assert_due(Elapsed(period), [*range(anchor + period, anchor + 301, period)], anchor, 300)
    assert_due(Elapsed(period, first=0), [*range(anchor, anchor + 301, period)], anchor, 300)
    assert_due(Elapsed(period, first=3), [*range(anchor + 3 * period, anchor + 301, period)], anchor, 300)


@pytest.mark.parametrize("past", [0, 14, 15, 16, 59])
def test_minutes_are_due_at_their_second(past: int) -> None:
    anchor = MIDNIGHT + past
    each_minute = [at for at in range(anchor + 1, anchor + 1000) if at % MINUTE == 15]
    in_steps = [*range(MIDNIGHT + 3 * MINUTE + 15, anchor + 1000, 3 * MINUTE)]

    assert_due(Minutes(1, 15), each_minute, anchor, 999)
    assert_due(Minutes(3, 15), in_steps, anchor, 999)


@pytest.mark.parametrize("past", [0, 899, 900, 901, 3599])
@pytest.mark.parametrize("zone", [UTC, NEVER_CHANGES])
def test_hours_are_due_at_their_minute(zone: tzinfo, past: int) -> None:
    shown = MIDNIGHT - (0 if zone is UTC else 1200)  # the clock shows a whole hour
    anchor = shown + past
    each_hour = [at for at in range(anchor + 1, anchor + DAY) if at - shown in range(900, DAY + HOUR, HOUR)]

    assert_due(EachHour(zone, (900,)), each_hour, anchor, DAY - 1)
    assert_due(Hours(zone, 3, 900), [*range(shown + 3 * HOUR + 900, anchor + DAY, 3 * HOUR)], anchor, DAY - 1)


def test_steps_of_hours_keep_to_the_minute_that_the_clock_shows() -> None:
    """The clock goes forward by 20 minutes after five hours: the step is longer, and no instant comes twice."""
    zone = ChangingZone(MIDNIGHT + 5 * HOUR, 1200)

    trigger = Hours(zone, 2, 600)

    expected = [MIDNIGHT + hour * HOUR + 600 + (0 if hour < 5 else 2400) for hour in (2, 4, 6, 8, 10)]
    assert_due(trigger, expected, MIDNIGHT, 11 * HOUR)
    for each in expected:
        assert all(due(trigger, each - wait, each, MIDNIGHT) == [each] for wait in range(1, HOUR, 100))


@pytest.mark.parametrize("times", [(0,), (HOUR, 20 * HOUR + 1), (DAY - 1,)])
@pytest.mark.parametrize("past", [0, 1, HOUR, DAY - 1])
@pytest.mark.parametrize("step", [1, 2, 5])
def test_days_are_counted_from_the_anchors_day(step: int, past: int, times: tuple[int, ...]) -> None:
    anchor = MIDNIGHT + past
    days = range(MIDNIGHT, MIDNIGHT + 12 * DAY, DAY)
    expected = [day + time for day in days[::step] for time in times if anchor < day + time <= anchor + 11 * DAY]
    later = [day + time for day in days[step::step] for time in times if day + time <= anchor + 11 * DAY]

    assert_due(Days(UTC, step, times), expected, anchor, 11 * DAY)
    assert_due(Days(UTC, step, times, first=1), [each for each in later if each > anchor], anchor, 11 * DAY)


@pytest.mark.parametrize("at_anchor", [False, True])
def test_days_without_a_time_have_that_of_the_anchor(at_anchor: bool) -> None:
    anchor = MIDNIGHT + 12_345
    trigger = Days(NEVER_CHANGES, 3, at_anchor=at_anchor)

    assert_due(
        trigger, [*range(anchor + (0 if at_anchor else 3 * DAY), anchor + 10 * DAY, 3 * DAY)], anchor, 9 * DAY
    )


@pytest.mark.parametrize("weekday", range(7))
def test_weeks_are_counted_from_the_next_weekday(weekday: int) -> None:
    anchor = MIDNIGHT + 10 * HOUR
    days = [day for day in range(MIDNIGHT, MIDNIGHT + 30 * DAY, DAY) if date_of(day // DAY).weekday() == weekday]

    for time in (9 * HOUR, 11 * HOUR):
        expected = [day + time for day in days[::2] if anchor < day + time <= anchor + 28 * DAY]
        assert_due(Days(UTC, 14, (time,), weekday=weekday), expected, anchor, 28 * DAY)


def test_days_of_a_rule_have_given_times_or_that_of_the_anchor() -> None:
    anchor = MIDNIGHT + 10 * HOUR + 5
    days = [day for day in range(MIDNIGHT, MIDNIGHT + 7 * DAY, DAY) if date_of(day // DAY).weekday() < 5]

    assert_due(CalendarDays(UTC, WORKING_DAYS), [day + 10 * HOUR + 5 for day in days], anchor, 7 * DAY)
    assert_due(CalendarDays(UTC, WORKING_DAYS, (7,)), [day + 7 for day in days], anchor, 7 * DAY)
    assert_due(CalendarDays(NEVER_CHANGES, WORKING_DAYS), [day + 10 * HOUR + 5 for day in days], anchor, 7 * DAY)


@pytest.mark.parametrize("step", [1, 2, 3])
def test_months_are_counted_from_the_anchors(step: int) -> None:
    """With a step, the month of the anchor itself does not count."""
    first = matching(lambda day: day.day == 28)
    months = [day for day in range(MIDNIGHT, MIDNIGHT + 400 * DAY, DAY) if date_of(day // DAY).day == 28]

    found = due(CalendarDays(UTC, first, (60,), step), MIDNIGHT, MIDNIGHT + 400 * DAY, MIDNIGHT)

    assert found == [day + 60 for day in (months if step == 1 else months[step::step])]


def test_random_gaps_are_within_their_bounds_and_follow_the_instant_before() -> None:
    trigger = RandomGaps("poll", 2, 4, 30)
    found = due(trigger, MIDNIGHT, MIDNIGHT + 10_000, MIDNIGHT)

    gaps = [later - earlier for earlier, later in zip([MIDNIGHT, *found], found, strict=False)]
    assert set(gaps) == {60, 90, 120}
    assert due(trigger, found[4], MIDNIGHT + 10_000, MIDNIGHT, found[4]) == found[5:]
    assert due(trigger, found[4], found[5], MIDNIGHT, found[3]) == [found[5]]
    assert due(RandomGaps("poll", 3, 3, 30), MIDNIGHT, MIDNIGHT + 180, MIDNIGHT) == [MIDNIGHT + 90, MIDNIGHT + 180]


def test_what_is_drawn_stays_the_same_in_every_version() -> None:
    """Spreads, jitters and random gaps would move with it, and events would run twice or not at all."""
    assert drawn("mail") == 2_223_221_373_428_123_976
    assert drawn("mail", 1_800_000_000) == 12_483_400_229_554_503_033


def test_an_instant_of_several_triggers_counts_once() -> None:
    trigger = Union([Elapsed(4), Elapsed(6), Elapsed(12)])

    assert due(trigger, 0, 24, 0) == [4, 6, 8, 12, 16, 18, 20, 24]
    assert due(trigger, 4, 11, 0) == [6, 8]


def test_moved_instants_come_in_order_each_once() -> None:
    moved = [(1, 9), (2, 5), (5, 5), (6, 6), (6, 6), (7, 30), (8, 8), (20, 25), (21, 30), (22, 25)]

    assert list(in_order(moved)) == [5, 6, 8, 9, 25, 30]


def test_a_moved_instant_comes_as_soon_as_no_earlier_one_can() -> None:
    def moved() -> Iterator[tuple[int, int]]:
        yield 1, 5
        yield 5, 7
        raise AssertionError("it looked further than it had to")

    assert next(in_order(moved())) == 5
