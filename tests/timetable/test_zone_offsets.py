"""Offsets of zones, against what the zone answers second by second; the changes of a zone's clocks."""

from datetime import UTC, date, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest

from clock.timetable.triggers.zone_offsets import (
    DAY,
    FOREVER,
    HOUR,
    Offsets,
    ZoneChange,
    date_of,
    day_number,
    to_datetime,
    to_seconds,
    zone_changes,
)
from tests.timetable.changing_zone import ChangingZone

AT = 20_000 * DAY + HOUR  # 2024-10-04 01:00 in UTC
NOON = datetime(2024, 10, 4, 12)
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


@pytest.mark.parametrize(
    ("shift", "words"),
    [
        (HOUR, "Fri 04 Oct 2024: the times from 03:00 to 04:00 are skipped"),
        (-1800, "Fri 04 Oct 2024: the times from 02:30 to 03:00 occur twice"),
    ],
)
def test_a_change_is_described(shift: int, words: str) -> None:
    [change] = zone_changes(ChangingZone(AT, shift, before=2 * HOUR), to_datetime(AT - DAY), to_datetime(AT + DAY))

    assert change.at == to_datetime(AT)
    assert change.shown == datetime(2024, 10, 4, 3)
    assert change.then == change.shown + timedelta(seconds=shift)
    assert change.is_gap is (shift > 0)
    assert str(change) == words


@pytest.mark.parametrize(("start", "end", "count"), [(-1, 1, 1), (0, 9, 0), (-9, 0, 0), (-1, 2, 1), (1, 9, 0)])
def test_a_change_is_listed_if_it_is_within_the_time(start: int, end: int, count: int) -> None:
    zone = ChangingZone(AT, HOUR)

    assert len(list(zone_changes(zone, to_datetime(AT + start), to_datetime(AT + end)))) == count


def test_a_zone_that_does_not_change_has_no_changes() -> None:
    start = datetime(2000, 1, 1, tzinfo=UTC)

    assert not list(zone_changes(UTC, start, start + timedelta(days=9000)))


@pytest.mark.parametrize("shift", [60, -60])
def test_a_change_holds_the_times_that_are_skipped_or_occur_twice(shift: int) -> None:
    change = ZoneChange(to_datetime(AT), NOON, NOON + timedelta(seconds=shift))
    low = min(0, shift)

    held = [change.holds(NOON + timedelta(seconds=low + far)) for far in (-1, 0, 30, 59, 60)]

    assert held == [False, True, True, True, False]
    assert not ZoneChange(to_datetime(AT), NOON, NOON).is_gap
