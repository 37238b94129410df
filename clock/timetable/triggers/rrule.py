"""iCalendar's recurrence rules: `DTSTART;TZID=Europe/Berlin:20260105T090000 RRULE:FREQ=WEEKLY;INTERVAL=2`.

The package `dateutil` (extra `calendars`) finds the days. The times of day and the rule for zone changes are those
of `wall_times`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo
from functools import lru_cache
from itertools import islice, product

from clock.timetable.triggers.calendar_days import first_day, month_of
from clock.timetable.triggers.wall_times import AS_USUAL, FIXED, Dst, WallTimes
from clock.timetable.triggers.zone_offsets import DAY, FOREVER, date_of, day_number, offsets_of, to_seconds

YEARS = (1900, 9000)  # near the ends of the calendar, zones cannot be computed
MOST_IN_MONTH, MOST_IN_YEAR = 5, 53  # of one weekday
MOST_COUNTED = 10_000  # runs that COUNT may name: they are counted from DTSTART
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY")
_START = re.compile(r"DTSTART(?:;TZID=(?P<zone>[^:;]+)|;VALUE=DATE)?:(?P<at>\S+)\s+")
_STAMP = re.compile(r"(?P<day>\d{8})(T(?P<time>\d{6})(?P<utc>Z?))?")
#: part -> the values that it accepts, as a pattern of one value or as the range of its absolute number
_PARTS: Mapping[str, str | range] = {
    "BYDAY": r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)",
    "BYMONTH": range(1, 13), "BYMONTHDAY": range(1, 32), "BYYEARDAY": range(1, 367), "BYWEEKNO": range(1, 54),
    "BYSETPOS": range(1, 367), "BYHOUR": range(24), "BYMINUTE": range(60), "BYSECOND": range(60),
}  # fmt: skip
_MAY_BE_NEGATIVE = ("BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS")
_OF_TIMES = ("BYHOUR", "BYMINUTE", "BYSECOND")
_OF_DAYS = ("BYDAY", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO")
_LATE = day_number(datetime(9600, 1, 1))  # a rule without a day in the last 399 years never has one


@dataclass(frozen=True, slots=True)
class RuleText:
    """A parsed rule. Instants and wall-clock times are in seconds, see `zone_offsets`."""

    text: str  # canonical
    frequency: str  # YEARLY, MONTHLY, WEEKLY or DAILY
    parts: tuple[tuple[str, str], ...]
    start: int | None  # DTSTART, as a wall-clock time
    zone: str | None  # of DTSTART
    until: int | None  # a wall-clock time
    until_utc: int | None
    count: int | None
    interval: int

    def times(self, start: int) -> tuple[int, ...]:
        """The times of day, in seconds, of a rule that starts at the wall-clock time `start`."""
        given, time = dict(self.parts), start % DAY
        usual = {"BYHOUR": time // 3600, "BYMINUTE": time // 60 % 60, "BYSECOND": time % 60}
        hours, minutes, seconds = (
            map(int, given[name].split(",")) if name in given else [at] for name, at in usual.items()
        )
        return tuple(sorted({(h * 60 + m) * 60 + s for h, m, s in product(hours, minutes, seconds)}))

    def day_rule(self, start: int) -> str:
        """The rule without times and end, with the parts that it takes from the day it starts on."""
        parts = {"WKST": "MO"} | {name: value for name, value in self.parts if name not in _OF_TIMES}
        if not set(parts).intersection(_OF_DAYS) - {"BYMONTH"}:
            day = date_of(start)
            if self.frequency == "WEEKLY":
                parts["BYDAY"] = _DAYS[day.weekday()]
            elif self.frequency in ("MONTHLY", "YEARLY"):
                parts["BYMONTHDAY"] = str(day.day)
                if self.frequency == "YEARLY":
                    parts.setdefault("BYMONTH", str(day.month))
        return ";".join(f"{name}={value}" for name, value in parts.items())

    def aligned(self, start: int, low: int) -> int:
        """A day, mostly close to `low`, from which the rule finds the same days >= `low` as from `start`."""
        if self.frequency in ("DAILY", "WEEKLY"):
            step = self.interval * (7 if self.frequency == "WEEKLY" else 1)
            # A step earlier: in its first week dateutil counts BYSETPOS from the first day on.
            return start + max(0, (low - start) // step - 1) * step
        step = self.interval * (12 if self.frequency == "YEARLY" else 1)
        months = max(0, (month_of(low) - month_of(start)) // step) * step
        if not months:
            return start
        month = month_of(start) + months
        return first_day(month - month % 12 if self.frequency == "YEARLY" else month)


def parse_rrule(given: object) -> RuleText:
    """Parse the text of a rule. Raises ValueError with the mistake."""
    if not isinstance(given, str):
        raise ValueError("it must be a string")
    text = " ".join(given.split()).upper() if "TZID" not in given.upper() else " ".join(given.split())
    start = _START.match(text + " ")
    text = text[start.end() :] if start else text
    given_parts = [_part(part) for part in text.upper().removeprefix("RRULE:").strip(" ;").split(";")]
    parts = dict(given_parts)
    wall, is_utc = _stamp("DTSTART", start["at"]) if start else (None, False)
    end, end_is_utc = _stamp("UNTIL", parts["UNTIL"], of_day=DAY - 1) if "UNTIL" in parts else (None, False)
    count, interval = _number(parts, "COUNT"), _number(parts, "INTERVAL") or 1
    names = [name for name, _ in given_parts]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name} is given twice")
    for problem in _problems(parts, wall, count, interval):
        raise ValueError(problem)
    shown = ";".join(f"{name}={value}" for name, value in parts.items())
    return RuleText(
        text=f"{start[0].strip()} {shown}" if start else shown,
        frequency=parts["FREQ"],
        parts=tuple((name, value) for name, value in parts.items() if name not in ("UNTIL", "COUNT")),
        start=wall,
        zone="UTC" if is_utc else start["zone"] if start else None,
        until=None if end_is_utc else end,
        until_utc=end if end_is_utc else None,
        count=count,
        interval=interval,
    )


def _part(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    known = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", *_PARTS)
    if name not in known:
        raise ValueError(f"unknown part {part!r:.60}; available: {', '.join(known)}")
    for one in value.split(",") if name in _PARTS else ():
        if not _is_value(name, one):
            raise ValueError(f"{name} has the invalid value {one!r:.40}")
    if name == "WKST" and value not in _DAYS:
        raise ValueError(f"WKST is {value!r:.40}; it must be one of {', '.join(_DAYS)}")
    return name, value


def _is_value(name: str, one: str) -> bool:
    accepted = _PARTS[name]
    if isinstance(accepted, str):
        return re.fullmatch(accepted, one) is not None
    is_signed = one.startswith(("+", "-"))
    digits = one[1:] if is_signed else one
    return digits.isdecimal() and int(digits) in accepted and (not is_signed or name in _MAY_BE_NEGATIVE)


def _number(parts: Mapping[str, str], name: str) -> int | None:
    value = parts.get(name)
    if value is not None and not (value.isdecimal() and 1 <= int(value) <= MOST_COUNTED):
        raise ValueError(f"{name} is {value!r:.40}; it must be a number from 1 to {MOST_COUNTED}")
    return None if value is None else int(value)


def _stamp(name: str, text: str, of_day: int = 0) -> tuple[int, bool]:
    """The seconds of 20261231T180000, and whether it is in UTC; without a time, the second `of_day`."""
    found = _STAMP.fullmatch(text)
    try:
        assert found is not None  # noqa: S101  # it becomes the error below
        at = datetime.strptime(found["day"] + (found["time"] or "000000"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except (AssertionError, ValueError):
        raise ValueError(f"{name} is {text!r:.40}; write 20261231T180000, or 20261231T180000Z for UTC") from None
    return to_seconds(at) + (0 if found["time"] else of_day), bool(found["utc"])


def _problems(parts: Mapping[str, str], start: int | None, count: int | None, interval: int) -> Iterator[str]:
    frequency = parts.get("FREQ", "")
    if frequency in ("HOURLY", "MINUTELY", "SECONDLY"):
        yield f"FREQ={frequency} is not supported; write every(n).{frequency[:-2].lower()}s or a cron expression"
    elif frequency not in _FREQUENCIES:
        yield f"FREQ is {frequency!r:.40}; it must be one of {', '.join(_FREQUENCIES)}"
    if count is not None and "UNTIL" in parts:
        yield "give either COUNT or UNTIL, not both"
    if interval > 1 and start is None:
        yield "INTERVAL needs DTSTART, from which it counts: DTSTART:20260105T090000"
    if frequency in ("DAILY", "WEEKLY") and re.search(r"\d", parts.get("BYDAY", "")):
        yield f"BYDAY={parts['BYDAY']} needs FREQ=MONTHLY or YEARLY"
    ordinals = [int(one[:-2]) for one in parts.get("BYDAY", "").split(",") if one[:-2] not in ("", "+", "-")]
    of_month = frequency == "MONTHLY" or "BYMONTH" in parts
    period, most = ("month", MOST_IN_MONTH) if of_month else ("year", MOST_IN_YEAR)
    if any(abs(one) > most for one in ordinals):
        yield f"BYDAY={parts['BYDAY']}: a {period} has at most {most} of each weekday"
    if start is not None and not YEARS[0] <= date_of(start // DAY).year <= YEARS[1]:
        yield f"DTSTART must be in the years {YEARS[0]} to {YEARS[1]}"
    if "BYSETPOS" in parts and any("," in parts.get(name, "") for name in _OF_TIMES):
        yield "BYSETPOS counts days here; give one time of day"
    if frequency != "YEARLY" and "BYWEEKNO" in parts:
        yield "BYWEEKNO needs FREQ=YEARLY"


@dataclass(frozen=True, slots=True)
class Rrule:
    """A recurrence rule in a zone. Without DTSTART it starts at the anchor."""

    rule: RuleText
    zone: tzinfo
    dst: Dst = AS_USUAL

    def due_between(self, after: int, end: int, anchor: int, previous: int | None) -> Iterable[int]:
        """The due instants in (after, end], in order; the search ends after 50 years without a matching day."""
        offsets = offsets_of(self.zone)
        start = anchor + offsets.at(anchor) if self.rule.start is None else self.rule.start
        first = anchor if self.rule.start is None else offsets.instant_of(start) - 1
        end = min(end, self._last(start))
        walls = WallTimes(
            RuleDays(self.rule, start // DAY), self.rule.times(start), self.zone, self.dst.over(FIXED)
        )
        return walls.instants(max(after, anchor, first), end)

    def _last(self, start: int) -> int:
        if self.rule.until_utc is not None:
            return self.rule.until_utc
        wall = _last_wall(self.rule, start)
        if wall is None or wall >= FOREVER:
            return FOREVER
        offsets = offsets_of(self.zone)
        return max(offsets.readings(wall), default=offsets.instant_of(wall))


@dataclass(frozen=True, slots=True)
class RuleDays:
    """The days of a rule that starts on the day `start`."""

    rule: RuleText
    start: int

    def between(self, low: int, high: int) -> Iterator[int]:
        """The days low <= day < high of the set, in order."""
        from dateutil.rrule import rrulestr

        begin = datetime.combine(date_of(self.rule.aligned(self.start, low)), time())
        for found in rrulestr(self.rule.day_rule(self.start), dtstart=begin):
            if (day := day_number(found)) >= high:
                return
            if day >= max(low, self.start):
                yield day


def has_days(rule: RuleText) -> bool:
    """Whether the rule matches any day."""
    start = rule.start // DAY if rule.start is not None else _LATE
    return next(RuleDays(rule, start).between(max(start, _LATE), day_number(datetime.max)), None) is not None


@lru_cache(maxsize=1024)
def _last_wall(rule: RuleText, start: int) -> int | None:
    """The last wall-clock time of a rule with COUNT or a local UNTIL; None: the rule does not end so."""
    if rule.count is None:
        return rule.until
    days = RuleDays(rule, start // DAY).between(start // DAY, FOREVER // DAY)
    first = start if rule.start is not None else start + 1  # nothing is due at the anchor itself
    walls = (day * DAY + at for day in days for at in rule.times(start) if day * DAY + at >= first)
    return next(islice(walls, rule.count - 1, None), None)
