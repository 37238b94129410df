"""Random zones, instants and triggers. Half of the instants lie near a night on which the zone's clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import strategies as st

from clock.timetable.triggers.adjustments import Adjustments, Jitter, Spread
from clock.timetable.triggers.calendar_days import (
    WEEKEND_DAYS,
    WORKING_DAYS,
    MonthDays,
    days_on,
    parse_month_day,
)
from clock.timetable.triggers.clockwork import ClockworkAt, parse_at
from clock.timetable.triggers.cron import Cron
from clock.timetable.triggers.holidays import Except, Otherwise
from clock.timetable.triggers.intervals import (
    CalendarDays,
    Days,
    EachHour,
    Elapsed,
    Hours,
    Minutes,
    RandomGaps,
    Trigger,
    Union,
)
from clock.timetable.triggers.wall_times import AS_USUAL, Dst
from tests.timetable.by_the_minute import changes

MINUTE, HOUR, DAY = 60, 3600, 86400

zones = st.sampled_from(sorted(available_timezones() - {"localtime"})).map(ZoneInfo)
choices = st.builds(
    Dst, st.sampled_from([None, "shift", "skip"]), st.sampled_from([None, "first", "second", "both"])
)
minutes_of_day = st.integers(0, 1439).map(lambda minute: minute * MINUTE)
some_minutes = st.lists(minutes_of_day, min_size=1, max_size=3, unique=True).map(
    lambda times: tuple(sorted(times))
)
anywhere = st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)
ATS = ["10:00", "**:30", "02:**", "mon 16:20", "00:00", "sat 02:30", "2:30", "23:**", "*:00"]
ON = ["1", "31", "last", "3rd monday", "5th friday", "last weekday", "1st weekday"]
PERIODS = [MINUTE, 7 * MINUTE, 90 * MINUTE, HOUR, 12 * HOUR, DAY, 25 * HOUR, 7 * DAY]


@st.composite
def instants(draw: st.DrawFn, zone: ZoneInfo) -> datetime:
    """Anywhere from 1990 to 2060, or within two days of a change of the zone's offset."""
    instant = draw(anywhere)
    nights = changes(zone, instant.year) if draw(st.booleans()) else []
    if not nights:
        return instant
    return draw(st.sampled_from(nights)) + timedelta(minutes=draw(st.integers(-2 * 1440, 2 * 1440)))


@st.composite
def cron_expressions(draw: st.DrawFn) -> str:
    """Five fields, most of them of a few values."""
    minute = draw(st.sampled_from(["0", "30", "*/7", "15,45", "*", "59", "0-10/5", "7/20"]))
    hour = draw(st.sampled_from(["*", "2", "0", "1-3", "*/5", "9-17", "23", "0,12"]))
    day = draw(st.sampled_from(["*", "*", "1", "31", "L", "LW", "*/2", "13", "29"]))
    month = draw(st.sampled_from(["*", "*", "1,3,10", "3-11", "jan-mar", "*/2"]))
    weekday = draw(st.sampled_from(["*", "*", "sun", "1-5", "mon#1", "5L", "7", "*/2", "tue#5"]))
    return f"{minute} {hour} {day} {month} {weekday}"


@st.composite
def plain_triggers(draw: st.DrawFn, zone: ZoneInfo) -> Trigger:
    """Every kind of trigger, unadjusted."""
    step = draw(st.integers(1, 40))
    first = draw(st.integers(0, 1))
    dst = draw(choices)
    times = draw(some_minutes)
    days: MonthDays = draw(
        st.sampled_from([WORKING_DAYS, WEEKEND_DAYS, *(days_on((parse_month_day(word),)) for word in ON)])
    )
    at = st.sampled_from(ATS).map(parse_at)
    period = draw(st.sampled_from([1, 30, *PERIODS]))
    clockwork = ClockworkAt(period, draw(at), zone, bool(first), at_anchor=draw(st.booleans()), dst=dst)
    every: list[Trigger] = [
        Elapsed(step, first),
        Days(zone, step, times, first=first, dst=dst),
        Days(zone, 7, times, weekday=step % 7, dst=dst),
        Days(zone, step, first=first, at_anchor=first == 0, dst=dst),
        CalendarDays(zone, days, times, dst=dst),
        CalendarDays(zone, days, step=1 + step % 5, dst=dst),
        EachHour(zone, (step * MINUTE, step * MINUTE + 30), dst),
        Hours(zone, step + 1, step * MINUTE + 2 * step % MINUTE),
        Minutes(step, 3 * step % MINUTE),
        RandomGaps("name", step, step + first, MINUTE),
        Cron(draw(cron_expressions()), zone, dst),
        clockwork,
        Union([clockwork, ClockworkAt(DAY, draw(at), zone)]),
    ]
    return draw(st.sampled_from(every))


@st.composite
def triggers(draw: st.DrawFn, zone: ZoneInfo) -> Trigger:
    """Every kind of trigger, one in two adjusted."""
    trigger = draw(plain_triggers(zone))
    seconds = draw(st.integers(1, 2 * DAY))
    excepted = draw(st.sampled_from([_is_weekend, _is_first_week, _is_odd_month]))
    otherwise: Otherwise = draw(st.sampled_from(["next", "previous"]))
    if isinstance(trigger, (Elapsed, Minutes, RandomGaps)) or getattr(trigger, "period", DAY) < DAY:
        return draw(
            st.sampled_from(
                [trigger, Spread(trigger, "name", seconds), Except(trigger, "name", excepted, "skip", zone)]
            )
        )
    moving = otherwise if isinstance(trigger, (Days, CalendarDays, Cron)) else "skip"
    adjusted: list[Trigger] = [
        trigger,
        trigger,
        Spread(trigger, "name", seconds),
        Jitter(trigger, "name", seconds),
        Except(trigger, "name", excepted, "skip", zone),
        Except(trigger, "name", excepted, otherwise, zone),
        Adjustments(
            dst=getattr(trigger, "dst", AS_USUAL),
            excepted=excepted,
            otherwise=moving,
            spread=timedelta(minutes=5),
            jitter=timedelta(hours=1),
        ).around(trigger, zone, "name", "name"),
    ]
    return draw(st.sampled_from(adjusted))


def _is_weekend(day: date) -> bool:
    return day.weekday() >= 5


def _is_first_week(day: date) -> bool:
    return day.day <= 7


def _is_odd_month(day: date) -> bool:
    return day.month % 2 == 1
