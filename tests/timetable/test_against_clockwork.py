"""Clockwork's form against Clockwork 4.0's own rule, at every minute of the days around odd nights.

Clockwork is taken as it would be with a clock that is never late and never restarted. What it does beyond that -
runs lost by late ticks, doubled by restarts - no declaration of ours can do. The deliberate differences are named.
"""

from datetime import UTC, datetime, timedelta
from itertools import islice, product
from zoneinfo import ZoneInfo

import pytest

from clock.timetable.triggers.clockwork import At, ClockworkAt, parse_at
from clock.timetable.triggers.intervals import Days, Elapsed, Trigger
from clock.timetable.triggers.zone_offsets import FOREVER, to_datetime, to_seconds
from tests.examples import few_every_day
from tests.timetable.clockworks_rule import clockwork_fires
from tests.timetable.differential import compared

MINUTE, HOUR, DAY, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
PERIODS = [MINUTE, 7 * MINUTE, 90 * MINUTE, HOUR, 12 * HOUR, DAY, 2 * DAY, 25 * HOUR, WEEK, 2 * WEEK]
TIMES = [None, "10:00", "**:30", "10:**", "Monday 16:20", "mon *:20", "02:15", "01:30", "00:00"]
STARTS = [
    ("America/New_York", "2026-03-07 12:00", 4),
    ("America/New_York", "2026-10-31 12:00", 4),
    ("UTC", "2026-11-24 05:00", 15),
    ("America/New_York", "2026-11-24 10:00", 15),
    ("America/New_York", "2026-11-24 10:00", 3),
    ("America/New_York", "2026-03-07 02:30", 4),
    ("America/New_York", "2026-03-08 03:10", 3),
    ("America/New_York", "2026-11-01 01:10", 3),
    ("America/Sao_Paulo", "2018-11-03 12:00", 4),
    ("Australia/Lord_Howe", "2026-04-04 12:00", 4),
    ("Australia/Lord_Howe", "2026-10-03 12:00", 4),
    ("Pacific/Apia", "2011-12-28 12:00", 5),
]
#: The wall-clock minutes of those nights that are skipped, and those that come twice, as texts "HH:MM".
SKIPPED = {
    "America/New_York": ("02:00", "02:59"),
    "America/Sao_Paulo": ("00:00", "00:59"),
    "Australia/Lord_Howe": ("02:00", "02:29"),
}
TWICE = {"America/New_York": ("01:00", "01:59"), "Australia/Lord_Howe": ("01:30", "01:59")}
ODD_STARTS = {("America/New_York", day) for day in ("2026-03-07 02:30", "2026-03-08 03:10", "2026-11-01 01:10")}


def deliberate_difference(zone: str, start: str, period: timedelta, at: str | None) -> str | None:
    """The name of the difference that is deliberate in such a case; the most telling one."""
    time_of_day = at if at and "*" not in at and "M" not in at else None
    if zone == "Pacific/Apia":
        return "a day that is skipped is not fired through minute by minute, nor its times lost"
    if time_of_day and SKIPPED.get(zone, ("24", ""))[0] <= time_of_day <= SKIPPED.get(zone, ("", "0"))[1]:
        return "a skipped time is due at the end of the gap"
    if (
        time_of_day
        and TWICE.get(zone, ("24", ""))[0] <= time_of_day <= TWICE.get(zone, ("", "0"))[1]
        and period < DAY
    ):
        return "a time that comes twice is due once"
    if period > DAY and period % DAY:
        return "a period of no whole days is elapsed time"
    if (zone, start) in ODD_STARTS and period >= DAY:
        return "the time of day of the start is kept, also where it lies in an odd night"
    return None


