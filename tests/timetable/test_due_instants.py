"""Time rules as tables: declaration, zone, anchor, and the due instants in the zone's own time."""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from clock.timetable import Event
from clock.timetable.triggers.clockwork import ClockworkAt, parse_at
from clock.timetable.triggers.cron import Cron
from clock.timetable.triggers.intervals import Days, EachHour, Elapsed, Hours, Minutes, RandomGaps, Trigger
from clock.timetable.triggers.zone_offsets import FOREVER, offsets_of, to_datetime, to_seconds
from tests.examples import examples

Declared = Callable[..., Event]
SECOND = timedelta(seconds=1)


def utc(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def next_after(
    trigger: Trigger, after: datetime, anchor: datetime, previous: datetime | None = None
) -> datetime | None:
    decided = None if previous is None else to_seconds(previous)
    found = trigger.due_between(to_seconds(after), FOREVER, to_seconds(anchor), decided)
    return next(map(to_datetime, found), None)


def to_local(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)


def dues(event: Event, anchor: datetime, count: int) -> list[datetime]:
    found: list[datetime] = []
    after = anchor - SECOND
    previous = None
    for _ in range(count):
        due = event.next_after(after, anchor=anchor, previous=previous)
        if due is None:
            break
        found.append(due)
        after = previous = due
    return found


def shown(instants: list[datetime], zone: str) -> list[str]:
    return [due.astimezone(ZoneInfo(zone)).strftime("%m-%d %H:%M:%S%z").replace(":00-", "-") for due in instants]


NY, BERLIN, LORD_HOWE = "America/New_York", "Europe/Berlin", "Australia/Lord_Howe"

TABLE = [
    # elapsed time: the nights make no difference
    ("every(6).hours.do(act)", NY, "2026-10-31 22:00", "11-01 03:00-0500 11-01 09:00-0500"),
    ("every(90).minutes.do(act)", NY, "2026-03-08 01:00", "03-08 03:30-0400 03-08 05:00-0400"),
    ("every(20).seconds.do(act)", NY, "2026-11-24 05:00", "11-24 05:00:20-0500 11-24 05:00:40-0500"),
    # days without at: the anchor's time of day
    ("every().day.do(act)", NY, "2026-03-07 02:30", "03-08 03:00-0400 03-09 02:30-0400"),
    ("every(2).days.do(act)", NY, "2026-10-31 01:30", "11-02 01:30-0500 11-04 01:30-0500"),
    ('every().day.dst(fold="both").do(act)', NY, "2026-11-01 01:30", "11-02 01:30-0500 11-03 01:30-0500"),
    ("every().week.do(act)", NY, "2026-10-31 10:00", "11-07 10:00-0500 11-14 10:00-0500"),
    # days with at
    ('every().day.at("06:00").do(act)', NY, "2026-11-24 05:00", "11-24 06:00-0500 11-25 06:00-0500"),
    ('every().day.at("06:00").do(act)', NY, "2026-11-24 06:00", "11-25 06:00-0500 11-26 06:00-0500"),
    ('every(3).days.at("06:00").do(act)', NY, "2026-11-24 05:00", "11-27 06:00-0500 11-30 06:00-0500"),
    ('every(2).days.at("06:00").do(act)', NY, "2026-11-24 05:00", "11-26 06:00-0500 11-28 06:00-0500"),
    ('every().day.at("0:05").do(act)', NY, "2026-11-24 05:00", "11-25 00:05-0500 11-26 00:05-0500"),
    ('every().day.at("02:30").do(act)', NY, "2026-03-07 12:00", "03-08 03:00-0400 03-09 02:30-0400"),
    ('every().day.at("01:30").do(act)', NY, "2026-10-31 12:00", "11-01 01:30-0400 11-02 01:30-0500"),
    ('every().day.at("06:00", "Asia/Tokyo").do(act)', NY, "2026-11-24 00:00", "11-24 16:00-0500 11-25 16:00-0500"),
    (
        'every().day.at(["18:00", "06:00"]).do(act)',
        NY,
        "2026-11-24 05:00",
        "11-24 06:00-0500 11-24 18:00-0500 11-25 06:00-0500",
    ),
    ('every().day.at("06:00:30").do(act)', NY, "2026-11-24 05:00", "11-24 06:00:30-0500"),
    # a midnight that is skipped, and a day
    (
        'every().day.at("00:00").do(act)',
        "America/Sao_Paulo",
        "2018-11-03 12:00",
        "11-04 01:00-0200 11-05 00:00-0200",
    ),
    (
        'every().day.at("10:00").do(act)',
        "Pacific/Apia",
        "2011-12-28 12:00",
        "12-29 10:00-1000 12-31 00:00:00+1400 12-31 10:00:00+1400 01-01 10:00:00+1400",
    ),
    # weekdays
    ('every().monday.at("16:20").do(act)', BERLIN, "2026-11-23 16:00", "11-23 16:20:00+0100 11-30 16:20:00+0100"),
    ('every().monday.at("16:20").do(act)', BERLIN, "2026-11-23 17:00", "11-30 16:20:00+0100"),
    ("every().sunday.do(act)", NY, "2026-10-30 01:30", "11-01 01:30-0400 11-08 01:30-0500"),
    # hours, at a minute: every real hour
    (
        'every().hour.at(":30").do(act)',
        NY,
        "2026-11-01 00:10",
        "11-01 00:30-0400 11-01 01:30-0400 11-01 01:30-0500 11-01 02:30-0500",
    ),
    (
        'every().hour.at([":00", ":30"]).do(act)',
        NY,
        "2026-03-08 01:10",
        "03-08 01:30-0500 03-08 03:00-0400 03-08 03:30-0400",
    ),
    ('every(4).hours.at("15:30").do(act)', NY, "2026-11-24 05:00", "11-24 09:15:30-0500 11-24 13:15:30-0500"),
    (
        'every().hour.at(":15").do(act)',
        LORD_HOWE,
        "2026-04-05 00:50",
        "04-05 01:15:00+1100 04-05 02:15:00+1030 04-05 03:15:00+1030",
    ),
    # minutes, at a second
    ('every().minute.at(":15").do(act)', NY, "2026-11-24 05:00:20", "11-24 05:01:15-0500 11-24 05:02:15-0500"),
    ('every(5).minutes.at(":15").do(act)', NY, "2026-11-24 05:00:00", "11-24 05:05:15-0500"),
    # working days, weekends, months
    ('every().weekday.at("9:00").do(act)', NY, "2026-11-27 09:00", "11-30 09:00-0500 12-01 09:00-0500"),
    ('every().weekend.at("09:00").do(act)', NY, "2026-11-27 09:00", "11-28 09:00-0500 11-29 09:00-0500"),
    ("every().weekday.do(act)", NY, "2026-11-27 09:10", "11-30 09:10-0500 12-01 09:10-0500"),
    ('every().month.on(1).at("06:00").do(act)', NY, "2026-11-01 06:00", "12-01 06:00-0500 01-01 06:00-0500"),
    ('every().month.on("last").at("06:00").do(act)', NY, "2028-02-01 00:00", "02-29 06:00-0500 03-31 06:00-0400"),
    ('every().month.on(31).at("06:00").do(act)', NY, "2026-11-01 00:00", "12-31 06:00-0500 01-31 06:00-0500"),
    (
        'every().month.on(15, "3rd monday").at("06:00").do(act)',
        NY,
        "2026-11-01 00:00",
        "11-15 06:00-0500 11-16 06:00-0500 12-15 06:00-0500",
    ),
    (
        'every(3).months.on("last weekday").at("06:00").do(act)',
        NY,
        "2026-11-01 00:00",
        "02-26 06:00-0500 05-31 06:00-0400",
    ),
    # Clockwork's times in the fluent form
    ('every().hour.at("**:30").do(act)', NY, "2026-11-24 05:30", "11-24 06:30-0500 11-24 07:30-0500"),
    (
        'every(2).weeks.at("Monday 16:20").do(act)',
        NY,
        "2026-11-24 05:00",
        "11-30 16:20-0500 12-14 16:20-0500",
    ),
    (
        'every().day.at(["06:00", "mon 16:20"]).do(act)',
        NY,
        "2026-11-29 05:00",
        "11-29 06:00-0500 11-30 06:00-0500 11-30 16:20-0500",
    ),
    # the rule for the odd nights, chosen
    (
        'every().day.at("02:30").dst(gap="skip").do(act)',
        NY,
        "2026-03-07 00:00",
        "03-07 02:30-0500 03-09 02:30-0400",
    ),
    (
        'every().day.at("01:30").dst(fold="both").do(act)',
        NY,
        "2026-10-31 12:00",
        "11-01 01:30-0400 11-01 01:30-0500 11-02 01:30-0500",
    ),
    (
        'every(timedelta(days=1), "x", at="01:30", fold="second")(act)',
        NY,
        "2026-10-31 12:00",
        "11-01 01:30-0500 11-02 01:30-0500",
    ),
    (
        'every(timedelta(days=1), "x", at="01:30", fold="both")(act)',
        NY,
        "2026-10-30 12:00",
        "10-31 01:30-0400 11-01 01:30-0400 11-01 01:30-0500 11-02 01:30-0500",
    ),
    (
        'every(timedelta(weeks=1), "x", at="Sunday 01:30", fold="both")(act)',
        NY,
        "2026-10-30 12:00",
        "11-01 01:30-0400 11-01 01:30-0500 11-08 01:30-0500",
    ),
    ('cron("30 2 * * *").dst(gap="skip").do(act)', NY, "2026-03-08 00:00", "03-09 02:30-0400"),
    ('cron("30 * * * *").dst(fold="first").do(act)', NY, "2026-11-01 01:00", "11-01 01:30-0400 11-01 02:30-0500"),
    # holidays
    (
        'every().weekday.at("09:00").except_on(["2026-11-26"]).do(act)',
        NY,
        "2026-11-26 00:00",
        "11-27 09:00-0500 11-30 09:00-0500",
    ),
    (
        'every().month.on(1).at("06:00").except_on(lambda day: day.weekday() > 4, otherwise="next").do(act)',
        NY,
        "2026-10-30 00:00",
        "11-02 06:00-0500 12-01 06:00-0500",
    ),
    (
        'every().month.on(1).at("06:00").except_on(lambda day: day.weekday() > 4, otherwise="previous").do(act)',
        NY,
        "2026-10-30 00:00",
        "10-30 06:00-0400 12-01 06:00-0500",
    ),
    # until
    ('every(6).hours.until("18:30").do(act)', NY, "2026-03-08 00:00", "03-08 07:00-0400 03-08 13:00-0400 -"),
    ('every(6).hours.until("11:00").do(act)', NY, "2026-11-01 00:00", "11-01 05:00-0500 11-01 11:00-0500 -"),
    (
        'every(6).hours.until(time.fromisoformat("18:00+00:00")).do(act)',
        NY,
        "2026-11-24 00:00",
        "11-24 06:00-0500 11-24 12:00-0500 -",
    ),
    (
        'every().day.at("06:00").until("2026-11-25 06:00").do(act)',
        NY,
        "2026-11-24 05:00",
        "11-24 06:00-0500 11-25 06:00-0500 -",
    ),
    # cron
    ('cron("30 1 * * *").do(act)', NY, "2026-10-31 12:00", "11-01 01:30-0400 11-02 01:30-0500"),
    ('cron("30 2 * * *").do(act)', NY, "2026-03-07 12:00", "03-08 03:00-0400 03-09 02:30-0400"),
    ('cron("*/30 1 * * *").do(act)', NY, "2026-11-01 00:00", "11-01 01:00-0400 11-01 01:30-0400 11-01 01:00-0500"),
    ('cron("@daily", tz="UTC").do(act)', NY, "2026-11-24 05:00", "11-24 19:00-0500"),
    ('cron("0 9 * * mon-fri").do(act)', NY, "2026-11-27 10:00", "11-30 09:00-0500"),
    ('cron("0 0 29 2 *").do(act)', "UTC", "2026-11-27 10:00", "02-29 00:00:00+0000 02-29 00:00:00+0000"),
    # Clockwork's form
    (
        'every(timedelta(days=1), "x")(act)',
        NY,
        "2026-03-07 02:30",
        "03-07 02:30-0500 03-08 03:00-0400 03-09 02:30-0400",
    ),
    ('every(timedelta(days=2), "x")(act)', NY, "2026-11-24 05:00", "11-24 05:00-0500 11-26 05:00-0500"),
    (
        'every(timedelta(days=2), "x", skip_first_run=True)(act)',
        NY,
        "2026-11-24 05:00",
        "11-26 05:00-0500 11-28 05:00-0500",
    ),
    ('every(60, "x")(act)', NY, "2026-11-24 05:00:30", "11-24 05:00:30-0500 11-24 05:01:30-0500"),
    ('every(60, "x", skip_first_run=True)(act)', NY, "2026-11-24 05:00:30", "11-24 05:01:30-0500"),
    (
        'every(timedelta(hours=1), "x", at="**:30")(act)',
        NY,
        "2026-11-24 05:00",
        "11-24 05:30-0500 11-24 06:30-0500",
    ),
    (
        'every(timedelta(hours=1), "x", at="10:00")(act)',
        NY,
        "2026-11-24 05:00",
        "11-24 10:00-0500 11-25 10:00-0500",
    ),
    (
        'every(30, "x", at="10:00")(act)',
        NY,
        "2026-11-24 05:00",
        "11-24 10:00-0500 11-24 10:00:30-0500 11-25 10:00-0500",
    ),
    (
        'every(timedelta(hours=25), "x", at="10:00")(act)',
        NY,
        "2026-11-24 05:00",
        "11-24 10:00-0500 11-26 10:00-0500",
    ),
    (
        'every(timedelta(minutes=90), "x", at="**:15")(act)',
        NY,
        "2026-11-24 05:00",
        "11-24 05:15-0500 11-24 07:15-0500 11-24 09:15-0500",
    ),
    (
        'every(timedelta(days=1), "x", at="**:30")(act)',
        NY,
        "2026-11-24 05:00",
        "11-24 05:30-0500 11-25 05:30-0500",
    ),
    (
        'every(timedelta(weeks=1), "x", at="10:00")(act)',
        NY,
        "2026-11-24 05:00",
        "11-24 10:00-0500 12-01 10:00-0500",
    ),
    (
        'every(timedelta(weeks=2), "x", at="Monday 16:20")(act)',
        NY,
        "2026-11-24 05:00",
        "11-30 16:20-0500 12-14 16:20-0500",
    ),
    (
        'every(timedelta(days=1), "x", at="mon 16:20")(act)',
        NY,
        "2026-11-24 05:00",
        "11-30 16:20-0500 12-07 16:20-0500",
    ),
    (
        'every(timedelta(days=1), "x", at="02:15")(act)',
        NY,
        "2026-03-07 12:00",
        "03-08 03:00-0400 03-09 02:15-0400",
    ),
    (
        'every(timedelta(days=1), "x", at="01:30")(act)',
        NY,
        "2026-10-31 12:00",
        "11-01 01:30-0400 11-02 01:30-0500",
    ),
    (
        'every(timedelta(hours=1), "x", at="01:**")(act)',
        NY,
        "2026-11-01 00:00",
        "11-01 01:00-0400 11-01 01:00-0500 11-02 01:00-0500",
    ),
    (
        'every(timedelta(days=1), "x", at=["06:00", "18:00"])(act)',
        NY,
        "2026-11-24 12:00",
        "11-24 18:00-0500 11-25 06:00-0500 11-25 18:00-0500",
    ),
    (
        'every(timedelta(days=1), "x", at="10:00")(act)',
        NY,
        "2026-11-24 10:00",
        "11-24 10:00-0500 11-25 10:00-0500",
    ),
    (
        'every(timedelta(days=1), "x", at="10:00", skip_first_run=True)(act)',
        NY,
        "2026-11-24 09:00",
        "11-25 10:00-0500 11-26 10:00-0500",
    ),
]


@pytest.mark.parametrize(("declaration", "zone", "anchor", "expected"), TABLE)
def test_due_instants(declared: Declared, declaration: str, zone: str, anchor: str, expected: str) -> None:
    words = expected.split()
    wanted = [f"{day} {time}" for day, time in zip(words[::2], words[1::2], strict=False)]

    found = shown(dues(declared(declaration, zone), utc(anchor, zone), len(wanted) + words.count("-")), zone)

    assert found == wanted


zones = st.sampled_from(sorted(available_timezones() - {"localtime"}))
instants = st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)
times = st.integers(0, 86399)


