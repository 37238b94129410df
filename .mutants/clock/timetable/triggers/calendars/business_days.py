"""Business days of a month: `every().month.on("last business day")`, with the holidays of `except_on`.

A business day is a Monday to Friday that is not excepted.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, replace
from datetime import date

from clock.timetable.triggers.calendar_days import (
    ALL_MONTHS,
    MonthDay,
    first_day,
    in_each_months,
    month_of,
    weekday_of,
)
from clock.timetable.triggers.holidays import is_open
from clock.timetable.triggers.zone_offsets import date_of


@dataclass(frozen=True, slots=True)
class BusinessDays:
    """The days of each month that match one of `wanted`, which may count business days.

    `name` is the event's, for the log line if `excepted` raises. `months` are numbers of months since the year 0.
    """

    wanted: tuple[MonthDay, ...]
    name: str
    excepted: Callable[[date], object]
    months: Container[int] = ALL_MONTHS

    def each_months(self, step: int, origin: int) -> BusinessDays:
        """These days in each `step`-th month after the month `origin`."""
        return replace(self, months=in_each_months(step, origin))

    def between(self, low: int, high: int) -> Iterator[int]:
        """The days low <= day < high of the set, in order."""
        month = month_of(low)
        while first_day(month) < high:
            if month in self.months:
                yield from (day for day in self._of_month(month) if low <= day < high)
            month += 1

    def _of_month(self, month: int) -> list[int]:
        days = range(first_day(month), first_day(month + 1))
        open_days = [day for day in days if weekday_of(day) < 5 and self._is_open(day)]
        found: set[int] = set()
        for one in self.wanted:
            if not one.counts_business_days:
                found.update(day for day in days if one.is_on(date_of(day)))
            elif open_days and one.nth <= len(open_days):
                found.add(open_days[one.nth - 1 if one.nth > 0 else -1])
        return sorted(found)

    def _is_open(self, day: int) -> bool:
        return is_open(self.name, self.excepted, date_of(day))
