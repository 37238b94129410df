"""Cron expressions, as the `cronsim` package reads them: Debian cron's rules, with `L`, `LW` and `#`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache

from cronsim import CronSim, CronSimError

from clock.timetable.days import DayRule, MatchingDays, MonthsOfYear
from clock.timetable.local_time import HOUR, MINUTE
from clock.timetable.wall_times import AS_USUAL, EVERY_HOUR, FIXED, Dst, DstChoice, WallTimes

WORDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


@dataclass(frozen=True, slots=True)
class Fields:
    """A cron expression read: its days, its times of day in seconds, and the rule for the odd nights."""

    days: DayRule
    times: tuple[int, ...]
    dst: Dst


@lru_cache(maxsize=1024)  # reading one takes longer than a search
def read(expression: str) -> Fields:
    """Read an expression of five fields, or a word such as `@daily`. Raises ValueError, which says what is wrong.

    A sixth field, in front of the others, is that of seconds.
    A minute or hour that starts with a star is a wildcard: its event is due in every real hour.
    """
    text = WORDS.get(expression.lower(), expression)
    if len(text.split()) not in (5, 6):
        raise ValueError("five fields are wanted")
    try:
        parsed = CronSim(text, datetime(1970, 1, 1, tzinfo=UTC))
    except (CronSimError, AssertionError) as error:
        raise ValueError(str(error) or "a range cannot begin there") from None
    minute, hour = text.split()[-5:-3]
    minutes = [h * HOUR + m * MINUTE for h in sorted(parsed.hours) for m in sorted(parsed.minutes)]
    return Fields(
        MatchingDays(parsed.match_day, MonthsOfYear(frozenset(parsed.months))),
        tuple(at + second for at in minutes for second in sorted(parsed.seconds)),
        EVERY_HOUR if minute.startswith("*") or hour.startswith("*") else FIXED,
    )


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression, in a zone."""

    expression: str
    zone: tzinfo
    dst: DstChoice = AS_USUAL

    def due_between(self, after: int, end: int, anchor: int, previous: int | None) -> Iterable[int]:
        """The due instants in (after, end], in order; the search ends after 50 years without a matching day."""
        fields = read(self.expression)
        return WallTimes(fields.days, fields.times, self.zone, self.dst.over(fields.dst)).instants(
            max(after, anchor), end
        )