@st.composite
def triggers(draw: st.DrawFn) -> Trigger:
    zone = ZoneInfo(draw(zones))
    step = draw(st.integers(1, 40))
    first = draw(st.integers(0, 1))
    period = draw(st.sampled_from([1, 30, 60, 5400, 3600, 86400, 90000, 604800]))
    at = draw(st.sampled_from(["10:00", "**:30", "02:**", "mon 16:20", "00:00", "sat 02:30", "01:30:15"]))
    choices: list[Trigger] = [
        Elapsed(step, first),
        Days(zone, step, (draw(times),), first=first),
        Days(zone, 7, (draw(times),), weekday=step % 7),
        Days(zone, step, first=first, at_anchor=first == 0),
        EachHour(zone, (step * 60, step * 60 + 30)),
        Hours(zone, step + 1, step * 60 + 2 * step % 60),
        Minutes(step, 3 * step % 60),
        RandomGaps("name", step, step + first, 60),
        Cron(f"{step} {step % 24} * * *", zone),
        Cron(f"*/{step} * * * *", zone),
        ClockworkAt(period, parse_at(at), zone, bool(first)),
    ]
    return draw(st.sampled_from(choices))


@settings(max_examples=examples(100))
@given(trigger=triggers(), anchor=instants, away=st.integers(0, 400 * 86400), steps=st.integers(1, 5))
def test_the_next_due_instant_is_later_a_whole_second_and_the_same_whatever_is_asked_before(
    trigger: Trigger, anchor: datetime, away: int, steps: int
) -> None:
    after = anchor + away * SECOND
    for _ in range(steps):
        due = next_after(trigger, after, anchor, None)
        assert due is not None
        assert due > after
        assert due.microsecond == 0
        assert due.utcoffset() == timedelta(0)
        between = after + (due - after) // 2 // SECOND * SECOND
        if between < due:
            assert next_after(trigger, between, anchor, None) == due
        following = next_after(trigger, due, anchor, due)
        assert following == next_after(trigger, due, anchor, None)
        after = due


