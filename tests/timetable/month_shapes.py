"""Each shape of a month once, to compare rules of days with the days that a calendar shows."""

from calendar import monthrange
from collections.abc import Callable
from datetime import date

#: A rule of days in Python: the selected days among all days of a month.
Rule = Callable[[list[date]], list[date]]
#: Every length of a month with every weekday as its first day.
MONTHS = [
    [date(year, month, day + 1) for day in range(length)]
    for (_, length), (year, month) in {
        monthrange(year, month): (year, month) for year in range(2000, 2028) for month in range(1, 13)
    }.items()
]


def selected(is_on: Callable[[date], object]) -> list[list[int]]:
    """The days of each month for which `is_on` is true."""
    return [[day.day for day in days if is_on(day)] for days in MONTHS]


def by_the_rule(rule: Rule) -> list[list[int]]:
    """The days of each month that the rule selects."""
    return [[day.day for day in rule(days)] for days in MONTHS]


def on(*weekdays: int, place: slice = slice(None)) -> Rule:
    """The days that fall on one of the weekdays, 0 for Monday: those in these places of the month."""
    return lambda days: [day for day in days if day.weekday() in weekdays][place]


def nth(number: int) -> slice:
    """The place of the n-th day of a month's; -1 is the last."""
    return slice(number, number + 1 or None) if number < 0 else slice(number - 1, number)