def our_trigger(period: timedelta, at: At | None, zone: ZoneInfo) -> Trigger:
    """What `every(period, name, at=at)` becomes."""
    seconds = period // timedelta(seconds=1)
    if at is not None:
        return ClockworkAt(seconds, at, zone)
    return Elapsed(seconds, 0) if period % DAY else Days(zone, period // DAY, at_anchor=True)


@pytest.mark.slow
@pytest.mark.parametrize(("zone", "start", "days"), few_every_day(STARTS, 2))
def test_as_clockwork_by_every_minute(zone: str, start: str, days: int) -> None:
    tz = ZoneInfo(zone)
    begin = datetime.fromisoformat(start).replace(tzinfo=tz).astimezone(UTC)
    end = begin + timedelta(days=days)
    for period, text in product(PERIODS, TIMES):
        at = None if text is None else parse_at(text)
        theirs = list(clockwork_fires(period, at, tz, begin, end, MINUTE))

        anchor = to_seconds(begin)
        ours = our_trigger(period, at, tz).due_between(anchor - 1, to_seconds(end), anchor, None)

        agrees = list(map(to_datetime, ours)) == theirs
        deliberate = deliberate_difference(zone, start, period, text)
        assert agrees or deliberate is not None, (period, text)
        compared("clockwork", deliberate=None if agrees else deliberate)


@pytest.mark.parametrize(
    ("period", "at", "fires"),
    [
        (30, "10:00", ["10:00:00", "10:00:30"]),
        (1, "10:00", [f"10:00:{second:02}" for second in range(60)]),
        (20, "mon 10:00", []),
    ],
)
def test_as_clockwork_by_the_second(period: int, at: str, fires: list[str]) -> None:
    utc = ZoneInfo("UTC")
    begin = datetime(2026, 11, 24, 9, 58, tzinfo=UTC)
    end = begin + timedelta(minutes=10)
    theirs = clockwork_fires(timedelta(seconds=period), parse_at(at), utc, begin, end, timedelta(seconds=1))

    anchor = to_seconds(begin)
    ours = ClockworkAt(period, parse_at(at), utc).due_between(anchor - 1, to_seconds(end), anchor, None)

    shown = [to_datetime(due).strftime("%H:%M:%S") for due in ours]
    assert shown == fires
    assert shown == [due.strftime("%H:%M:%S") for due in theirs]
    compared("clockwork")


@pytest.mark.parametrize(
    ("period", "at", "start", "fires"),
    [
        (DAY, "10:00", "2026-11-24 05:00", "11-24 10:00, 11-25 10:00, 11-26 10:00"),
        (HOUR, "**:30", "2026-11-24 05:00", "11-24 05:30, 11-24 06:30, 11-24 07:30"),
        (HOUR, "10:00", "2026-11-24 05:00", "11-24 10:00, 11-25 10:00, 11-26 10:00"),
        (25 * HOUR, "10:00", "2026-11-24 05:00", "11-24 10:00, 11-26 10:00, 11-28 10:00"),
        (90 * MINUTE, "**:15", "2026-11-24 05:00", "11-24 05:15, 11-24 07:15, 11-24 09:15"),
        (DAY, "10:**", "2026-11-24 10:07", "11-24 10:07, 11-25 10:07, 11-26 10:07"),
        (DAY, "**:30", "2026-11-24 05:00", "11-24 05:30, 11-25 05:30, 11-26 05:30"),
        (WEEK, "10:00", "2026-11-24 05:00", "11-24 10:00, 12-01 10:00, 12-08 10:00"),
        (2 * WEEK, "Monday 16:20", "2026-11-24 05:00", "11-30 16:20, 12-14 16:20, 12-28 16:20"),
        (timedelta(seconds=2_629_746), "00:00", "2024-01-01 00:00", "01-01 00:00, 02-01 00:00, 03-03 00:00"),
        (timedelta(seconds=31_556_952), "00:00", "2024-01-01 00:00", "01-01 00:00, 01-01 00:00, 01-02 00:00"),
    ],
)
def test_periods_and_times_go_together_as_clockwork_has_shown(
    period: timedelta, at: str, start: str, fires: str
) -> None:
    """The table of what Clockwork does with each; a month is 2,629,746 seconds to it, a year 31,556,952."""
    anchor = to_seconds(datetime.fromisoformat(start).replace(tzinfo=UTC))

    dues = ClockworkAt(period // timedelta(seconds=1), parse_at(at), ZoneInfo("UTC")).due_between(
        anchor - 1, FOREVER, anchor, None
    )

    assert ", ".join(to_datetime(due).strftime("%m-%d %H:%M") for due in islice(dues, 3)) == fires
    compared("clockwork")
