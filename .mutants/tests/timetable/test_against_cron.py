"""Cron expressions against the `cronsim` package on every kind of odd night, and against `croniter` elsewhere.

Deliberate differences from cronsim, both of wildcards only, which are due whenever the clock shows a match:
where clocks change by half an hour, cronsim steps over whole hours and loses the hour or minutes after the
change; where midnight is skipped, it begins a day at a midnight that the clock does not show.
"""

from datetime import UTC, datetime, timedelta
from itertools import islice, product, takewhile
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from cronsim import CronSim, CronSimError
from hypothesis import assume
from hypothesis import strategies as st

from clock.timetable.triggers.cron import Cron, read
from clock.timetable.triggers.zone_offsets import to_datetime, to_seconds
from tests.examples import few_every_day
from tests.timetable.by_the_minute import changes
from tests.timetable.differential import compared
from tests.timetable.properties import for_all
from tests.timetable.strategies import anywhere, cron_expressions, instants, zones

NIGHTS = [
    ("America/New_York", "2026-03-08T07:00"),
    ("America/New_York", "2026-11-01T06:00"),
    ("Europe/Berlin", "2026-03-29T01:00"),
    ("Europe/London", "2026-10-25T01:00"),
    ("Australia/Lord_Howe", "2026-04-04T15:00"),
    ("Australia/Lord_Howe", "2026-10-03T15:30"),
    ("America/Sao_Paulo", "2018-11-04T03:00"),
    ("America/Sao_Paulo", "2018-02-18T02:00"),
    ("Pacific/Apia", "2011-12-30T10:00"),
    ("Antarctica/Troll", "2026-03-29T01:00"),
    ("America/Caracas", "2016-05-01T07:00"),
    ("Africa/Casablanca", "2026-02-15T02:00"),
]
EXPRESSIONS = [
    " ".join(fields)
    for fields in product(
        ["0", "30", "*", "*/20", "15,45", "0-40/20"],
        ["*", "0", "1", "2", "1-3", "*/2", "23"],
        ["* * *", "*/2 * *", "* * 0", "1-20 * mon"],
    )
]


