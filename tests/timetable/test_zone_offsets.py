"""Offsets of zones, against what the zone answers second by second."""

from datetime import UTC, date, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest

from clock.timetable.triggers.zone_offsets import (
    DAY,
    FOREVER,
    Offsets,
    date_of,
    day_number,
    to_datetime,
    to_seconds,
)
from tests.timetable.changing_zone import ChangingZone

SPAN = 2**25  # offsets are looked up for spans of so many seconds
MIDDLE = 50 * SPAN + SPAN // 3
#: Places of a change that a search may miss: the ends of a span, the steps of the search, any second.
PLACES = [50 * SPAN, 50 * SPAN + 1, 51 * SPAN - 1, 50 * SPAN + 3 * DAY, 50 * SPAN + 3 * DAY + 1, MIDDLE]


def test_instants_are_whole_seconds_rounded_down() -> None:
    moment = datetime(2026, 11, 24, 10, 0, 0, 999_999, tzinfo=UTC)

    assert to_datetime(to_seconds(moment)) == moment.replace(microsecond=0)
    assert to_seconds(datetime(1970, 1, 1, tzinfo=UTC)) == 0
    assert to_seconds(datetime(1969, 12, 31, 23, 59, 59, 1, tzinfo=UTC)) == -1


def test_days_are_counted_from_1970() -> None:
    assert day_number(date(1970, 1, 1)) == 0
    assert day_number(date(2026, 11, 24)) == to_seconds(datetime(2026, 11, 24, tzinfo=UTC)) // DAY
    assert date_of(day_number(date(2028, 2, 29))) == date(2028, 2, 29)


@pytest.mark.parametrize("name", ["Pacific/Kiritimati", "Etc/GMT+12", "America/New_York"])
def test_every_zone_has_times_of_day_up_to_the_latest_instant(name: str) -> None:
    offsets = Offsets(ZoneInfo(name))

    [*_, last] = offsets.periods(FOREVER - DAY, FOREVER)

    assert last.start <= FOREVER < last.stop
    assert to_datetime(FOREVER + DAY).year == 9990


@pytest.mark.parametrize(("at", "shift"), list(product(PLACES, [3600, -3600, 1, -1])))
def test_a_change_at_any_second_is_found(at: int, shift: int) -> None:
    zone = ChangingZone(at, shift, before=1800)
    offsets = Offsets(zone)

    for instant in (at - SPAN, at - 1, at, at + 1, at + SPAN):
        assert offsets.at(instant) == zone.offset(instant)
    [*_, before, after] = (period for period in offsets.periods(at - 1, at))
    assert (before.stop, before.offset, before.following) == (at, 1800, 1800 + shift)
    assert (after.start, after.before, after.offset, after.following) == (at, 1800, 1800 + shift, 1800 + shift)


@pytest.mark.parametrize("at", PLACES)
def test_periods_are_those_that_hold_an_instant_of_the_span(at: int) -> None:
    offsets = Offsets(ChangingZone(at, 3600))

    assert {period.offset for period in offsets.periods(at - 2, at - 1)} == {0}
    assert {period.offset for period in offsets.periods(at - 1, at - 1)} == {0}
    assert {period.offset for period in offsets.periods(at - 1, at)} == {0, 3600}
    assert {period.offset for period in offsets.periods(at, at)} == {3600}
    assert {period.offset for period in offsets.periods(at, at + 1)} == {3600}


@pytest.mark.parametrize(("at", "shift"), list(product(PLACES, [20, -20, DAY, -DAY])))
def test_the_readings_of_a_wall_clock_time_are_the_instants_that_show_it(at: int, shift: int) -> None:
    before = -shift // 2  # a zone is less than a day ahead of UTC, or behind
    zone = ChangingZone(at, shift, before)
    offsets = Offsets(zone)

    for wall in (at + end + far for end in (before, before + shift) for far in range(-25, 25)):
        instants = [wall - offset for offset in (before, before + shift) if zone.offset(wall - offset) == offset]
        assert offsets.readings(wall) == sorted(instants)
        assert offsets.instant_of(wall) == (min(instants) if instants else at)


@pytest.mark.parametrize("name", ["Australia/Lord_Howe", "America/New_York", "Pacific/Apia", "Africa/Casablanca"])
def test_offsets_are_those_of_the_tz_database(name: str) -> None:
    zone = ZoneInfo(name)
    offsets = Offsets(zone)
    start = datetime(2011, 1, 1, tzinfo=UTC)

    for moment in (start + timedelta(hours=7 * step) for step in range(3 * 366 * 24 // 7)):
        assert timedelta(seconds=offsets.at(to_seconds(moment))) == moment.astimezone(zone).utcoffset()
