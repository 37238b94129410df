"""Spread, jitter and holidays, each against its definition applied to all nominal instants at once."""

import logging
from bisect import bisect_left
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import strategies as st

from clock import testing
from clock.timetable import Event
from clock.timetable.naming import name_of
from clock.timetable.triggers.adjustments import Adjustments, Jitter, Spread
from clock.timetable.triggers.clockwork import ClockworkAt, parse_at
from clock.timetable.triggers.cron import Cron
from clock.timetable.triggers.holidays import Except, Otherwise, excepted_days
from clock.timetable.triggers.intervals import (
    Days,
    EachHour,
    Elapsed,
    Hours,
    Minutes,
    RandomGaps,
    Trigger,
    Union,
    drawn,
)
from clock.timetable.triggers.wall_times import Dst
from clock.timetable.triggers.zone_offsets import FOREVER, to_seconds
from tests.timetable.properties import for_all
from tests.timetable.strategies import DAY, HOUR, instants, plain_triggers, some_minutes, zones

NEW_YORK = ZoneInfo("America/New_York")
MONDAY = to_seconds(datetime(2026, 11, 23, tzinfo=NEW_YORK))


def due(trigger: Trigger, start: int, end: int, anchor: int) -> list[int]:
    return list(trigger.due_between(start, end, anchor, None))


@for_all(data=st.data(), zone=zones, seconds=st.integers(1, 2 * DAY))
def test_a_spread_moves_all_alike_and_by_less_than_its_length(
    data: st.DataObject, zone: ZoneInfo, seconds: int
) -> None:
    anchor = to_seconds(data.draw(instants(zone)))
    trigger = data.draw(plain_triggers(zone))
    nominal = due(trigger, anchor - 1, anchor + 6 * DAY, anchor)

    moved = due(Spread(trigger, "mail", seconds), anchor - 1, anchor + 9 * DAY, anchor)

    moves = {to - at for at, to in zip(nominal, moved, strict=False)}
    assert len(moves) <= 1
    assert all(0 <= move < seconds for move in moves)


