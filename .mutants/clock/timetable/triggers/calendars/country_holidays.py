"""Public holidays by a code, `except_on("DE-BY")`, from the package `holidays` (extra `calendars`).

The code is that of a country (ISO 3166), of a part of it, or of a market: "DE", "US-CA", "XNYS".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from difflib import get_close_matches
from threading import Lock

CODE = re.compile(r"(?P<country>[A-Z]{2})(-(?P<part>[A-Z0-9]{1,3}))?|(?P<market>[A-Z]{3,4})")
ACCEPTED = (
    "it must be a function of the date, or dates such as '2026-12-25', "
    "or a code of holidays such as 'DE', 'US-CA' or 'XNYS'"
)


def country_holidays(code: str) -> Callable[[date], object]:
    """A function that returns True for holidays. Raises ValueError for an unknown code."""
    found = CODE.fullmatch(code)
    if found is None:
        raise ValueError(f"except_on is {code!r:.60}; {ACCEPTED}")
    try:
        import holidays
    except ImportError:
        raise ValueError(
            f"except_on is {code!r}: holidays by a code need the package `holidays`: "
            "pip install 'clockd[calendars]'"
        ) from None
    try:
        if found["market"]:
            return HolidayCalendar(code, holidays.financial_holidays(code))
        return HolidayCalendar(code, holidays.country_holidays(found["country"], subdiv=found["part"]))
    except NotImplementedError:
        raise ValueError(
            f"except_on is {code!r}: {_unknown(found, holidays.list_supported_countries())}"
        ) from None


class HolidayCalendar:
    """A calendar of the package, or any other mapping of dates.

    Calendars of the package compute a year when it is first requested. The lock keeps another thread from reading
    such a year before it is complete.
    """

    def __init__(self, name: str, days: object) -> None:
        self.__name__ = f"holidays of {name}" if name else "given days"
        self._days = days
        self._lock = Lock()

    def __call__(self, day: date) -> bool:
        """Whether the day is in the calendar."""
        with self._lock:
            return day in self._days  # type: ignore[operator]  # a mapping: the caller has checked it


def calendar_of(days: object) -> HolidayCalendar:
    """The calendar of a mapping, named by its country if it is one of the package's."""
    place = getattr(days, "country", None) or getattr(days, "market", None)
    part = getattr(days, "subdiv", None)
    return HolidayCalendar(f"{place}-{part}" if place and part else str(place or ""), days)


def _unknown(found: re.Match[str], supported: dict[str, list[str]]) -> str:
    country, part = found["country"], found["part"]
    if country in supported and part:
        near = get_close_matches(part, supported[country], 1) or sorted(supported[country])[:5]
        return f"{country} has no part {part!r}; available: {', '.join(near)}..."
    near = get_close_matches(country or "", list(supported), 3)
    return f"unknown country or market; {ACCEPTED}" + (f". Close: {', '.join(near)}" if near else "")
