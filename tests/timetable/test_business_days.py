"""Holidays by the package `holidays`, and business days of a month."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from threading import Thread
from zoneinfo import ZoneInfo

import pytest
from hypothesis import strategies as st

from clock.config import Declared
from clock.errors import DeclarationError
from clock.job.registry import lookup
from clock.timetable import Event, Settings, SyncedEvents, Timetable, read_rows
from clock.timetable.clock_file.rows.yaml_events import entry_in_yaml
from clock.timetable.triggers.calendar_days import ALL_MONTHS, business_days_on, month_of, parse_month_day
from clock.timetable.triggers.holidays import calendar_of, excepted_days
from clock.timetable.triggers.zone_offsets import date_of, day_number, to_datetime, to_seconds
from tests.timetable.jobs import SendLetterJob
from tests.timetable.properties import for_all

holidays = pytest.importorskip("holidays")

BAVARIA = holidays.country_holidays("DE", subdiv="BY")
NEW_YORK = holidays.financial_holidays("XNYS")


def dates(event: Event, start: date, days: int) -> list[date]:
    anchor = datetime(start.year, start.month, start.day, tzinfo=UTC) - timedelta(days=1)
    dues = event.due_between(to_seconds(anchor), to_seconds(anchor) + days * 86_400, anchor=anchor)
    return [to_datetime(due).astimezone(event.zone).date() for due in dues]


@for_all(
    wanted=st.lists(st.sampled_from(["1st", "2nd", "19th", "23rd", "last"]), min_size=1, max_size=2, unique=True),
    start=st.dates(date(1995, 1, 1), date(2055, 1, 1)),
    closed=st.sets(st.integers(0, 200), max_size=60),
    step=st.integers(1, 4),
)
def test_business_days_of_a_month_are_counted(wanted: list[str], start: date, closed: set[int], step: int) -> None:
    excepted = {start + timedelta(days=ahead) for ahead in closed}
    origin = month_of(day_number(start))
    by_month: dict[tuple[int, int], list[date]] = {}
    for ahead in range(-40, 260):
        day = start + timedelta(days=ahead)
        by_month.setdefault((day.year, day.month), []).append(day)
    expected = set()
    for (year, month), of_month in by_month.items():
        is_open = [day for day in of_month if day.weekday() < 5 and day not in excepted]
        if step == 1 or ((ahead := year * 12 + month - 1 - origin) > 0 and ahead % step == 0):
            for text in wanted:
                nth = -1 if text == "last" else int(text[:-2]) - 1
                expected |= {is_open[nth]} if is_open and nth < len(is_open) else set()

    rule = business_days_on(
        tuple(parse_month_day(f"{text} business day") for text in wanted), lambda day: day not in excepted
    )
    rule = rule if step == 1 else replace(rule, months=ALL_MONTHS[origin + step :: step])
    found = rule.between(day_number(start), day_number(start) + 200)

    assert [date_of(day) for day in found] == sorted(
        day for day in expected if start <= day < start + timedelta(days=200)
    )


def test_the_last_business_day_respects_holidays(declared: Callable[..., Event]) -> None:
    event = declared(
        'every().month.on("last business day").at("18:00").except_on("DE-BY").do(act)', tz="Europe/Berlin"
    )

    assert dates(event, date(2027, 3, 1), 62) == [date(2027, 3, 31), date(2027, 4, 30)]
    assert dates(event, date(2024, 3, 2), 30) == [date(2024, 3, 28)]  # Good Friday is the 29th


def test_without_holidays_a_business_day_is_a_weekday(declared: Callable[..., Event]) -> None:
    event = declared('every().month.on("last business day").do(act)')

    assert dates(event, date(2026, 10, 2), 70) == [date(2026, 10, 30), date(2026, 11, 30)]


@pytest.mark.parametrize(
    "days", ["'DE-BY'", "of_countries.country_holidays('DE', subdiv='BY')", "['DE-BY', '2026-12-24']"]
)
def test_an_event_of_weekdays_keeps_holidays_free(load_lines: Callable[[str], Timetable], days: str) -> None:
    [event] = load_lines(
        f"import holidays as of_countries\nconfigure(tz='Europe/Berlin')\n"
        f"every().weekday.at('09:00').except_on({days}).do(act)"
    ).events

    found = dates(event, date(2026, 12, 21), 20)

    assert set(found) & set(map(date.fromisoformat, ["2026-12-25", "2027-01-01", "2027-01-06"])) == set()
    assert (date(2026, 12, 24) in found) is ("12-24" not in days)
    assert date(2027, 1, 7) in found
    assert "not on holidays of DE-BY" in event.declaration


@for_all(start=st.dates(date(2000, 1, 1), date(2040, 1, 1)))
def test_a_business_day_is_no_holiday_and_no_weekend(start: date) -> None:
    is_holiday = calendar_of(BAVARIA)
    rule = business_days_on((parse_month_day("last business day"),), lambda day: not is_holiday(day))

    for day in map(date_of, rule.between(day_number(start), day_number(start) + 100)):
        later = [day + timedelta(days=ahead) for ahead in range(1, 32)]
        assert day.weekday() < 5
        assert day not in BAVARIA
        assert all(
            other.weekday() > 4 or other in BAVARIA
            for other in later
            if (other.year, other.month) == (day.year, day.month)
        )


@pytest.mark.parametrize(
    ("code", "mistake"),
    [
        ("DE-XX", "DE has no part 'XX'; available: "),
        ("XX", "unknown country or market; it must be"),
        ("QQQQ", "unknown country or market"),
        ("Germany", "except_on is 'Germany'; it must be a function of the date"),
        ("de-by", "it must be a function of the date"),
    ],
)
def test_an_unknown_code_is_refused_with_its_line(
    load_lines: Callable[[str], Timetable], code: str, mistake: str
) -> None:
    with pytest.raises(DeclarationError, match=f"clock.py:5: .*{mistake}"):
        load_lines(f"every().day.except_on({code!r}).do(act)")


ROWS: list[Mapping[str, object]] = [
    {"every": "1 day", "at": "09:00", "except_on": "US-NY"},
    {"every": "1 day", "at": "09:00", "except_on": ["XNYS", date(2026, 11, 27)]},
    {"rrule": "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=9;BYMINUTE=0;BYSECOND=0"},
    {"rrule": "DTSTART;TZID=Europe/Berlin:20260105T090000\nRRULE:FREQ=WEEKLY;INTERVAL=2"},
    {"sun": "1 hour before sunset at 40.7, -74.0", "except_on": "US"},
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_calendars_work_in_a_database_and_in_yaml(row: Mapping[str, object]) -> None:
    settings = Settings(tz=ZoneInfo("America/New_York"))
    synced = SyncedEvents(list, timedelta(minutes=1), SendLetterJob, "clock.py:1")

    [of_row] = read_rows(synced, [{"name": "x", "args": ["a"], **row}], settings).events
    entry = entry_in_yaml(Declared("x", {"job": "SendLetterJob", "args": ["a"], **row}, "f:1"), lookup)

    assert entry is not None
    assert entry.declaration(entry.zone or settings.tz).startswith(of_row.declaration.partition(",")[0])
    assert dates(of_row, date(2026, 11, 23), 40)


@pytest.mark.parametrize(
    ("row", "mistake"),
    [
        ({"rrule": "FREQ=DAILY", "cron": "@daily"}, "give one of every, cron, rrule, sun"),
        ({}, "give one of every, cron, rrule, sun"),
        ({"rrule": "FREQ=DAILY", "at": "09:00"}, "rrule takes no at: write BYHOUR and BYMINUTE, or DTSTART"),
        ({"sun": "noon at 1, 2", "at": "09:00"}, "sun takes no at: the sun gives the time"),
        ({"rrule": "DTSTART:20260101T090000Z FREQ=DAILY", "tz": "Asia/Tokyo"}, "has the zone UTC, and tz is"),
    ],
)
def test_a_row_that_does_not_fit_is_refused(row: Mapping[str, object], mistake: str) -> None:
    synced = SyncedEvents(list, timedelta(minutes=1), SendLetterJob, "clock.py:1")

    [error] = read_rows(synced, [{"name": "x", **row}], Settings(tz=ZoneInfo("UTC"))).errors

    assert mistake in str(error)


def test_threads_that_share_a_calendar_see_whole_years() -> None:
    calendar = calendar_of(holidays.country_holidays("US"))
    seen: list[bool] = []

    threads = [Thread(target=lambda: seen.append(calendar(date(2031, 12, 25)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert seen == [True] * 8


def test_a_code_names_a_country_a_part_of_it_or_a_market() -> None:
    christmas, labor_day = date(2026, 12, 25), date(2026, 9, 7)

    assert excepted_days("US")(labor_day)
    assert excepted_days("US-CA")(date(2026, 3, 31))  # Cesar Chavez Day
    assert not excepted_days("US")(date(2026, 3, 31))
    assert excepted_days("XNYS")(labor_day)
    assert not excepted_days("ECB")(labor_day)
    assert excepted_days("ECB")(christmas)


@pytest.mark.parametrize("code", ["DX", "QQQQ", "DX-BY"])
def test_an_unknown_country_is_refused_with_the_accepted_forms(code: str) -> None:
    with pytest.raises(ValueError, match=r"unknown country or market; it must be .* 'DE', 'US-CA' or 'XNYS'$"):
        excepted_days(code)


@pytest.mark.skipif(
    "ZMB" not in holidays.list_supported_countries(), reason="this version has no codes of three letters"
)
def test_close_codes_of_countries_are_named() -> None:
    with pytest.raises(ValueError, match=r"unknown country or market; it must be .* 'XNYS'\. Close: .*ZMB"):
        excepted_days("ZB")


def test_the_closest_part_of_a_country_is_named_or_its_first_ones() -> None:
    first = sorted(holidays.list_supported_countries()["DE"])[:5]

    with pytest.raises(ValueError, match=r": AU has no part 'NSX'; available: NSW\.\.\.$"):
        excepted_days("AU-NSX")
    with pytest.raises(ValueError, match=rf": DE has no part 'XX'; available: {', '.join(first)}\.\.\.$"):
        excepted_days("DE-XX")


@pytest.mark.parametrize(
    ("calendar", "name"),
    [
        (BAVARIA, "holidays of DE-BY"),
        (holidays.country_holidays("US"), "holidays of US"),
        (NEW_YORK, f"holidays of {NEW_YORK.market}"),
        ({date(2026, 12, 25): "Christmas"}, "given days"),
    ],
)
def test_a_calendar_has_the_name_of_its_place(calendar: Mapping[date, str], name: str) -> None:
    assert calendar_of(calendar).__name__ == name


def test_business_days_and_other_days_of_a_month_are_due_together() -> None:
    wanted = tuple(map(parse_month_day, ("2nd business day", "last business day", "last", 1)))
    closed = {date(2027, 1, day) for day in (1, 4, 29)}
    low, high = day_number(date(2027, 1, 1)), day_number(date(2027, 2, 1))

    found = business_days_on(wanted, lambda day: day not in closed).between(low, high)

    assert [date_of(day).day for day in found] == [1, 6, 28, 31]


def test_a_month_without_a_business_day_has_none() -> None:
    rule = business_days_on(
        (parse_month_day("last business day"), parse_month_day(31)), lambda day: day.month != 1
    )
    low = day_number(date(2027, 1, 1))

    assert [date_of(day).isoformat() for day in rule.between(low, low + 59)] == ["2027-01-31", "2027-02-26"]
    assert list(rule.between(low + 30, low + 30)) == []
    assert [*rule.between(low + 30, low + 31)] == [low + 30]
