"""Clockwork's form with a condition, against Clockwork's own rule: a refusal does not use up the period."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product
from zoneinfo import ZoneInfo

import pytest

from clock.timetable.triggers.adjustments import Jitter, Spread
from clock.timetable.triggers.clockwork import ClockworkAt, parse_at
from clock.timetable.triggers.counting import Counting
from clock.timetable.triggers.holidays import Except, Otherwise
from clock.timetable.triggers.intervals import Days, Elapsed, Trigger, Union
from clock.timetable.triggers.zone_offsets import to_datetime, to_seconds
from tests.examples import few_every_day
from tests.timetable.clockworks_rule import clockwork_fires
from tests.timetable.differential import compared
from tests.timetable.test_against_clockwork import our_trigger

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MONTH = timedelta(seconds=2_629_746)
PERIODS = [7 * MINUTE, HOUR, DAY, 2 * DAY]
TIMES = [None, "10:00", "**:30", "10:**"]
Condition = Callable[[datetime], bool]
CONDITIONS: dict[str, Condition] = {
    "office hours": lambda t: 9 <= t.hour < 17,
    "not at the weekend": lambda t: t.weekday() < 5,
    "even days": lambda t: t.day % 2 == 0,
    "never": lambda t: False,
    "at second 7": lambda t: t.second == 7 and t.hour == 9,
}


def fires(
    trigger: Trigger, zone: ZoneInfo, start: datetime, end: datetime, condition: Condition
) -> Iterator[datetime]:
    """What fires of an event that is first seen at `start`."""
    anchor, last = to_seconds(start), to_seconds(end)
    counting, decided = Counting.read(trigger, anchor, ""), anchor - 1
    while (due := next(iter(counting.asked_between(decided, last)), None)) is not None:
        if condition(to_datetime(due).astimezone(zone)):
            yield to_datetime(due)
            counting = counting.after(due)
        decided = due


@pytest.mark.parametrize("words", list(CONDITIONS)[:4])
@pytest.mark.parametrize(
    ("zone", "start"),
    few_every_day(
        [
            ("America/New_York", "2026-03-06 12:00"),
            ("America/New_York", "2026-10-30 12:00"),
            ("UTC", "2026-11-24 20:37"),
        ],
        1,
    ),
)
def test_a_condition_is_asked_and_a_period_counted_as_clockwork_does(zone: str, start: str, words: str) -> None:
    tz = ZoneInfo(zone)
    begin = datetime.fromisoformat(start).replace(tzinfo=tz).astimezone(UTC)
    end = begin + timedelta(days=4)
    for period, text in product(PERIODS, TIMES):
        at = None if text is None else parse_at(text)
        theirs = list(clockwork_fires(period, at, tz, begin, end, MINUTE, CONDITIONS[words]))

        ours = list(fires(our_trigger(period, at, tz), tz, begin, end, CONDITIONS[words]))

        assert ours == theirs, (period, text)
        compared("clockwork")


@pytest.mark.parametrize(("period", "of_36"), [(MONTH, 22), (timedelta(days=30), 33)], ids=["1.month", "30 days"])
def test_a_monthly_event_on_the_first_never_starves(period: timedelta, of_36: int) -> None:
    utc, start = ZoneInfo("UTC"), datetime(2026, 7, 1, tzinfo=UTC)
    trigger = our_trigger(period, parse_at("00:05"), utc)

    found = list(fires(trigger, utc, start, datetime(2029, 7, 1, tzinfo=UTC), lambda t: t.day == 1))

    gaps = [later - earlier for earlier, later in pairwise(found)]
    assert {(due.day, due.hour, due.minute) for due in found} == {(1, 0, 5)}
    assert max(gaps) <= timedelta(days=62)
    assert len(found) == of_36


@pytest.mark.parametrize(
    ("trigger", "condition", "expected"),
    [
        (Elapsed(DAY // timedelta(seconds=1), 0), "office hours", ["24 09:00:00", "25 09:00:00", "26 09:00:00"]),
        (Days(ZoneInfo("UTC"), 1, at_anchor=True), "office hours", ["24 09:00:00", "25 09:00:00", "26 09:00:00"]),
        (Elapsed(45, 0), "office hours", ["24 09:00:00", "24 09:00:45", "24 09:01:30"]),
        (Elapsed(45, 0), "at second 7", ["24 09:00:07", "24 09:01:07", "24 09:02:07"]),
        (Elapsed(60, 0), "at second 7", []),
        (Elapsed(7 * 3600, 0), "office hours", ["24 09:00:00", "24 16:00:00", "25 09:00:00"]),
    ],
)
def test_without_at_it_is_asked_at_whole_minutes_or_seconds(
    trigger: Trigger, condition: str, expected: list[str]
) -> None:
    utc = ZoneInfo("UTC")
    start = datetime(2026, 11, 23, 20, 0, 37, tzinfo=UTC)

    found = fires(trigger, utc, start, start + timedelta(days=4), CONDITIONS[condition])

    assert [f"{due:%d %H:%M:%S}" for due, _ in zip(found, range(3), strict=False)] == expected


def test_a_first_run_that_is_skipped_begins_a_period_without_its_condition() -> None:
    utc, start = ZoneInfo("UTC"), datetime(2026, 11, 23, 20, tzinfo=UTC)
    trigger = ClockworkAt(2 * 86_400, parse_at("10:00"), utc, skip_first=True)

    found = fires(trigger, utc, start, start + timedelta(days=8), lambda t: t.day > 24)

    assert [due.day for due in found] == [26, 28, 30]


TWO_DAYS = ClockworkAt(2 * 86_400, parse_at("10:00"), ZoneInfo("UTC"))
MONDAYS = ClockworkAt(7 * 86_400, parse_at("Monday 11:30"), ZoneInfo("UTC"))
DAILY = ClockworkAt(86_400, parse_at("10:00"), ZoneInfo("UTC"))


@pytest.mark.parametrize(
    "around",
    [
        lambda inner: Spread(inner, "nightly", 3600),
        lambda inner: Jitter(inner, "nightly", 3600),
        lambda inner: Except(inner, "nightly", lambda day: day.weekday() == 2, "skip", ZoneInfo("UTC")),
        lambda inner: Except(inner, "nightly", lambda day: day.weekday() == 2, "next", ZoneInfo("UTC")),
        lambda inner: Jitter(Except(inner, "n", lambda day: day.day == 3, "next", ZoneInfo("UTC")), "n", 60),
    ],
    ids=["spread", "jitter", "skip", "next", "both"],
)
@pytest.mark.parametrize(
    "inner", few_every_day([DAILY, Union([DAILY, ClockworkAt(3600, parse_at("**:30"), ZoneInfo("UTC"))])], 1)
)
def test_where_nothing_is_refused_it_is_due_as_without_a_condition(
    inner: Trigger, around: Callable[[Trigger], Trigger]
) -> None:
    trigger, utc = around(inner), ZoneInfo("UTC")
    start = datetime(2026, 11, 23, 20, tzinfo=UTC)
    end = start + timedelta(days=15)

    found = fires(trigger, utc, start, end, lambda _: True)

    anchor = to_seconds(start)
    plain = trigger.due_between(anchor - 1, to_seconds(end), anchor, None)
    assert list(found) == list(map(to_datetime, plain))


def test_what_the_ledger_holds_that_is_not_ours_counts_as_nothing() -> None:
    anchor = to_seconds(datetime(2026, 11, 23, 20, tzinfo=UTC))
    previous = to_seconds(datetime(2026, 11, 26, 10, tzinfo=UTC))

    for text in ("", "x", "1,2", "-1", "1e5", "1" * 20):
        assert Counting.read(DAILY, anchor, text, previous).counted == [previous]
        assert Counting.read(DAILY, anchor, text).counted == [None]


@pytest.mark.parametrize("around", [Spread, Jitter])
def test_a_period_of_two_days_is_counted_from_the_instant_before_it_is_moved(around: type[Spread]) -> None:
    trigger, utc = around(Union([TWO_DAYS, MONDAYS]), "nightly", 3600), ZoneInfo("UTC")
    start = datetime(2026, 11, 23, 20, tzinfo=UTC)
    end = start + timedelta(days=15)

    found = list(fires(trigger, utc, start, end, lambda _: True))

    assert [due.day for due in found] == [24, 26, 28, 30, 30, 2, 4, 6, 7, 8]
    anchor = to_seconds(start)
    assert found == list(map(to_datetime, trigger.due_between(anchor - 1, to_seconds(end), anchor, None)))


@pytest.mark.parametrize(("otherwise", "days"), [("next", [23, 11, 21]), ("previous", [23, 5, 21])])
def test_a_fortnight_is_counted_from_the_instant_that_a_holiday_has_moved_by_days(
    otherwise: Otherwise, days: list[int]
) -> None:
    utc, fortnight = ZoneInfo("UTC"), ClockworkAt(14 * 86_400, parse_at("Monday 11:30"), ZoneInfo("UTC"))
    trigger = Except(fortnight, "e", lambda day: 6 <= day.day <= 10, otherwise, utc)
    start = datetime(2026, 11, 23, 10, tzinfo=UTC)

    found = fires(trigger, utc, start, start + timedelta(days=35), lambda _: True)

    assert [due.day for due in found] == days


def test_a_time_of_day_that_a_change_of_the_clocks_skips_is_back_on_the_next_day() -> None:
    zone = ZoneInfo("America/New_York")
    start = datetime(2026, 3, 6, 2, 30, tzinfo=zone)

    found = fires(Days(zone, 1, at_anchor=True), zone, start, start + timedelta(days=4), lambda _: True)

    assert [f"{due.astimezone(zone):%d %H:%M}" for due in found] == [
        *("06 02:30", "07 02:30", "08 03:00", "09 02:30", "10 02:30")
    ]


def test_it_is_asked_up_to_the_end_and_not_after_it() -> None:
    anchor = to_seconds(datetime(2026, 11, 23, 20, tzinfo=UTC))
    counting = Counting(Elapsed(3600, 0), anchor, [None])

    assert list(counting.asked_between(anchor + 60, anchor + 179)) == [anchor + 120]


def test_the_ledger_holds_the_last_instant_that_counted_for_each_time() -> None:
    trigger = Spread(Union([TWO_DAYS, MONDAYS]), "nightly", 3600)
    anchor = to_seconds(datetime(2026, 11, 23, 20, tzinfo=UTC))
    first, second = anchor + 14 * 3600, anchor + 62 * 3600

    assert Counting.read(trigger, anchor, f"{first},-").counted == [first, None]
    assert str(Counting(trigger, anchor, [first, None])) == f"{first},-"
    assert Counting.read(trigger, anchor, "-,-", anchor).counted == [None, None]
    assert Counting(trigger, anchor, [None, None]).last() is None
    last = Counting(trigger, anchor, [first, second]).last()
    assert last is not None
    assert second <= last < second + 3600


def test_without_the_ledgers_text_the_last_instant_up_to_the_previous_one_has_counted() -> None:
    anchor, month = to_seconds(datetime(2026, 11, 23, 20, tzinfo=UTC)), 60 * 86_400
    trigger = Elapsed(month, 0)

    assert Counting.read(trigger, anchor, "", anchor).counted == [anchor]
    moved_back_by_a_day = anchor + 2 * month - 86_400
    assert Counting.read(trigger, anchor, "", moved_back_by_a_day).counted == [anchor + month]
