"""The text of a recurrence rule: its parts, and the days and times that it leaves to its start."""

from datetime import UTC, date, datetime

import pytest

from clock.timetable.triggers.rrule import RuleDays, parse_rrule
from clock.timetable.triggers.zone_offsets import DAY, day_number, to_seconds

START = to_seconds(datetime(2026, 1, 5, 9, 7, 5, tzinfo=UTC))  # a Monday


def seconds(*moment: int) -> int:
    return to_seconds(datetime(*moment, tzinfo=UTC))  # type: ignore[arg-type, misc]  # year, month, day, ...


def test_a_rule_is_parsed_into_its_parts() -> None:
    rule = parse_rrule(
        " DTSTART;TZID=Europe/Berlin:20260105T090705\n rrule:freq=weekly;INTERVAL=3;count=7;byday=mo; "
    )

    assert rule.text == "DTSTART;TZID=Europe/Berlin:20260105T090705 FREQ=WEEKLY;INTERVAL=3;COUNT=7;BYDAY=MO"
    assert rule.parts == (("FREQ", "WEEKLY"), ("INTERVAL", "3"), ("BYDAY", "MO"))
    assert rule.frequency == "WEEKLY"
    assert (rule.start, rule.zone, rule.count, rule.interval) == (START, "Europe/Berlin", 7, 3)
    assert (rule.until, rule.until_utc) == (None, None)


@pytest.mark.parametrize(
    ("text", "start", "zone", "until", "until_utc"),
    [
        ("FREQ=DAILY", None, None, None, None),
        ("DTSTART:20260105T090705Z FREQ=DAILY", START, "UTC", None, None),
        ("DTSTART:20260105T090705 FREQ=DAILY", START, None, None, None),
        ("DTSTART;VALUE=DATE:20260105 FREQ=DAILY", START // DAY * DAY, None, None, None),
        ("FREQ=DAILY;UNTIL=20260105", None, None, START // DAY * DAY + DAY - 1, None),
        ("FREQ=DAILY;UNTIL=20260105T090705", None, None, START, None),
        ("FREQ=DAILY;UNTIL=20260105T090705Z", None, None, None, START),
    ],
)
def test_the_start_and_the_end_of_a_rule(
    text: str, start: int | None, zone: str | None, until: int | None, until_utc: int | None
) -> None:
    rule = parse_rrule(text)

    assert (rule.start, rule.zone, rule.until, rule.until_utc) == (start, zone, until, until_utc)
    assert (rule.count, rule.interval) == (None, 1)


@pytest.mark.parametrize(
    ("name", "accepted", "refused"),
    [
        ("BYMONTH", "1,12", "0 13 -1"),
        ("BYMONTHDAY", "1,31,-1,-31,+5", "0 32 -32 5- --5 +-5 -"),
        ("BYYEARDAY", "1,366,-366", "0 367 -367"),
        ("BYWEEKNO", "1,53,-53", "0 54 -54"),
        ("BYSETPOS", "1,366,-366", "0 367"),
        ("BYHOUR", "0,23", "24 -1 +1"),
        ("BYMINUTE", "0,59", "60"),
        ("BYSECOND", "0,59", "60"),
        ("BYDAY", "MO,1TU,-1WE,+53SU", "100MO MONDAY 1 1-MO"),
    ],
)
def test_a_part_has_bounds(name: str, accepted: str, refused: str) -> None:
    day = "BYDAY=MO;" if name == "BYSETPOS" else ""

    for one in accepted.split(",") if name.startswith(("BYHOUR", "BYMIN", "BYSEC")) else [accepted]:
        assert (name, one) in parse_rrule(f"FREQ=YEARLY;{day}{name}={one}").parts
    for one in refused.split():
        with pytest.raises(ValueError, match=rf"{name} has the invalid value '{one.replace('+', '.')}'"):
            parse_rrule(f"FREQ=YEARLY;{day}{name}={one}")


@pytest.mark.parametrize("name", ["COUNT", "INTERVAL"])
def test_counts_and_intervals_have_bounds(name: str) -> None:
    for accepted in ("1", "10000"):
        assert parse_rrule(f"DTSTART:20260105 FREQ=DAILY;{name}={accepted}")
    for refused in ("0", "10001", "-1", "X", ""):
        with pytest.raises(ValueError, match=f"{name} is '{refused}'; it must be a number from 1 to 10000"):
            parse_rrule(f"DTSTART:20260105 FREQ=DAILY;{name}={refused}")


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("FREQ=DAILY;BYDAY=MO;FREQ=WEEKLY", "FREQ is given twice"),
        ("FREQ=WEEKLY;INTERVAL=2", "INTERVAL needs DTSTART, from which it counts"),
        ("FREQ=MONTHLY;BYDAY=6MO", "BYDAY=6MO: a month has at most 5"),
        ("FREQ=YEARLY;BYDAY=54MO", "BYDAY=54MO: a year has at most 53"),
        ("DTSTART:18991231 FREQ=DAILY", "DTSTART must be in the years 1900 to 9000"),
        ("DTSTART:90010101 FREQ=DAILY", "DTSTART must be in the years 1900 to 9000"),
        ("FREQ=MONTHLY;BYWEEKNO=1", "BYWEEKNO needs FREQ=YEARLY"),
        ("FREQ=MONTHLY;BYSETPOS=1;BYDAY=MO;BYMINUTE=1,2", "BYSETPOS counts days here; give one time of day"),
        ("FREQ=DAILY;BYDAY=1MO", "BYDAY=1MO needs FREQ=MONTHLY or YEARLY"),
        ("FREQ=DAILY;WKST=XX", "WKST is 'XX'; it must be one of MO, TU"),
        ("FREQ=MINUTELY", r"FREQ=MINUTELY is not supported; write every\(n\).minutes"),
        ("DTSTART:20260105T09 FREQ=DAILY", "DTSTART is '20260105T09'; write 20261231T180000, or"),
    ],
)
def test_a_rule_with_a_mistake_is_refused(text: str, mistake: str) -> None:
    with pytest.raises(ValueError, match=f"^{mistake}"):
        parse_rrule(text)


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=MONTHLY;BYDAY=5MO,-5TU",
        "FREQ=YEARLY;BYDAY=53MO,-53TU",
        "FREQ=YEARLY;BYMONTH=2;BYDAY=5MO",
        "DTSTART:19000101 FREQ=DAILY",
        "DTSTART:90001231 FREQ=DAILY",
        "DTSTART:20260105 FREQ=DAILY;INTERVAL=2",
        "FREQ=DAILY;INTERVAL=1",
        "FREQ=MONTHLY;BYSETPOS=1;BYDAY=MO;BYHOUR=1;BYMINUTE=2",
    ],
)
def test_a_rule_at_its_bounds_is_accepted(text: str) -> None:
    assert parse_rrule(text)


