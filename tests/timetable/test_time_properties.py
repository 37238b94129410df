"""What holds of every trigger, in every zone, at every instant: by random ones, and by a naive reading."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, get_args
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import strategies as st

from clock.timetable.triggers.calendar_days import EVERY_DAY, WEEKEND_DAYS, WORKING_DAYS, matching
from clock.timetable.triggers.clockwork import At, ClockworkAt, parse_at
from clock.timetable.triggers.cron import Cron
from clock.timetable.triggers.intervals import CalendarDays, EachHour, Hours, Trigger
from clock.timetable.triggers.wall_times import Dst, Fold, Gap, WallTimes, span_of
from clock.timetable.triggers.zone_offsets import FOREVER, to_datetime, to_seconds
from tests.examples import ARE_MANY
from tests.timetable.by_the_minute import MINUTE, changes, due_by_minute, walls_by_minute
from tests.timetable.properties import for_all
from tests.timetable.strategies import ATS, DAY, HOUR, PERIODS, choices, instants, some_minutes, triggers, zones

#: Half-hour changes, a skipped day, skipped midnights, two-hour changes, changes around Ramadan, a new offset.
ODD_ZONES = (
    "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo", "Antarctica/Troll", "Africa/Casablanca",
    "America/Caracas", "Asia/Pyongyang", "Europe/Dublin",
)  # fmt: skip
ALL_DAYS = matching(lambda _day: True)
WEEKDAYS_OF = [(WORKING_DAYS, range(5)), (WEEKEND_DAYS, range(5, 7)), (ALL_DAYS, range(7))]


def first(trigger: Trigger, after: int, anchor: int, previous: int | None = None) -> int | None:
    return next(iter(trigger.due_between(after, FOREVER, anchor, previous)), None)


def due_within(trigger: Trigger, start: datetime, end: datetime, anchor: datetime) -> list[datetime]:
    found = trigger.due_between(to_seconds(start), to_seconds(end), to_seconds(anchor), None)
    return list(map(to_datetime, found))


@for_all(
    data=st.data(), zone=zones, away=st.integers(-1, 40 * DAY), steps=st.lists(st.integers(0, 3 * DAY), max_size=4)
)
def test_the_same_instants_are_due_whether_asked_in_one_go_in_steps_or_one_by_one(
    data: st.DataObject, zone: ZoneInfo, away: int, steps: list[int]
) -> None:
    anchor = to_seconds(data.draw(instants(zone)))
    trigger = data.draw(triggers(zone))
    start = anchor + away
    end = start + sum(steps) + 3 * HOUR

    at_once = list(trigger.due_between(start, end, anchor, None))

    assert all(start < due <= end for due in at_once)
    assert at_once == sorted(set(at_once))
    in_steps: list[int] = []
    low, decided = start, None
    for step in (*steps, 3 * HOUR):
        in_steps += trigger.due_between(low, low + step, anchor, decided)
        low += step
        decided = in_steps[-1] if in_steps else None
    assert in_steps == at_once
    after, decided = start, None
    for due in at_once[:20]:
        assert first(trigger, after, anchor, decided) == due
        assert first(trigger, (after + due) // 2, anchor) == due
        after = decided = due


@for_all(data=st.data(), zone=zones, away=st.integers(-1, 400 * DAY), length=st.integers(0, 200 * DAY))
def test_due_instants_that_are_counted_are_those_that_are_made(
    data: st.DataObject, zone: ZoneInfo, away: int, length: int
) -> None:
    anchor = to_seconds(data.draw(instants(zone)))
    trigger = data.draw(triggers(zone))
    start = anchor + away

    made = list(trigger.due_between(start, start + length, anchor, None))
    span = span_of(trigger.due_between(start, start + length, anchor, None), 3)

    assert (span is None) == (not made)
    if span is not None:
        assert (span.first, span.count, span.last) == (made[0], len(made), made[-3:])


@for_all(data=st.data(), zone=zones)
def test_the_next_due_instant_is_later_and_comes_however_far_it_is(data: st.DataObject, zone: ZoneInfo) -> None:
    anchor = to_seconds(data.draw(instants(zone)))
    trigger = data.draw(triggers(zone))

    due = first(trigger, anchor, anchor)

    if due is not None:
        assert due > anchor
        assert list(trigger.due_between(anchor, due, anchor, None)) == [due]
    else:
        assert not list(trigger.due_between(anchor, anchor + 8 * 366 * DAY, anchor, None))


@pytest.mark.slow
@for_all(data=st.data(), zone=zones, times=some_minutes)
def test_times_on_days_are_due_as_a_reading_by_the_minute_says(
    data: st.DataObject, zone: ZoneInfo, times: tuple[int, ...]
) -> None:
    start = data.draw(instants(zone)).replace(second=0)
    days, weekdays = data.draw(st.sampled_from(WEEKDAYS_OF))
    rule = data.draw(choices)
    end = start + timedelta(days=3)

    found = due_within(CalendarDays(zone, days, times, dst=rule), start, end, start)

    assert found == due_by_minute(
        zone,
        lambda wall: wall.weekday() in weekdays and wall.hour * 3600 + wall.minute * 60 in times,
        start,
        end,
        gap=rule.gap or "shift",
        fold=rule.fold or "first",
    )


@for_all(data=st.data(), zone=zones, marks=st.lists(st.integers(0, 59), min_size=1, max_size=3, unique=True))
def test_hourly_marks_are_due_in_every_real_hour(data: st.DataObject, zone: ZoneInfo, marks: list[int]) -> None:
    start = data.draw(instants(zone)).replace(second=0)
    end = start + timedelta(days=2)

    found = due_within(EachHour(zone, tuple(sorted(mark * 60 for mark in marks))), start, end, start)

    assert (
        found
        == [instant for instant, wall in walls_by_minute(zone, start, end) if wall.minute in marks][
            start.astimezone(zone).minute in marks :
        ]
    )


@for_all(data=st.data(), zone=zones, step=st.integers(2, 30), mark=st.integers(0, 59))
def test_steps_of_hours_are_due_at_the_first_showing_of_their_minute_from_each_step_on(
    data: st.DataObject, zone: ZoneInfo, step: int, mark: int
) -> None:
    anchor = data.draw(instants(zone)).replace(second=0)
    end = anchor + timedelta(days=3)
    showing = [
        at
        for at, wall in walls_by_minute(zone, anchor - timedelta(hours=1), end + timedelta(hours=2))
        if wall.minute == mark
    ]
    shown = anchor.astimezone(zone)

    found = due_within(Hours(zone, step, mark * 60), anchor, end, anchor)

    expected = []
    reached = anchor - timedelta(minutes=shown.minute) + timedelta(minutes=mark)
    while reached <= end:
        reached += timedelta(hours=step)
        expected += [at for at in showing if at >= reached][:1]
    assert found == [due for due in expected if anchor < due <= end]


@for_all(data=st.data(), zone=zones, at=st.sampled_from(ATS), period=st.sampled_from(PERIODS), skip=st.booleans())
def test_clockworks_form_is_due_as_its_rule_says_step_by_step(
    data: st.DataObject, zone: ZoneInfo, at: str, period: int, skip: bool
) -> None:
    anchor = data.draw(instants(zone)).replace(second=0)
    end = anchor + timedelta(days=12)

    found = due_within(ClockworkAt(period, parse_at(at), zone, skip), anchor - timedelta(seconds=1), end, anchor)

    assert found == list(chain(parse_at(at), zone, period, skip, anchor, end))


def chain(at: At, zone: ZoneInfo, period: int, skip: bool, anchor: datetime, end: datetime) -> Iterator[datetime]:
    """The rule, word by word: the first candidate, then each time the earliest one a period after the last."""
    last: tuple[datetime, datetime] | None = None
    for due, nominal in candidates(at, zone, anchor, end, fixed=period >= DAY):
        apart = None if last is None else (nominal - last[1] if period >= DAY else due - last[0])
        if apart is None or apart >= timedelta(seconds=period):
            if not (last is None and skip):
                yield due
            last = due, nominal


def candidates(
    at: At, zone: ZoneInfo, anchor: datetime, end: datetime, *, fixed: bool
) -> list[tuple[datetime, datetime]]:
    """The instants that match, with the wall-clock times that they stand for."""
    start = anchor - MINUTE
    minutes = walls_by_minute(zone, start - timedelta(days=2), end)
    fixed = fixed or None not in (at.hour, at.minute)
    found: dict[datetime, datetime] = {}
    told: set[datetime] = set()
    before = minutes[0][1]
    for instant, wall in minutes:
        skipped = before + MINUTE
        while fixed and skipped < wall:
            if matches(at, skipped):
                found.setdefault(instant, skipped)
            skipped += MINUTE
        if matches(at, wall) and not (fixed and wall in told):
            found[instant] = wall
        told.add(wall)
        before = wall
    return sorted((due, nominal) for due, nominal in found.items() if anchor <= due <= end)


def matches(at: At, wall: datetime) -> bool:
    return (
        at.weekday in (None, wall.weekday()) and at.hour in (None, wall.hour) and at.minute in (None, wall.minute)
    )


@for_all(data=st.data(), zone=zones, away=st.integers(100 * DAY, 800 * DAY))
def test_a_chain_may_be_entered_anywhere(data: st.DataObject, zone: ZoneInfo, away: int) -> None:
    """Far from its anchor, Clockwork's form looks for a place where the chain is the same whatever was before."""
    anchor = to_seconds(data.draw(instants(zone)))
    at = parse_at(data.draw(st.sampled_from(ATS)))
    trigger = ClockworkAt(data.draw(st.sampled_from(PERIODS)), at, zone)
    start = anchor + away

    followed = list(trigger.due_between(anchor - 1, start + 15 * DAY, anchor, None))

    entered = list(trigger.due_between(start, start + 15 * DAY, anchor, None))
    assert entered == [due for due in followed if due > start]