def test_spreads_of_many_names_fill_the_length() -> None:
    trigger = Days(NEW_YORK, 1, (0,))

    moved = [due(Spread(trigger, f"tenant {n}", 600), MONDAY - 1, MONDAY + 600, MONDAY - DAY) for n in range(1000)]

    assert all(len(one) == 1 for one in moved)
    tenths = [(one[0] - MONDAY) // 60 for one in moved]
    assert {tenths.count(tenth) // 50 for tenth in range(10)} <= {1, 2}  # 100 each, more or less


@for_all(data=st.data(), zone=zones, seconds=st.integers(1, 2 * DAY))
def test_a_jitter_moves_each_by_less_than_its_length(data: st.DataObject, zone: ZoneInfo, seconds: int) -> None:
    anchor = to_seconds(data.draw(instants(zone)))
    trigger = data.draw(plain_triggers(zone))
    start, end = anchor + 3 * DAY, anchor + 3 * DAY + 6 * HOUR
    nominal = due(trigger, start, end, anchor)

    moved = due(Jitter(trigger, "mail", seconds), start, end + seconds, anchor)

    assert all(bisect_left(moved, at) < bisect_left(moved, at + seconds) for at in nominal)
    assert len(moved) <= len(due(trigger, start - seconds, end + seconds, anchor))


@for_all(
    data=st.data(),
    zone=zones,
    times=some_minutes,
    excepted=st.sets(st.integers(-12, 20), max_size=12),
    otherwise=st.sampled_from(["skip", "next", "previous"]),
)
def test_excepted_days_are_kept_free(
    data: st.DataObject, zone: ZoneInfo, times: tuple[int, ...], excepted: set[int], otherwise: Otherwise
) -> None:
    anchor = data.draw(instants(zone)).replace(second=0)
    today = anchor.astimezone(zone).date()
    closed = {today + timedelta(days=ahead) for ahead in excepted}
    trigger = Days(zone, data.draw(st.sampled_from([1, 2, 7])), times)
    start, end = to_seconds(anchor), to_seconds(anchor) + 10 * DAY

    found = due(Except(trigger, "mail", closed.__contains__, otherwise, zone), start, end, start)

    expected = set()
    for nominal in due(trigger, start, end + 40 * DAY, start):
        shown = datetime.fromtimestamp(nominal, zone)
        day = shown.date()
        while day in closed and otherwise != "skip":
            day += timedelta(days=1 if otherwise == "next" else -1)
        if day not in closed:
            expected.add(nominal if day == shown.date() else _instant(day, shown.time(), zone))
    assert found == sorted(instant for instant in expected if start < instant <= end)


def _instant(day: date, at: time, zone: ZoneInfo) -> int:
    """The first instant of that day and time, or the first after it where it is skipped."""
    instant = datetime.combine(day, at.replace(fold=0)).replace(tzinfo=zone).astimezone(UTC) - timedelta(days=1)
    step = timedelta(minutes=1)
    while (instant + timedelta(hours=12)).astimezone(zone).replace(tzinfo=None) < datetime.combine(day, at):
        instant += timedelta(hours=1)
    while instant.astimezone(zone).replace(tzinfo=None) < datetime.combine(day, at):
        instant += step
    return to_seconds(instant)


@pytest.mark.parametrize("otherwise", ["skip", "next", "previous"])
def test_where_every_day_is_excepted_nothing_is_due_and_the_search_ends(otherwise: Otherwise) -> None:
    asked = []

    def always(day: date) -> bool:
        asked.append(day)
        return True

    trigger = Except(Days(NEW_YORK, 1, (0,)), "mail", always, otherwise, NEW_YORK)

    assert next(iter(trigger.due_between(MONDAY, FOREVER, MONDAY, None)), None) is None
    assert len(asked) < 60 * 366


def test_a_function_that_fails_is_told_of_and_excepts_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def broken(day: date) -> bool:
        raise LookupError("no calendar for 2026")

    trigger = Except(Days(NEW_YORK, 1, (0,)), "mail", broken, "skip", NEW_YORK)
    with caplog.at_level(logging.ERROR):
        found = due(trigger, MONDAY, MONDAY + DAY, MONDAY)

    assert found == [MONDAY + DAY]
    assert "'mail': except_on failed for 2026-11-24: LookupError('no calendar for 2026')" in caplog.text


@pytest.mark.parametrize(
    "given",
    [
        date(2026, 12, 25),
        "2026-12-25",
        ["2026-12-25"],
        (date(2026, 12, 25),),
        {datetime(2026, 12, 25, 8)},
        {date(2026, 12, 25): "Christmas"},
        lambda day: day.month == 12,
    ],
)
def test_days_are_given_as_dates_as_a_calendar_or_by_a_function(given: Callable[[date], bool] | str) -> None:
    excepted = excepted_days(given)

    assert excepted(date(2026, 12, 25))
    assert not excepted(date(2026, 11, 25))


@pytest.mark.parametrize("given", [5, "Christmas", [5], ["25.12."], None])
def test_what_is_no_day_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match="it must be a function of the date, or dates such as '2026-12-25'"):
        excepted_days(given)


def days_of(event: Event, start: datetime, days: int) -> list[datetime]:
    first = to_seconds(start)
    found = event.due_between(first, first + days * DAY, anchor=start)
    return [datetime.fromtimestamp(at, event.zone) for at in found]


@pytest.mark.parametrize("otherwise", ["next", "previous"])
def test_an_event_of_weekdays_is_moved_to_a_weekday(otherwise: str) -> None:
    """25 December 2026 is a Friday, so the 26th and 27th are no weekdays."""
    text = f"every().weekday.at('09:00', 'UTC').except_on('2026-12-25', otherwise={otherwise!r}).do(print)"
    [event] = testing.loads(f"from clock import every\n{text}.named('pay')\n").events

    days = [f"{at:%d}" for at in days_of(event, datetime(2026, 12, 21, tzinfo=UTC), 11)]

    assert days == ["21", "22", "23", "24", "28", "29", "30", "31"]


def test_an_event_of_weekends_is_moved_within_weekends() -> None:
    text = "every().weekend.at('09:00', 'UTC').except_on('2026-12-27', otherwise='next').do(print).named('w')"
    event = testing.loads(f"from clock import every\n{text}\n").event("w")
    start = datetime(2026, 12, 26, tzinfo=UTC)

    assert [f"{at:%d}" for at in days_of(event, start, 9)] == ["26", "02", "03"]


def test_installations_with_another_salt_have_another_part_of_a_spread() -> None:
    def first(salt: str) -> datetime | None:
        text = f"every().day.at('09:00', 'UTC').spread(timedelta(hours=1), salt={salt!r}).do(print).named('sync')"
        event = testing.loads(f"from datetime import timedelta\nfrom clock import every\n{text}\n").event("sync")
        assert (salt or "no salt") not in event.declaration
        return event.next_after(datetime(2026, 12, 21, tzinfo=UTC), anchor=datetime(2026, 12, 1, tzinfo=UTC))

    assert first("here") == first("here")
    assert len({first("here"), first("there"), first("elsewhere"), first("")}) == 4


@pytest.mark.parametrize("seconds", [1, 2, 45, 600])
def test_a_spread_delays_by_a_part_that_the_name_gives(seconds: int) -> None:
    nominal = range(MONDAY, MONDAY + 1000, 100)
    expected = [at + drawn("mail") % seconds for at in nominal]
    trigger = Spread(Elapsed(100, first=0), "mail", seconds)

    assert due(trigger, MONDAY - 1, expected[-1], MONDAY) == expected
    for at in expected:
        assert due(trigger, at - 1, at, MONDAY) == [at]
        assert due(trigger, at - 100, at, MONDAY) == [at]
        assert not due(trigger, at, at + 99, MONDAY)


def test_a_spread_passes_the_previous_instant_as_it_was_before_the_delay() -> None:
    inner = RandomGaps("poll", 3, 9, 60)
    trigger = Spread(inner, "mail", 600)
    found = due(trigger, MONDAY, MONDAY + 10_000, MONDAY)

    rest = trigger.due_between(found[3], MONDAY + 10_000, MONDAY, found[3])

    assert list(rest) == found[4:]


@pytest.mark.parametrize("seconds", [1, 2, 45, 250])
def test_a_jitter_delays_by_parts_that_the_name_and_the_instant_give(seconds: int) -> None:
    nominal = range(MONDAY, MONDAY + 3000, 100)
    expected = sorted({at + drawn("mail", at) % seconds for at in nominal})
    trigger = Jitter(Elapsed(100, first=0), "mail", seconds)
    end = MONDAY + 2500

    assert due(trigger, MONDAY - 1, end, MONDAY) == [at for at in expected if at <= end]
    for at in expected[:20]:
        assert due(trigger, at - 1, at, MONDAY) == [at]
        assert at not in due(trigger, at, at + 99, MONDAY)


def is_monday(day: date) -> bool:
    return day.weekday() == 0


@pytest.mark.parametrize(
    ("adjustments", "words"),
    [
        (Adjustments(), ""),
        (Adjustments(dst=Dst(gap="skip", fold="both")), ", gap skip, fold both"),
        (Adjustments(excepted=is_monday), ", not on is_monday"),
        (Adjustments(excepted=excepted_days("2026-12-25")), ", not on given days"),
        (Adjustments(excepted=excepted_days([]), otherwise="next"), ", not on given days, but on the next day"),
        (
            Adjustments(spread=timedelta(minutes=5), jitter=timedelta(hours=1)),
            ", spread over 0:05:00, jitter up to 1:00:00",
        ),
    ],
)
def test_adjustments_are_shown_in_words(adjustments: Adjustments, words: str) -> None:
    assert adjustments.words() == words


def test_codes_and_dates_are_shown_together() -> None:
    pytest.importorskip("holidays")

    assert name_of(excepted_days("DE-BY")) == "holidays of DE-BY"
    both = excepted_days(["DE-BY", "US", "2026-12-24"])
    assert name_of(both) == "holidays of DE-BY and holidays of US and given days"
    assert [both(date(2026, *day)) for day in ((12, 24), (12, 25), (7, 4), (12, 23))] == [True, True, True, False]
    assert name_of(excepted_days(["DE-BY", "US"])) == "holidays of DE-BY and holidays of US"


DAILY = Days(NEW_YORK, 1, (0,))
WITHIN_DAYS: list[Trigger] = [
    EachHour(NEW_YORK, (0,)),
    Elapsed(90_000),
    Hours(NEW_YORK, 2, 0),
    Minutes(5, 0),
    RandomGaps("e", 1, 2, 60),
    ClockworkAt(DAY - 1, parse_at("10:00"), NEW_YORK),
]


@pytest.mark.parametrize("trigger", WITHIN_DAYS, ids=lambda trigger: type(trigger).__name__)
def test_only_an_event_of_days_moves_to_another_day(trigger: Trigger) -> None:
    moved = Adjustments(excepted=is_monday, otherwise="next")

    for each in (trigger, Union([DAILY, trigger])):
        with pytest.raises(
            ValueError, match="'next' needs an event that runs at most once a day; this one can only"
        ):
            moved.around(each, NEW_YORK, "e", "e")
        Adjustments(excepted=is_monday).around(each, NEW_YORK, "e", "e")


@pytest.mark.parametrize(
    "trigger", [DAILY, ClockworkAt(DAY, parse_at("10:00"), NEW_YORK), Cron("0 6 * * *", NEW_YORK)]
)
def test_an_event_of_days_is_moved_to_another_day(trigger: Trigger) -> None:
    moved = Adjustments(excepted=is_monday, otherwise="next").around(trigger, NEW_YORK, "e", "e")

    assert due(moved, MONDAY, MONDAY + 2 * DAY, MONDAY) == due(trigger, MONDAY + DAY - 1, MONDAY + 2 * DAY, MONDAY)


def test_a_rule_of_zone_changes_needs_a_time_of_day() -> None:
    chosen = Adjustments(dst=Dst(gap="skip"))

    for trigger in (Elapsed(60), Union([DAILY, Elapsed(60)])):
        with pytest.raises(ValueError, match=r"dst\(...\) needs a time of day; this event counts elapsed time"):
            chosen.around(trigger, NEW_YORK, "e", "e")
    assert chosen.around(DAILY, NEW_YORK, "e", "e") is DAILY


def test_random_gaps_have_no_jitter() -> None:
    with pytest.raises(
        ValueError, match=r"to\(...\) and jitter\(...\) cannot be combined: to\(...\) already draws"
    ):
        Adjustments(jitter=timedelta(minutes=1)).around(RandomGaps("e", 1, 2, 60), NEW_YORK, "e", "e")


def test_spread_and_jitter_are_derived_from_the_text_that_is_given() -> None:
    both = Adjustments(spread=timedelta(seconds=90), jitter=timedelta(minutes=2), salt="here")

    trigger = both.around(DAILY, NEW_YORK, "e", "app:e")

    assert trigger == Jitter(Spread(DAILY, "app:e\0here", 90), "app:e", 120)
