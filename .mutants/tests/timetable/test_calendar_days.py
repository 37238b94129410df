from datetime import date, timedelta

import pytest
from hypothesis import strategies as st

from clock.timetable.triggers.calendar_days import WEEKDAYS, parse_month_day
from tests.timetable.properties import for_all


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
    ],
)
def test_a_day_of_the_month_in_words(words: int | str, text: str, day: str) -> None:
    found = parse_month_day(words)

    november = [date(2026, 11, number) for number in range(1, 31)]
    assert [str(one) for one in november if found.is_on(one)] == [day]
    assert found.text == text


@pytest.mark.parametrize(
    "words", [0, 32, -1, True, "0th monday", "6th monday", "24th weekday", "lats", "", "1st moon"]
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
    assert [day for day in days if day.month == month.month and found.is_on(day)] == expected