@for_all(data=st.data(), zone=zones, dst=choices, away=st.integers(1, 2500 * DAY), later=st.integers(0, 400 * DAY))
def test_a_chain_is_as_if_it_were_followed_candidate_by_candidate_from_the_anchor(
    data: st.DataObject, zone: ZoneInfo, dst: Dst, away: int, later: int
) -> None:
    """Times an hour or a day apart, with periods above: no place has the same chain whatever was before."""
    at = parse_at(data.draw(st.sampled_from([*ATS, "mon **:30", "16:20", "sun 02:**"])))
    period = data.draw(st.sampled_from(PERIODS) | st.integers(1, 40).map(lambda hours: hours * 70 * 60))
    trigger = ClockworkAt(period, at, zone, data.draw(st.booleans()), at_anchor=data.draw(st.booleans()), dst=dst)
    anchor = to_seconds(data.draw(instants(zone)))
    starts = [anchor + away, anchor + away + later, anchor + away // 2]

    found = [list(trigger.due_between(start, start + 15 * DAY, anchor, None)) for start in starts]

    followed = list(from_the_anchor(trigger, anchor, max(starts) + 15 * DAY))
    assert found == [[due for due in followed if start < due <= start + 15 * DAY] for start in starts]


def from_the_anchor(trigger: ClockworkAt, anchor: int, end: int) -> Iterator[int]:
    """The chain's instants, all candidates looked at."""
    chain = trigger.chain()
    last = None
    for candidate in chain.candidates.readings(anchor - 1 if trigger.at_anchor else anchor, end):
        if last is None or is_due(trigger, candidate, last):
            if last is not None or not trigger.skip_first:
                yield candidate[0]
            last = candidate


def is_due(trigger: ClockworkAt, candidate: tuple[int, int], last: tuple[int, int]) -> bool:
    on_wall = trigger.period >= DAY
    again = on_wall and trigger.dst.fold == "both" and candidate[1] == last[1]
    return again or candidate[on_wall] - last[on_wall] >= trigger.period


def test_a_chain_of_many_years_is_followed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in candidates that are looked at, of 35,000 since the anchor: the time would be the machine's."""
    zone = ZoneInfo("America/New_York")
    trigger = ClockworkAt(90 * 60, parse_at("**:30"), zone)
    anchor = to_seconds(datetime(2022, 11, 24, tzinfo=UTC))
    looked_at = 0
    readings = WallTimes.readings

    def counted(*asked: Any) -> Iterator[tuple[int, int]]:
        nonlocal looked_at
        for reading in readings(*asked):
            looked_at += 1
            yield reading

    monkeypatch.setattr(WallTimes, "readings", counted)
    counts = []
    for day in range(3):
        looked_at = 0
        first(trigger, anchor + 4 * 366 * DAY + day * DAY, anchor)
        counts.append(looked_at)

    assert counts[0] < 3000
    assert max(counts[1:]) < 60


def test_what_is_said_to_be_the_last_due_instant_and_is_none_does_not_shift_thechain() -> None:
    """The ledger may have decided an instant that is due no more, when the tz database has changed."""
    trigger = ClockworkAt(2 * DAY, parse_at("10:00"), ZoneInfo("Europe/Berlin"))
    anchor = to_seconds(datetime(2026, 11, 24, tzinfo=UTC))
    followed = list(trigger.due_between(anchor, anchor + 9 * DAY, anchor, None))

    found = first(trigger, followed[1] + HOUR, anchor, previous=followed[1] + HOUR)

    assert found == followed[2]


@for_all(data=st.data(), zone=zones, machine=zones)
def test_the_machines_own_zone_changes_nothing(data: st.DataObject, zone: ZoneInfo, machine: ZoneInfo) -> None:
    anchor = data.draw(instants(zone))
    trigger = data.draw(triggers(zone))
    end = anchor + timedelta(hours=12)
    expected = due_within(trigger, anchor, end, anchor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", machine.key)
        time.tzset()
        found = due_within(trigger, anchor, end, anchor)
    time.tzset()

    assert found == expected


@pytest.mark.slow
def test_every_night_of_every_zone_is_as_a_reading_by_the_minute_says() -> None:
    """Each change of a zone's offset from 1990 to 2060, once for all zones that share it.

    A full run takes each 20th zone and those whose changes are odd, `make thorough` all of them.
    """
    nights: dict[tuple[datetime, timedelta | None, timedelta | None], ZoneInfo] = {}
    names = sorted(available_timezones() - {"localtime"})
    for name in names if ARE_MANY else [*names[::20], *ODD_ZONES]:
        zone = ZoneInfo(name)
        for change in (change for year in range(1990, 2061) for change in changes(zone, year)):
            offsets = ((change - MINUTE).astimezone(zone).utcoffset(), change.astimezone(zone).utcoffset())
            nights.setdefault((change, *offsets), zone)
    each_ten_minutes = tuple(range(0, DAY, 600))
    rules = [Dst(gap, fold) for gap in get_args(Gap) for fold in get_args(Fold)]

    for (change, before, after), zone in nights.items():
        shift = abs((after or timedelta(0)) - (before or timedelta(0)))
        start, end = change - shift - timedelta(hours=1), change + shift + timedelta(hours=1)
        for rule in rules:
            trigger = WallTimes(EVERY_DAY, each_ten_minutes, zone, rule)
            found = list(map(to_datetime, trigger.instants(to_seconds(start), to_seconds(end))))
            expected = due_by_minute(
                zone,
                lambda wall: wall.minute % 10 == 0,
                start,
                end,
                gap=rule.gap or "",
                fold=rule.fold or "",
                around=shift + timedelta(hours=1),
            )
            assert found == expected, (zone.key, change, rule)
    assert len(nights) > (5_000 if ARE_MANY else 500)


def test_the_search_for_a_day_that_never_comes_ends_at_once() -> None:
    asked = []

    def never(day: object) -> bool:
        asked.append(day)
        return False

    trigger = CalendarDays(ZoneInfo("America/New_York"), matching(never), (0,))

    assert first(trigger, 0, 0) is None
    assert len(asked) <= 28 * 31  # each shape of a month is read once


def test_a_first_of_the_month_that_is_its_fifth_monday_is_refused_as_it_never_comes() -> None:
    with pytest.raises(ValueError, match="no day of the months is both"):
        first(Cron("0 0 */31 * mon#5", ZoneInfo("America/New_York")), 0, 0)


def test_the_rarest_day_comes_forty_years_apart() -> None:
    trigger = Cron("0 0 */28 2 sun#5", ZoneInfo("Europe/Berlin"))
    start = to_seconds(datetime(2088, 3, 1, tzinfo=UTC))

    found = islice(trigger.due_between(start, FOREVER, start, None), 1)

    assert [to_datetime(due).astimezone(ZoneInfo("Europe/Berlin")).isoformat() for due in found] == [
        "2128-02-29T00:00:00+01:00"
    ]