@pytest.mark.parametrize(
    ("parts", "times"),
    [
        ("", ["09:07:05"]),
        (";BYHOUR=2,14", ["02:07:05", "14:07:05"]),
        (";BYMINUTE=30,0", ["09:00:05", "09:30:05"]),
        (";BYSECOND=59", ["09:07:59"]),
        (";BYHOUR=0;BYMINUTE=0;BYSECOND=1,0", ["00:00:00", "00:00:01"]),
    ],
)
def test_times_that_are_not_given_are_those_of_the_start(parts: str, times: list[str]) -> None:
    found = parse_rrule(f"FREQ=DAILY{parts}").times(START)

    assert [f"{at // 3600:02}:{at // 60 % 60:02}:{at % 60:02}" for at in found] == times


@pytest.mark.parametrize("time", [0, 59, 60, 3599, 3600, 82_800, 82_859, 86_399])
def test_a_rule_without_times_has_the_time_of_its_start(time: int) -> None:
    assert parse_rrule("FREQ=DAILY").times(START // DAY * DAY + time) == (time,)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("FREQ=DAILY;BYHOUR=1;COUNT=2", "WKST=MO;FREQ=DAILY"),
        ("FREQ=WEEKLY", "WKST=MO;FREQ=WEEKLY;BYDAY=MO"),
        ("FREQ=WEEKLY;WKST=SU;BYDAY=TU", "WKST=SU;FREQ=WEEKLY;BYDAY=TU"),
        ("FREQ=WEEKLY;BYMONTH=3", "WKST=MO;FREQ=WEEKLY;BYMONTH=3;BYDAY=MO"),
        ("FREQ=MONTHLY;BYMINUTE=1", "WKST=MO;FREQ=MONTHLY;BYMONTHDAY=5"),
        ("FREQ=MONTHLY;BYMONTH=3", "WKST=MO;FREQ=MONTHLY;BYMONTH=3;BYMONTHDAY=5"),
        ("FREQ=YEARLY", "WKST=MO;FREQ=YEARLY;BYMONTHDAY=5;BYMONTH=1"),
        ("FREQ=YEARLY;BYMONTH=3", "WKST=MO;FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=5"),
        ("FREQ=YEARLY;BYYEARDAY=1", "WKST=MO;FREQ=YEARLY;BYYEARDAY=1"),
    ],
)
def test_days_that_are_not_given_are_those_of_the_start(text: str, rule: str) -> None:
    assert parse_rrule(text).day_rule(START // DAY) == rule


@pytest.mark.parametrize("interval", [1, 2, 5])
@pytest.mark.parametrize(
    "text",
    [
        "FREQ=DAILY",
        "FREQ=WEEKLY;BYDAY=TU,SU",
        "FREQ=WEEKLY;BYDAY=MO,SU;WKST=SU",
        "FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=1",
        "FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=-2",
        "FREQ=MONTHLY;BYDAY=MO,WE,FR;BYSETPOS=2",
        "FREQ=MONTHLY;BYMONTHDAY=31",
        "FREQ=MONTHLY;BYDAY=-1FR",
        "FREQ=MONTHLY;BYMONTHDAY=1",
        "FREQ=YEARLY;BYYEARDAY=1",
        "FREQ=YEARLY;BYWEEKNO=1,53;BYDAY=MO,SU",
        "FREQ=YEARLY;BYDAY=-1SU",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
    ],
)
@pytest.mark.parametrize("first", [date(2026, 11, 30), date(2026, 12, 2)])  # a Monday and a Wednesday
def test_a_rule_finds_the_same_days_from_each_day(text: str, interval: int, first: date) -> None:
    pytest.importorskip("dateutil.rrule")
    start = day_number(first)
    rule = parse_rrule(f"DTSTART:{first:%Y%m%d} {text};INTERVAL={interval}")
    days = [*RuleDays(rule, start).between(start, start + 8000)]

    for ahead in (
        -9,
        0,
        1,
        9,
        10,
        11,
        30,
        31,
        68,
        69,
        70,
        71,
        140,
        365,
        366,
        397,
        1000,
        1837,
        4000,
        4415,
        5510,
        6600,
        7100,
    ):
        found = [*RuleDays(rule, start).between(start + ahead, start + ahead + 800)]
        assert found == [day for day in days if start + ahead <= day < start + ahead + 800]
        assert rule.aligned(start, start + ahead) <= max(start, start + ahead)
    near = start + 4000 - rule.aligned(start, start + 4000)
    assert near <= 2 * interval * 366
