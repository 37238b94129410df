"""Due instants on excepted days, against the rule in words: each is dropped, or moved by days to an open day."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import chain, combinations, product
from zoneinfo import ZoneInfo

import pytest

from clock.timetable.triggers.holidays import LONGEST_BREAK_DAYS, Except, Otherwise
from clock.timetable.triggers.zone_offsets import DAY, date_of, day_number

HOUR = 3600
FIRST = day_number(date(2026, 11, 23))  # a Monday
AHEAD, ZONE = 2 * HOUR, ZoneInfo("Etc/GMT-2")
ALL: tuple[Otherwise, ...] = ("skip", "next", "previous")


@dataclass(frozen=True)
class At:
    """Due at these instants from the anchor on."""

    instants: Collection[int]

    def due_between(self, after: int, end: int, anchor: int, previous: int | None) -> Iterable[int]:
        return [each for each in self.instants if after < each <= end and each >= anchor]


def at(day: int, hour: int, second: int = 0) -> int:
    """Seconds since 1970 at an hour of a day, counted from the Monday."""
    return (FIRST + day) * DAY + hour * HOUR + second


def found(
    dues: Collection[int], closed: Collection[int], otherwise: Otherwise, after: int, end: int, anchor: int
) -> list[int]:
    """The due instants in a zone ahead of UTC, in its wall time, as are all arguments."""
    days = {date_of(FIRST + day) for day in closed}
    trigger = Except(At([due - AHEAD for due in dues]), "mail", days.__contains__, otherwise, ZONE)
    return [due + AHEAD for due in trigger.due_between(after - AHEAD, end - AHEAD, anchor - AHEAD, None)]


def by_the_rule(
    dues: Iterable[int], closed: Collection[int], otherwise: Otherwise, after: int, end: int, anchor: int
) -> list[int]:
    moved = set()
    for due in dues:
        day = due // DAY - FIRST
        last = day + (0 if otherwise == "skip" else LONGEST_BREAK_DAYS - 1)
        step = -1 if otherwise == "previous" else 1
        to = next((day + step * far for far in range(last - day + 1) if day + step * far not in closed), None)
        if due >= anchor and to is not None:
            moved.add(due + (to - day) * DAY)
    return sorted(each for each in moved if max(after, anchor - 1) < each <= end)


def subsets(days: range) -> Iterator[tuple[int, ...]]:
    return chain.from_iterable(combinations(days, count) for count in range(len(days) + 1))


@pytest.mark.parametrize("otherwise", ALL)
def test_each_set_of_excepted_days_is_kept_free(otherwise: Otherwise) -> None:
    hours = [12, 11, 15, 0, 9, 23, 10, 9]  # a moved instant may come before one of the day that it moves to
    dues = sorted({*(at(day, hours[day]) for day in range(8)), at(3, 9), at(4, 0), at(2, 23, 3599)})
    anchors = [at(-5, 0), at(2, 15), at(3, 9, 1)]
    windows = [(at(-5, 0), at(9, 0)), (at(3, 8, 3599), at(3, 9)), (at(3, 0), at(4, 0)), (at(2, 12), at(5, 23))]

    for closed, anchor, (after, end) in product(subsets(range(1, 6)), anchors, windows):
        case = dues, closed, otherwise, after, end, anchor
        assert found(*case) == by_the_rule(*case), case


@pytest.mark.parametrize("otherwise", ALL)
@pytest.mark.parametrize("length", [LONGEST_BREAK_DAYS - 1, LONGEST_BREAK_DAYS, LONGEST_BREAK_DAYS + 5])
def test_of_a_break_of_more_than_a_year_the_instants_that_are_a_year_from_an_open_day_are_dropped(
    otherwise: Otherwise, length: int
) -> None:
    closed = range(length)
    dues = [at(day, hour) for hour, day in enumerate((-2, 0, 1, 3, length - 4, length - 2, length - 1, length))]
    windows = [(-3, length + 2), (length - 1, length + 2), (-3, -1)]

    for after, end in windows:
        case = dues, closed, otherwise, at(after, 23), at(end, 23), at(-9, 0)
        assert found(*case) == by_the_rule(*case), case


def test_an_event_of_each_second_passes_a_fortnight_of_excepted_days_at_once() -> None:
    looked: list[int] = []

    def due_between(after: int, end: int, anchor: int, previous: int | None) -> Iterator[int]:
        for second in range(after + 1, end + 1):
            looked.append(second)
            yield second

    trigger = type("EachSecond", (), {"due_between": staticmethod(due_between)})()
    closed: Callable[[date], bool] = {date_of(FIRST + day) for day in range(14)}.__contains__

    dues = Except(trigger, "mail", closed, "skip", ZONE).due_between(
        at(-1, 23, 3598) - AHEAD, at(15, 0), at(-9, 0), None
    )

    assert [next(iter(dues)) + AHEAD for _ in range(3)] == [at(-1, 23, 3599), at(14, 0), at(14, 0, 1)]
    assert len(looked) == 4