@settings(max_examples=examples(150))
@given(zone=zones, start=instants, hour=st.integers(0, 23), minute=st.integers(0, 59))
def test_a_daily_event_is_due_at_the_first_minute_of_each_day_that_is_not_before_its_time(
    zone: str, start: datetime, hour: int, minute: int
) -> None:
    tz = ZoneInfo(zone)
    start = start.replace(second=0)
    due = next_after(Days(tz, 1, (hour * 3600 + minute * 60,)), start, start)
    assert due is not None

    # Brute force, minute by minute: the clock has come to a time that it had not come to before.
    furthest = max(to_local(start - timedelta(minutes=back), tz) for back in range(24 * 60))
    instant = start
    while True:
        instant += timedelta(minutes=1)
        now = to_local(instant, tz)
        walls = [datetime.combine(now.date() - timedelta(days=back), time(hour, minute)) for back in (0, 1)]
        if any(furthest < wall <= now for wall in walls):
            break
        furthest = max(furthest, now)
    assert timedelta(0) <= instant - due < timedelta(minutes=1)


@settings(max_examples=examples(100))
@given(
    zone=zones,
    start=instants,
    fields=st.tuples(
        st.sampled_from(["0", "*/7", "15,45", "*", "59"]),
        st.sampled_from(["*", "2", "1-3", "*/5", "0"]),
        st.sampled_from(["*", "1", "31", "L", "*/2"]),
        st.sampled_from(["*", "2", "3-11"]),
        st.sampled_from(["*", "sun", "1-5", "mon#1", "5L"]),
    ),
)
def test_cron_agrees_with_cronsim(zone: str, start: datetime, fields: tuple[str, ...]) -> None:
    expression = " ".join(fields)
    if fields[2] == "31" and fields[3] == "2":
        return
    local = start.astimezone(ZoneInfo(zone))
    simulated = CronSim(expression, local)
    wanted: list[datetime] = []
    while len(wanted) < 5:
        instant = next(simulated).astimezone(UTC)
        if instant > start and (not wanted or instant > wanted[-1]):
            wanted.append(instant)

    trigger, found = Cron(expression, ZoneInfo(zone)), [start]
    for _ in range(5):
        due = next_after(trigger, found[-1], start, None)
        assert due is not None
        found.append(due)

    assert found[1:] == wanted


