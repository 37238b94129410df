"""Clockwork's form with a condition, against Clockwork's own rule: a refusal does not use up the period."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product
from zoneinfo import ZoneInfo

import pytest

from clock.timetable.triggers.adjustments import Jitter, Spread
from clock.timetable.triggers.clockwork import ClockworkAt, parse_at
from clock.timetable.triggers.counting import Counting
from clock.timetable.triggers.holidays import Except
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
}


def fires(
    trigger: Trigger, zone: ZoneInfo, start: datetime, end: datetime, condition: Condition
) -> Iterator[datetime]:
    """What fires of an event that is first seen at `start`."""
    counting, anchor, last = Counting(trigger), to_seconds(start), to_seconds(end)
    counted, decided = counting.read("", anchor, None), anchor - 1
    while (due := next(iter(counting.asked_between(decided, last, anchor, counted)), None)) is not None:
        if condition(to_datetime(due).astimezone(zone)):
            yield to_datetime(due)
            counted = counting.after(due, anchor, counted)
        decided = due


@pytest.mark.parametrize("words", CONDITIONS)
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
    ("trigger", "expected"),
    [
        (Elapsed(DAY // timedelta(seconds=1), 0), ["24 09:00:00", "25 09:00:00", "26 09:00:00"]),
        (Days(ZoneInfo("UTC"), 1, at_anchor=True), ["24 09:00:00", "25 09:00:00", "26 09:00:00"]),
        (Elapsed(45, 0), ["24 09:00:00", "24 09:00:45", "24 09:01:30"]),
        (Elapsed(7 * 3600, 0), ["24 09:00:00", "24 16:00:00", "25 09:00:00"]),
    ],
)
def test_without_at_it_is_asked_at_whole_minutes_or_seconds(trigger: Trigger, expected: list[str]) -> None:
    utc = ZoneInfo("UTC")
    start = datetime(2026, 11, 23, 20, 0, 37, tzinfo=UTC)

    found = fires(trigger, utc, start, start + timedelta(days=4), CONDITIONS["office hours"])

    assert [f"{due:%d %H:%M:%S}" for due, _ in zip(found, range(3), strict=False)] == expected


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
    counting = Counting(DAILY)
    anchor = to_seconds(datetime(2026, 11, 23, 20, tzinfo=UTC))
    previous = to_seconds(datetime(2026, 11, 26, 10, tzinfo=UTC))

    for text in ("", "x", "1,2", "-1", "1e5"):
        assert counting.read(text, anchor, previous) == [previous]
        assert counting.read(text, anchor, None) == [None]