def ours(expression: str, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    low, high = to_seconds(start), to_seconds(end)
    return list(map(to_datetime, Cron(expression, zone).due_between(low, high, low, None)))


def cronsims(expression: str, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """Its instants; one that it gives twice, at the end of a gap, counts once."""
    stepped = (found.astimezone(UTC) for found in CronSim(expression, start.astimezone(zone)))
    return sorted({found for found in takewhile(lambda found: found <= end, stepped) if found > start})


def difference(expression: str, zone: ZoneInfo, night: datetime) -> str | None:
    """The name of the deliberate difference that the case may show."""
    if not any(field.startswith("*") for field in expression.split()[:2]):
        return None
    before = (night - timedelta(minutes=1)).astimezone(zone)
    after = night.astimezone(zone)
    shift = after.replace(tzinfo=None) - before.replace(tzinfo=None) - timedelta(minutes=1)
    if shift % timedelta(hours=1):
        return "clocks change by half an hour"
    if shift > timedelta(0) and before.date() < after.date() and (after.hour, after.minute) != (0, 0):
        return "midnight is skipped"
    return None


@pytest.mark.parametrize(("zone", "night"), few_every_day(NIGHTS, 2))
def test_as_cronsim_on_odd_nights(zone: str, night: str) -> None:
    instant = datetime.fromisoformat(night).replace(tzinfo=UTC)
    tz = ZoneInfo(zone)
    start, end = instant - timedelta(hours=26), instant + timedelta(hours=26)
    assert changes(tz, instant.year).count(instant) == 1
    for expression in EXPRESSIONS:
        found, expected = ours(expression, tz, start, end), cronsims(expression, tz, start, end)

        deliberate = difference(expression, tz, instant)
        assert found == expected or deliberate is not None, expression
        compared("cronsim", deliberate=deliberate if found != expected else None)


@for_all(data=st.data(), zone=zones, expression=cron_expressions())
def test_as_cronsim_anywhere(data: st.DataObject, zone: ZoneInfo, expression: str) -> None:
    start = data.draw(instants(zone))
    end = start + timedelta(days=20)
    odd = [
        night for night in changes(zone, start.year) if start - timedelta(days=2) < night < end + timedelta(days=2)
    ]
    assume(all(difference(expression, zone, night) is None for night in odd))

    assert ours(expression, zone, start, end) == cronsims(expression, zone, start, end)
    compared("cronsim")


@for_all(
    start=anywhere,
    times=st.sampled_from(["0 *", "30 2", "*/7 1-3", "15,45 */5", "59 23", "0-10/5 9-17", "7/20 0,12"]),
    days=st.sampled_from(
        ["* * *", "1 * *", "31 * *", "L * *", "13 1,3,10 *", "* 3-11 sun", "* * 1-5", "* * mon#1"]
    ),
)
def test_as_croniter_where_no_clock_changes(start: datetime, times: str, days: str) -> None:
    expression = f"{times} {days}"
    end = start + timedelta(days=70)

    stepped = croniter(expression, start).all_next(datetime)
    expected = list(islice(takewhile(lambda found: found <= end, stepped), 40))

    assert ours(expression, ZoneInfo("UTC"), start, end)[:40] == expected
    compared("croniter")


@pytest.mark.parametrize(
    ("expression", "days"),
    [("15,45 30 2 * * *", 7), ("*/20 * * * * *", 1), ("0 0 */6 * * mon-fri", 7), ("59 59 23 L * *", 7)],
)
def test_with_a_field_of_seconds_as_cronsim(expression: str, days: int) -> None:
    utc = ZoneInfo("UTC")
    start = datetime(2026, 11, 24, 5, 59, 40, tzinfo=UTC)
    end = start + timedelta(days=days)

    assert ours(expression, utc, start, end) == cronsims(expression, utc, start, end)
    compared("cronsim")


def test_a_time_of_day_with_seconds_keeps_to_the_rule_of_times_of_day() -> None:
    """Deliberate: cronsim loses it in the gap, and gives it twice in the fold, as it does wildcards."""
    zone = ZoneInfo("America/New_York")
    for night, theirs, due in (("2026-03-08", 0, 1), ("2026-11-01", 2, 1)):
        start = datetime.fromisoformat(night).replace(tzinfo=zone).astimezone(UTC)
        end = start + timedelta(hours=12)
        expression = "30 30 2 * * *" if due > theirs else "30 30 1 * * *"

        assert len(cronsims(expression, zone, start, end)) == theirs
        assert len(ours(expression, zone, start, end)) == due
        compared("cronsim", deliberate="a time of day with seconds keeps to the rule of times of day")


@pytest.mark.parametrize("expression", ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "60 * * * *", "0 0 * * mon#6"])
def test_what_cronsim_refuses_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        read(expression)
    with pytest.raises(CronSimError):
        CronSim(expression, datetime(2026, 1, 1, tzinfo=UTC))
    compared("cronsim")


def test_croniter_gives_an_instant_twice_in_autumn_and_we_do_not() -> None:
    """Deliberate: a daily 01:30 is due once in the night that has two."""
    zone = ZoneInfo("America/New_York")
    start = datetime(2026, 10, 31, 12, tzinfo=zone)
    end = datetime(2026, 11, 2, tzinfo=zone)

    theirs = [
        found.isoformat()
        for found in takewhile(lambda at: at <= end, croniter("30 1 * * *", start).all_next(datetime))
    ]

    assert theirs == ["2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00"]
    assert [due.isoformat() for due in ours("30 1 * * *", zone, start, end)] == ["2026-11-01T05:30:00+00:00"]
    compared("croniter", deliberate="a time that occurs twice is due once")


def test_both_day_fields_have_to_match_where_one_begins_with_a_star_and_not_for_croniter() -> None:
    """Deliberate: Debian cron's rule, by which `*/2` stays a star; croniter takes either field."""
    start, end = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    expression = "0 6 */2 * mon"

    theirs = [
        found.day for found in takewhile(lambda at: at <= end, croniter(expression, start).all_next(datetime))
    ]

    assert [due.day for due in ours(expression, ZoneInfo("UTC"), start, end)] == [9, 23]
    assert [due.day for due in cronsims(expression, ZoneInfo("UTC"), start, end)] == [9, 23]
    assert theirs == sorted({2, 9, 16, 23, 30, *range(1, 31, 2)})
    compared("croniter", deliberate="both day fields have to match where one begins with a star")


def test_a_range_of_one_is_that_one_and_not_for_croniter() -> None:
    """Deliberate: croniter takes `6-6` for every hour."""
    start, end = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)

    theirs = [
        found.hour for found in takewhile(lambda at: at < end, croniter("0 6-6 * * *", start).all_next(datetime))
    ]

    assert [due.hour for due in ours("0 6-6 * * *", ZoneInfo("UTC"), start, end)] == [6]
    assert len(theirs) > 20
    compared("croniter", deliberate="a range of one is that one")
