from collections.abc import Callable
from datetime import UTC, date, timedelta
from functools import partial
from itertools import product

import pytest
from hypothesis import strategies as st

from clock.timetable.triggers.calendar_days import (
    EACH_WEEKDAY,
    EVERY_DAY,
    WEEKDAYS,
    WEEKEND_DAYS,
    WORKING_DAYS,
    DayRule,
    EveryNthDay,
    MonthDay,
    MonthsOfYear,
    days_on,
    matching,
    parse_month_day,
)
from clock.timetable.triggers.intervals import CalendarDays
from clock.timetable.triggers.zone_offsets import DAY, date_of, day_number
from tests.timetable.month_shapes import Rule, by_the_rule, nth, on, selected
from tests.timetable.properties import for_all

FIRST = day_number(date(2027, 12, 20))  # a Monday, and a leap year follows


def is_on(day: MonthDay, at: date) -> bool:
    return list(days_on((day,)).between(day_number(at), day_number(at) + 1)) == [day_number(at)]


@pytest.mark.parametrize(
    ("words", "text", "day"),
    [
        (1, "1st", "2026-11-01"),
        ("22", "22nd", "2026-11-22"),
        ("13th", "13th", "2026-11-13"),
        ("last", "last day", "2026-11-30"),
        ("Last Day", "last day", "2026-11-30"),
        ("3rd monday", "3rd Monday", "2026-11-16"),
        ("third  mon", "3rd Monday", "2026-11-16"),
        ("last fri", "last Friday", "2026-11-27"),
        ("1st weekday", "1st weekday", "2026-11-02"),
        ("last weekday", "last weekday", "2026-11-30"),
        ("12th", "12th", "2026-11-12"),
        ("21", "21st", "2026-11-21"),
        ("23rd", "23rd", "2026-11-23"),
        ("11th day", "11th day", "2026-11-11"),
        ("second tue", "2nd Tuesday", "2026-11-10"),
        ("fourth sunday", "4th Sunday", "2026-11-22"),
        ("fifth monday", "5th Monday", "2026-11-30"),
        ("first weekday", "1st weekday", "2026-11-02"),
        ("last business day", "last business day", "2026-11-30"),
    ],
)
def test_a_day_of_the_month_in_words(words: int | str, text: str, day: str) -> None:
    found = parse_month_day(words)

    november = [date(2026, 11, number) for number in range(1, 31)]
    assert [str(one) for one in november if is_on(found, one)] == [day]
    assert found.text == text
    assert found.counts_business_days is ("business" in text)


@pytest.mark.parametrize(
    "words",
    [
        0,
        32,
        -1,
        True,
        "0th monday",
        "6th monday",
        "24th weekday",
        "24th business day",
        "lats",
        "",
        "1st moon",
        1.0,
    ],
)
def test_what_is_no_day_of_a_month_is_refused(words: int | str) -> None:
    with pytest.raises(ValueError, match="use 1 to 31, 'last', '3rd monday'"):
        parse_month_day(words)


@for_all(month=st.dates(date(1990, 1, 1), date(2060, 1, 1)), nth=st.integers(-1, 5), weekday=st.integers(0, 6))
def test_the_nth_weekday_is_the_nth_of_them_in_the_month(month: date, nth: int, weekday: int) -> None:
    first = month.replace(day=1)
    days = [first + timedelta(days=ahead) for ahead in range(31)]
    of_weekday = [day for day in days if day.month == month.month and day.weekday() == weekday]
    nth = nth or 1

    found = parse_month_day(f"{'last' if nth == -1 else f'{nth}th'} {WEEKDAYS[weekday]}")

    expected = of_weekday[-1:] if nth == -1 else of_weekday[nth - 1 : nth]
    assert [day for day in days if day.month == month.month and is_on(found, day)] == expected


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        *((number, lambda days, number=number: days[nth(number)]) for number in (1, 2, 28, 29, 30, 31)),
        ("last", lambda days: days[-1:]),
        ("31st day", lambda days: days[30:]),
        ("last weekday", on(*range(5), place=nth(-1))),
        ("last sunday", on(6, place=nth(-1))),
        *((f"{number}th weekday", on(*range(5), place=nth(number))) for number in (1, 2, 5, 20, 21, 22, 23)),
        *((f"{number}th monday", on(0, place=nth(number))) for number in range(1, 6)),
    ],
)
def test_a_day_of_the_month_is_the_day_that_a_calendar_shows(words: int | str, rule: Rule) -> None:
    assert selected(partial(is_on, parse_month_day(words))) == by_the_rule(rule)


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        (EVERY_DAY, lambda day: True),
        (EveryNthDay(FIRST + 9, 1), lambda day: day >= FIRST + 9),
        (EveryNthDay(FIRST + 9, 4), lambda day: day >= FIRST + 9 and (day - FIRST - 9) % 4 == 0),
        *((EACH_WEEKDAY[n], lambda day, n=n: date_of(day).weekday() == n) for n in range(7)),
        (WORKING_DAYS, lambda day: date_of(day).weekday() in range(5)),
        (WEEKEND_DAYS, lambda day: date_of(day).weekday() in (5, 6)),
        (days_on((parse_month_day(1), parse_month_day("last"))), lambda day: 1 in _ends_of_month(day)),
        (matching(lambda day: True, MonthsOfYear(frozenset({1, 12}))), lambda day: _month(day) in (1, 12)),
    ],
)
def test_a_rule_of_days_gives_its_days_in_any_span(rule: DayRule, matches: Callable[[int], bool]) -> None:
    for low, length in product(range(FIRST, FIRST + 80), (0, 1, 2, 7, 31, 32, 50)):
        assert list(rule.between(low, low + length)) == list(filter(matches, range(low, low + length)))


@pytest.mark.parametrize("step", range(2, 6))
def test_each_nth_month_is_counted_from_the_month_after_the_first(step: int) -> None:
    trigger = CalendarDays(UTC, matching(lambda day: True), (0,), step)

    dues = trigger.due_between((FIRST - 90) * DAY, (FIRST + 400) * DAY - 1, FIRST * DAY, None)
    found = {(date_of(due // DAY).year, date_of(due // DAY).month) for due in dues}

    months = [(2027, 12), *((2028, month) for month in range(1, 13)), (2029, 1)]
    assert sorted(found) == months[step::step]


def _month(day: int) -> int:
    return date_of(day).month


def _ends_of_month(day: int) -> tuple[int, int]:
    """The day of the month, and its place from the end."""
    return date_of(day).day, date_of(day + 1).day
