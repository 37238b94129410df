"""Clockwork's `at`, and chains of due instants that are entered far from their anchor."""

import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from types import FrameType
from zoneinfo import ZoneInfo

import pytest

from clock.timetable.triggers.clockwork import At, ClockworkAt, at_words, parse_at
from clock.timetable.triggers.wall_times import AS_USUAL, Dst
from clock.timetable.triggers.zone_offsets import DAY, FOREVER, HOUR, MINUTE, to_seconds
from tests.timetable.test_time_properties import from_the_anchor

NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("text", "at", "words"),
    [
        ("16:20", At(None, 16, 20), "at 16:20"),
        ("6:00", At(None, 6, 0), "at 06:00"),
        ("00:00:00", At(None, 0, 0), "at 00:00"),
        ("23:59:59", At(None, 23, 59, 59), "at 23:59:59"),
        ("**:30", At(None, None, 30), "at minute 30"),
        ("*:30:05", At(None, None, 30, 5), "at minute 30:05"),
        ("16:**", At(None, 16, None), "from 16:00 to 16:59"),
        ("Monday 6:00", At(0, 6, 0), "on Monday at 06:00"),
        ("sun *:05", At(6, None, 5), "on Sunday at minute 5"),
        ("TUE 02:**", At(1, 2, None), "on Tuesday from 02:00 to 02:59"),
    ],
)
def test_an_at_is_parsed_and_shown_in_words(text: str, at: At, words: str) -> None:
    assert parse_at(text) == at
    assert at_words(at) == words


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("24:00", "at has 24, which must be at most 23; use '16:20'"),
        ("10:60", "at has 60, which must be at most 59; use '16:20'"),
        ("10:00:60", "at has 60, which must be at most 59; use '16:20'"),
        ("**:**", "at is '**:**', which matches every minute; omit it, or give the hour or the minute"),
        ("mond 10:00", "at has the unknown weekday 'mond'; use Monday, mon, ..."),
        ("10", "at is '10'; use '16:20', '6:00'"),
        ("10:0", "at is '10:0'; use '16:20'"),
        (" 10:00", "at is ' 10:00'; use '16:20'"),
    ],
)
def test_a_wrong_at_is_refused_with_the_accepted_forms(text: str, mistake: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011  # the message is compared
        parse_at(text)

    assert str(error.value).startswith(mistake)


BOTH, SECOND = Dst(fold="both"), Dst(gap="skip", fold="second")


@pytest.mark.parametrize(
    ("period", "at", "dst"),
    [
        (30, "10:00", AS_USUAL),
        (59, "**:59", AS_USUAL),
        (MINUTE, "02:**", AS_USUAL),
        (7 * MINUTE, "02:**", AS_USUAL),
        (7 * MINUTE, "1:**", BOTH),
        (HOUR, "**:30", AS_USUAL),
        (HOUR, "mon **:30", AS_USUAL),
        (90 * MINUTE, "**:15", AS_USUAL),
        (90 * MINUTE, "**:15", SECOND),
        (5 * HOUR, "**:15", AS_USUAL),
        (25 * HOUR, "**:15", AS_USUAL),
        (12 * HOUR, "01:30", BOTH),
        (DAY, "01:30", BOTH),
        (DAY, "01:30", SECOND),
        (DAY, "02:30", AS_USUAL),
        (DAY, "**:30", AS_USUAL),
        (2 * DAY, "01:30", BOTH),
        (3 * DAY, "02:30", AS_USUAL),
        (3 * DAY + HOUR, "**:30", AS_USUAL),
        (7 * DAY, "sun 01:30", BOTH),
        (8 * DAY, "sun 02:30", AS_USUAL),
        (30 * DAY, "mon 16:20", AS_USUAL),
        (400 * DAY, "00:00", AS_USUAL),
    ],
)
@pytest.mark.parametrize(("skip_first", "at_anchor"), [(False, True), (True, False)])
def test_a_chain_is_the_same_from_each_place_at_which_it_is_entered(
    period: int, at: str, dst: Dst, skip_first: bool, at_anchor: bool
) -> None:
    trigger = ClockworkAt(period, parse_at(at), NEW_YORK, skip_first, at_anchor, dst)
    anchor = to_seconds(datetime(2026, 2, 24, 1, 30, tzinfo=NEW_YORK))
    followed = list(from_the_anchor(trigger, anchor, anchor + 500 * DAY))

    for day in (0, 1, 3, 9, 12, 13, 14, 16, 17, 31, 200, 249, 250, 251, 252, 399, 470):
        start = anchor + day * DAY - 1
        expected = [due for due in followed if start < due <= start + 4 * DAY]
        assert list(trigger.due_between(start, start + 4 * DAY, anchor, None)) == expected
        if expected:
            rest = trigger.due_between(expected[0], start + 4 * DAY, anchor, expected[0])
            assert list(rest) == expected[1:]
            rest = trigger.due_between(expected[0], start + 4 * DAY, anchor, None)
            assert list(rest) == expected[1:]
            assert next(iter(trigger.due_between(start, FOREVER, anchor, None))) == expected[0]


@pytest.mark.parametrize(
    ("period", "at"), [(90 * MINUTE, "**:15"), (5 * HOUR, "02:**"), (3 * DAY + HOUR, "**:30")]
)
def test_a_chain_of_centuries_is_followed(period: int, at: str) -> None:
    """Without changes of the offset: the rounds in between are skipped, and all have one number of seconds."""
    trigger = ClockworkAt(period, parse_at(at), ZoneInfo("UTC"))
    anchor = to_seconds(datetime(2026, 2, 24, tzinfo=UTC))
    first = list(from_the_anchor(trigger, anchor, anchor + 200 * DAY))
    round_ = next(
        later - earlier
        for place, earlier in enumerate(first)
        for later in first[place + 1 :]
        if (later - earlier) % DAY == 0
    )
    start = anchor + 70_000 * DAY // round_ * round_ + 20 * DAY

    found = trigger.due_between(start, start + 60 * DAY, anchor, None)

    expected = [due for due in first if anchor + 20 * DAY < due <= anchor + 80 * DAY]
    assert [due - start for due in found] == [due - anchor - 20 * DAY for due in expected]


def test_a_period_of_days_is_measured_on_the_wall_clock_also_if_it_skips_a_day() -> None:
    """Samoa had no 30 December 2011: three days on the clock are two days of time there."""
    apia = ZoneInfo("Pacific/Apia")
    anchor = to_seconds(datetime(2011, 12, 25, 10, tzinfo=apia))
    trigger = ClockworkAt(3 * DAY, parse_at("10:00"), apia)

    for day in (25, 28):
        due = to_seconds(datetime(2011, 12, day, 10, tzinfo=apia))
        for first, after in enumerate((due - 1, due)):  # entered before the instant, and at it
            found = islice(trigger.due_between(after, FOREVER, anchor, None), 4)
            shown = [datetime.fromtimestamp(one, apia).date() for one in found]
            assert shown == [date(2011, 12, day) + timedelta(days=3 * (first + step)) for step in range(4)]


def test_a_chain_is_followed_up_to_the_hour_that_occurs_twice() -> None:
    """Each hour is due with its second occurrence, so on 1 November 01:00 is due at 06:00 and not at 05:00 UTC."""
    trigger = ClockworkAt(3 * HOUR, parse_at("**:00"), NEW_YORK, dst=SECOND)
    anchor = to_seconds(datetime(2026, 2, 24, 2, tzinfo=UTC))
    start = to_seconds(datetime(2026, 11, 1, tzinfo=UTC))

    found = trigger.due_between(start + 6 * HOUR + MINUTE, start + 12 * HOUR, anchor, None)

    assert [(due - start) // HOUR for due in found] == [9, 12]
    assert [due - start for due in from_the_anchor(trigger, anchor, start + 12 * HOUR) if due > start] == [
        hour * HOUR for hour in (2, 6, 9, 12)
    ]


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_an_instant_after_which_is_asked_is_not_due_again(zone: str) -> None:
    trigger = ClockworkAt(HOUR, parse_at("**:30"), ZoneInfo(zone))
    anchor = to_seconds(datetime(2026, 2, 24, tzinfo=UTC))
    first, second, third, fourth = (anchor + 30 * MINUTE + hour * HOUR for hour in range(4))

    for previous in (None, first, second):
        assert list(trigger.due_between(second, fourth, anchor, previous)) == [third, fourth]
    assert list(trigger.due_between(first, fourth, anchor, first)) == [second, third, fourth]


def test_a_period_of_seconds_counts_from_the_second_that_counted() -> None:
    trigger = ClockworkAt(30, parse_at("10:00"), ZoneInfo("UTC"))
    anchor = to_seconds(datetime(2026, 2, 24, 10, tzinfo=UTC))

    found = trigger.candidates_after(anchor + 10, anchor + 10, anchor + DAY - 1, anchor)

    assert [due - anchor for due in found] == list(range(40, 60))


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_candidates_are_a_period_after_the_counted_instant_or_the_skipped_one(zone: str) -> None:
    trigger = ClockworkAt(2 * HOUR, parse_at("**:30"), ZoneInfo(zone), skip_first=True)
    anchor = to_seconds(datetime(2026, 2, 24, tzinfo=UTC))
    first, _, third, fourth = (anchor + 30 * MINUTE + hour * HOUR for hour in range(4))

    for last in (None, first):
        assert list(trigger.candidates_after(last, anchor, fourth, anchor)) == [third, fourth]


def test_a_time_one_second_before_the_anchor_does_not_count() -> None:
    trigger = ClockworkAt(2 * HOUR, parse_at("**:00"), ZoneInfo("UTC"))
    anchor = to_seconds(datetime(2026, 2, 24, 10, 0, 1, tzinfo=UTC))

    found = trigger.due_between(anchor - 1, anchor + 4 * HOUR, anchor, None)

    assert [(due - anchor + 1) // HOUR for due in found] == [1, 3]


@pytest.mark.parametrize(
    ("period", "at", "first", "last", "count"),
    [
        (1, "10:00", "10:00:00", "10:00:59", 60),
        (1, "10:00:07", "10:00:07", "10:00:07", 1),
        (MINUTE, "10:00:07", "10:00:07", "10:00:07", 1),
        (MINUTE, "10:**", "10:00:00", "10:59:00", 60),
        (MINUTE, "**:30:05", "00:30:05", "23:30:05", 24),
    ],
)
def test_an_at_matches_minutes_and_for_a_shorter_period_every_second(
    period: int, at: str, first: str, last: str, count: int
) -> None:
    day = to_seconds(datetime(2026, 2, 24, tzinfo=UTC))

    found = list(ClockworkAt(period, parse_at(at), ZoneInfo("UTC")).due_between(day - 1, day + DAY - 1, day, None))

    assert [f"{datetime.fromtimestamp(due, UTC):%H:%M:%S}" for due in (found[0], found[-1])] == [first, last]
    assert len(found) == count


def test_a_period_of_a_minute_starts_with_a_whole_minute() -> None:
    anchor = to_seconds(datetime(2026, 2, 24, 10, 0, 37, tzinfo=UTC))

    found = ClockworkAt(MINUTE, parse_at("10:**"), ZoneInfo("UTC")).due_between(anchor - 1, FOREVER, anchor, None)

    assert next(found) == anchor + 23


@pytest.fixture
def interrupted() -> Iterator[list[ClockworkAt]]:
    """Triggers that are asked again at the start of each generator expression, as by another thread then."""
    triggers: list[ClockworkAt] = []

    def ask(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code.co_name == "<genexpr>" and triggers:
            next(iter(triggers.pop().due_between(30 * DAY, 40 * DAY, 0, None)))

    before = sys.getprofile()
    sys.setprofile(ask)
    yield triggers
    sys.setprofile(before)


def test_threads_ask_for_the_due_instants_of_one_trigger_at_once(interrupted: list[ClockworkAt]) -> None:
    trigger = ClockworkAt(5 * HOUR, parse_at("**:30"), NEW_YORK)
    alone = list(trigger.due_between(20 * DAY, 22 * DAY, 0, None))

    interrupted.append(trigger)

    assert list(trigger.due_between(20 * DAY, 22 * DAY, 0, None)) == alone
    assert not interrupted
