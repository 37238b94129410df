"""Cron expressions: Debian cron's rules, as the `cronsim` package states them; the syntax is in `cron_fields`."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, tzinfo
from functools import lru_cache

from clock.timetable.triggers.calendar_days import EVERY_DAY, DayRule, MonthsOfYear, matching
from clock.timetable.triggers.cron_fields import HOUR as HOURS
from clock.timetable.triggers.cron_fields import MINUTE as MINUTES
from clock.timetable.triggers.cron_fields import MONTH, SECOND, days_of_month, numbers, weekdays
from clock.timetable.triggers.wall_times import AS_USUAL, EVERY_HOUR, FIXED, Dst, WallTimes
from clock.timetable.triggers.zone_offsets import HOUR, MINUTE

WORDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@noon": "0 12 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
#: A zone after an expression: a name of the tz database or an offset from UTC.
_ZONE = re.compile(r"[A-Za-z]\w*(/[\w+-]+)+|[A-Z][A-Za-z]+([+-]?\d[A-Z]*)?|Z|utc|[+-]\d\d:?\d\d", re.ASCII)

#: Texts of other programs in place of an expression, with the advice, in which `\1` is a part of the text.
_OTHER_FORMS = [
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), advice)
    for pattern, advice in (
        (r"(?:cron_)?tz=(\S+)\s", r"it starts with the zone \1; pass the zone as tz"),
        (r"@every\b", "@every is not supported; write a period, such as every(5).minutes"),
        (r"@reboot\b", "nothing runs because a process starts; call the function in a release step"),
        (r"@", f"use {', '.join(WORDS)}"),
        (r"every ", "sentences are not supported; write a cron expression, or a period under every"),
        (r"(?:cron|rate)\(", r"write the five fields alone, or a period such as every(5).minutes"),
        (r".*\s#", "comments are not supported; use .describe(...)"),
        (r"\s*\S*~", "~ is not supported; write a number, and use .spread(...) to spread events"),
        (r"(?:\S+\s+){6}[\d*?,/-]+\s*$", "a year field is not supported; use until"),
    )
]


@dataclass(frozen=True, slots=True)
class Fields:
    """A parsed cron expression: its days, its times of day in seconds, and the rule for zone changes."""

    days: DayRule
    times: tuple[int, ...]
    dst: Dst


def fields_of(expression: str) -> list[str]:
    """The six fields of an expression, seconds first. Raises ValueError with a correction."""
    text = WORDS.get(expression.lower(), expression)
    fields = text.lower().split()
    if zone := split_zone(expression)[1]:
        raise ValueError(f"it ends with the zone {zone}; pass the zone as tz")
    for other, advice in _OTHER_FORMS:
        if found := other.match(text):
            raise ValueError(found.expand(advice))
    if len(fields) not in (5, 6):
        raise ValueError(f"it has {len(fields)} fields; it must have five, or six with seconds first")
    return fields if len(fields) == 6 else ["0", *fields]


def split_zone(expression: str) -> tuple[str, str]:
    """The expression and the zone after it, "0 6 * * 1 Europe/Berlin", as Ruby's fugit reads them; '': no zone."""
    first, _, last = expression.rpartition(" ")
    is_behind = len(first.split()) >= (1 if expression.startswith("@") else 5)
    if is_behind and _ZONE.fullmatch(last) and not _is_weekday(last.lower()):
        return first.strip(), last
    return expression, ""


CACHED = 4096  # expressions; there are 1440 times of day


@lru_cache(maxsize=CACHED)  # parsing takes longer than a search
def read(expression: str) -> Fields:
    """Parse an expression of five fields, or a word such as `@daily`. Raises ValueError with the mistake.

    A sixth field, before the others, is for seconds. A minute or hour that starts with a star is a wildcard: its
    event is due in every real hour.
    """
    second, minute, hour, day, month, weekday = fields_of(expression)
    seconds, minutes = numbers(SECOND, second), numbers(MINUTES, minute)
    months = numbers(MONTH, month)
    at = [h * HOUR + m * MINUTE for h in sorted(numbers(HOURS, hour)) for m in sorted(minutes)]
    return Fields(
        _days(day, months, weekday),
        tuple(time + second for time in at for second in sorted(seconds)),
        EVERY_HOUR if minute.startswith(_STARS) or hour.startswith(_STARS) else FIXED,
    )


_STARS = ("*", "?", "/")


@lru_cache(maxsize=CACHED)  # most expressions of a file differ only in their times
def _days(day: str, months: frozenset[int], weekday: str) -> DayRule:
    """The days of both day fields: either matches, or both if one starts with a star or ends with `&`."""
    if day in ("*", "?") and weekday in ("*", "?") and len(months) == 12:
        return EVERY_DAY  # many times faster than a search
    both = day.startswith(_STARS) or weekday.startswith(_STARS) or "&" in day[-1] + weekday[-1]
    day, weekday = day.removesuffix("&"), weekday.removesuffix("&")
    is_day, is_weekday = days_of_month(day), weekdays(weekday)
    if not both:
        return matching(lambda at: is_day(at) or is_weekday(at), MonthsOfYear(months))
    if not any(map(is_day, _dates(months))):
        raise ValueError(f"day of month is {day!r}; none of the expression's months has such a day")
    if not any(is_day(at) and is_weekday(at) for at in _dates(months)):
        raise ValueError(f"day of month is {day!r} and weekday {weekday!r}; no day of the months is both")
    return matching(lambda at: is_day(at) and is_weekday(at), MonthsOfYear(months))


def _dates(months: frozenset[int]) -> Iterator[date]:
    """All days that these months can have, each with all weekdays."""
    for year in _YEARS:
        for month in sorted(months):
            yield from (date(year, month, day) for day in range(1, monthrange(year, month)[1] + 1))


#: A leap year and another year for each weekday on which they can start.
_YEARS = (2023, 2024, 2025, 2026, 2027, 2028, 2029, 2030, 2032, 2033, 2036, 2040, 2044, 2048)


def _is_weekday(text: str) -> bool:
    try:
        weekdays(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression, in a zone."""

    expression: str
    zone: tzinfo
    dst: Dst = AS_USUAL

    def due_between(self, after: int, end: int, anchor: int, previous: int | None) -> Iterable[int]:
        """The due instants in (after, end], in order; the search ends after 50 years without a matching day."""
        fields = read(self.expression)
        return WallTimes(fields.days, fields.times, self.zone, self.dst.over(fields.dst)).instants(
            max(after, anchor), end
        )


cron_in = lru_cache(maxsize=CACHED)(Cron)  # events of the same expression share the trigger
