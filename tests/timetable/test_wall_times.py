"""Times of day in a zone whose clocks change, against a reading of the clock second by second."""

from itertools import product
from typing import get_args

import pytest

from clock.timetable.triggers.calendar_days import EVERY_DAY, DayRule, EveryNthDay
from clock.timetable.triggers.wall_times import (
    EVERY_HOUR,
    FIXED,
    SEARCH_SECONDS,
    Dst,
    Fold,
    Gap,
    WallTimes,
    span_of,
)
from clock.timetable.triggers.zone_offsets import DAY
from tests.timetable.changing_zone import ChangingZone

MIDNIGHT = 20_000 * DAY
NOON = MIDNIGHT + DAY // 2
AHEAD = 7200  # seconds by which a zone is ahead of UTC
REACH = 30  # seconds around a change
RULES = [Dst(gap, fold) for gap in get_args(Gap) for fold in get_args(Fold)]


def by_the_second(zone: ChangingZone, walls: set[int], rule: Dst, at: int) -> list[int]:
    """The due instants around the change at `at`, from the instants at which the clock shows each of `walls`."""
    shown: dict[int, list[int]] = {}
    for instant in range(at - 2 * REACH, at + 2 * REACH):
        shown.setdefault(instant + zone.offset(instant), []).append(instant)
    counted = {"first": slice(0, 1), "second": slice(-1, None), "both": slice(None)}[rule.fold or ""]
    due = {instant for wall in walls for instant in shown.get(wall, [])[counted]}
    skipped = range(at + zone.offset(at - 1), at + zone.offset(at))
    return sorted(due | {at} if rule.gap == "shift" and walls.intersection(skipped) else due)


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize(("wall", "shift"), list(product([NOON, MIDNIGHT, MIDNIGHT - 5, MIDNIGHT + 5], [10, -10])))
@pytest.mark.parametrize("seconds", [range(-40, 40, 7), (3,), (0, 10), (-10, -1), (3, 4, 11)], ids=str)
def test_times_of_day_are_due_as_the_clock_shows_them(
    rule: Dst, wall: int, shift: int, seconds: list[int]
) -> None:
    at = wall - AHEAD
    zone = ChangingZone(at, shift, before=AHEAD)
    times = tuple(sorted((wall + second) % DAY for second in seconds))
    trigger = WallTimes(EVERY_DAY, times, zone, rule)
    expected = by_the_second(zone, {wall + second for second in seconds}, rule, at)

    for after, length in product(range(at - 12, at + 13), (1, 11)):
        due = [instant for instant in expected if after < instant <= after + length]
        assert [*iter(trigger.instants(after, after + length))] == due
    found = trigger.instants(at - REACH, at + 5)
    due = [instant for instant in expected if at - REACH < instant <= at + 5]
    assert list(reversed(found)) == due[::-1]
    assert len(found) == len(due)
    assert [instant for instant, _ in trigger.readings(at - REACH, at + 5)] == due


@pytest.mark.parametrize("rule", [FIXED, EVERY_HOUR], ids=str)
@pytest.mark.parametrize("shift", [3600, -3600, DAY, -DAY])
@pytest.mark.parametrize("first", [-3, -1, 0, 1, 3])
def test_the_days_are_those_of_the_zone(rule: Dst, shift: int, first: int) -> None:
    change = MIDNIGHT + shift // 2
    zone = ChangingZone(change, shift, before=-shift // 2)  # the clock shows midnight, then another time
    days = EveryNthDay(MIDNIGHT // DAY + first, 2)
    trigger = WallTimes(days, (0, 5400), zone, rule)

    found = list(trigger.readings(MIDNIGHT - 9 * DAY, MIDNIGHT + 9 * DAY))

    shown = [(at, at + zone.offset(at)) for at in range(MIDNIGHT - 9 * DAY + 600, MIDNIGHT + 9 * DAY + 1, 600)]
    for at, wall in shown:
        is_due = wall % DAY in (0, 5400) and wall // DAY in days.between(wall // DAY, wall // DAY + 1)
        is_again = rule == FIXED and at >= change and wall < MIDNIGHT
        assert ((at, wall) in found) == (is_due and not is_again)
    rest = set(found) - set(shown)
    assert all(at == change and rule == FIXED and 0 <= wall - MIDNIGHT < shift for at, wall in rest)
    assert found == sorted(found)


@pytest.mark.parametrize("offset", [-12 * 3600, 0, 14 * 3600])
@pytest.mark.parametrize("time", [0, 43_199, 86_399])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_due_instant_is_found_in_its_second_alone(offset: int, time: int, step: int) -> None:
    zone = ChangingZone(MIDNIGHT + 99 * DAY, 0, before=offset)
    day = MIDNIGHT // DAY
    trigger = WallTimes(EveryNthDay(day - 6, step), (time,), zone)

    for due in ((day + number) * DAY + time - offset for number in (0, 6)):
        assert list(trigger.instants(due - 1, due)) == [due]
        assert not list(trigger.instants(due, due + 3600))
        assert not list(trigger.instants(due - 3600, due - 1))


def test_a_wall_clock_time_goes_with_each_instant() -> None:
    trigger = WallTimes(EVERY_DAY, (DAY // 2 + 3,), ChangingZone(NOON, 10, before=7))

    found = list(trigger.readings(NOON - DAY, NOON + DAY))

    assert found == [(NOON - DAY - 4 + DAY, NOON + 3), (NOON + DAY - 14, NOON + DAY + 3)]


class Asked:
    """Days of which the spans that are asked for are recorded."""

    def __init__(self, days: DayRule) -> None:
        self.days = days
        self.spans: list[tuple[int, int]] = []

    def between(self, low: int, high: int) -> list[int]:
        """The days low <= day < high."""
        self.spans.append((low, high))
        return list(self.days.between(low, high))


def test_the_search_goes_straight_to_the_first_day() -> None:
    days = Asked(EveryNthDay(MIDNIGHT // DAY + 10_000, 1))
    trigger = WallTimes(days, (0,), ChangingZone(MIDNIGHT, 3600))

    found = iter(trigger.instants(MIDNIGHT, MIDNIGHT + 10_001 * DAY))

    assert next(found) == MIDNIGHT + 10_000 * DAY - 3600
    assert len(days.spans) <= 2


def test_the_search_ends_after_fifty_years() -> None:
    years = SEARCH_SECONDS // DAY // 366
    assert years == 50

    for day in (10_000, years * 366 - 1, years * 366 + 2):
        trigger = WallTimes(EveryNthDay(MIDNIGHT // DAY + day, 10**6), (0,), ChangingZone(MIDNIGHT, 0))
        span = span_of(trigger.instants(MIDNIGHT, MIDNIGHT + 2 * SEARCH_SECONDS))
        assert (span is not None) == (day < years * 366)


@pytest.mark.parametrize("usual", [FIXED, EVERY_HOUR], ids=str)
def test_a_choice_replaces_its_half_of_the_rule(usual: Dst) -> None:
    assert Dst().over(usual) == usual
    for gap in get_args(Gap):
        assert Dst(gap=gap).over(usual) == Dst(gap, usual.fold)
    for fold in get_args(Fold):
        assert Dst(fold=fold).over(usual) == Dst(usual.gap, fold)