def test_gaps_are_drawn_from_the_whole_range_and_alike_for_everybody() -> None:
    trigger = RandomGaps("poll", 5, 10, 60)
    anchor = utc("2026-11-24 06:00")
    found = [anchor]
    for _ in range(300):
        due = next_after(trigger, found[-1], anchor, found[-1] if len(found) > 1 else None)
        assert due is not None
        found.append(due)

    gaps = {(later - earlier).total_seconds() / 60 for earlier, later in pairwise(found)}
    assert gaps == {5, 6, 7, 8, 9, 10}
    assert next_after(trigger, found[-2], anchor, None) == found[-1]


@pytest.mark.parametrize(
    ("zone", "wall", "instant"),
    [
        ("America/New_York", "2026-03-08 02:30", "2026-03-08 07:00"),
        ("America/New_York", "2026-11-01 01:30", "2026-11-01 05:30"),
        ("Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-03 15:30"),
        ("America/Sao_Paulo", "2018-11-04 00:00", "2018-11-04 03:00"),
        ("Pacific/Apia", "2011-12-30 10:00", "2011-12-30 10:00"),
    ],
)
def test_a_wall_time_in_a_gap_stands_for_the_end_of_the_gap(zone: str, wall: str, instant: str) -> None:
    shown = to_seconds(datetime.fromisoformat(wall).replace(tzinfo=UTC))

    assert to_datetime(offsets_of(ZoneInfo(zone)).instant_of(shown)) == utc(instant)
