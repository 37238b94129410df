"""What our cron expressions accept beyond the `cronsim` package, and what they refuse."""

from calendar import monthrange
from datetime import UTC, date, datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import strategies as st

from clock.timetable.clock_file.rows.yaml_events import as_debians
from clock.timetable.explanation import cron_prose
from clock.timetable.triggers.cron import Cron, read, split_zone
from clock.timetable.triggers.cron_fields import days_of_month, weekdays
from clock.timetable.triggers.zone_offsets import FOREVER, to_datetime, to_seconds
from tests.timetable.month_shapes import Rule, by_the_rule, nth, on, selected
from tests.timetable.properties import for_all

DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


def due(expression: str, count: int = 4) -> list[str]:
    """The first instants from 1 December 2026, a Tuesday, on."""
    start = to_seconds(DECEMBER) - 1
    found = Cron(expression, ZoneInfo("UTC")).due_between(start, start + 800 * 86_400, start, None)
    return [f"{to_datetime(instant):%d %b %H:%M}" for instant in islice(found, count)]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 9 * * fri-mon", "04 Dec 09:00, 05 Dec 09:00, 06 Dec 09:00, 07 Dec 09:00"),
        ("0 9 * * sat-sun", "05 Dec 09:00, 06 Dec 09:00, 12 Dec 09:00, 13 Dec 09:00"),
        ("0 9 * * mon-sun", "01 Dec 09:00, 02 Dec 09:00, 03 Dec 09:00, 04 Dec 09:00"),
        ("0 9 * * 6-7", "05 Dec 09:00, 06 Dec 09:00, 12 Dec 09:00, 13 Dec 09:00"),
        ("0 22-2 * * *", "01 Dec 00:00, 01 Dec 01:00, 01 Dec 02:00, 01 Dec 22:00"),
        ("0 20-2/3 * * *", "01 Dec 02:00, 01 Dec 20:00, 01 Dec 23:00, 02 Dec 02:00"),
        ("58-1 0 * * *", "01 Dec 00:00, 01 Dec 00:01, 01 Dec 00:58, 01 Dec 00:59"),
        ("0 0 1 nov-feb *", "01 Dec 00:00, 01 Jan 00:00, 01 Feb 00:00, 01 Nov 00:00"),
        ("0 0 30-1 * *", "01 Dec 00:00, 30 Dec 00:00, 31 Dec 00:00, 01 Jan 00:00"),
        ("0 24 2 * *", "02 Dec 00:00, 02 Jan 00:00, 02 Feb 00:00, 02 Mar 00:00"),
        ("0 22-24 * * *", "01 Dec 00:00, 01 Dec 22:00, 01 Dec 23:00, 02 Dec 00:00"),
        ("0 6 * january monday", "04 Jan 06:00, 11 Jan 06:00, 18 Jan 06:00, 25 Jan 06:00"),
        ("0 0 ? * MON", "07 Dec 00:00, 14 Dec 00:00, 21 Dec 00:00, 28 Dec 00:00"),
        ("/20 * * * *", "01 Dec 00:00, 01 Dec 00:20, 01 Dec 00:40, 01 Dec 01:00"),
        ("?/30 * * * *", "01 Dec 00:00, 01 Dec 00:30, 01 Dec 01:00, 01 Dec 01:30"),
        ("0 20/2 * * *", "01 Dec 20:00, 01 Dec 22:00, 02 Dec 20:00, 02 Dec 22:00"),
        ("0 6-6 * * *", "01 Dec 06:00, 02 Dec 06:00"),
        ("0 9 last * *", "31 Dec 09:00, 31 Jan 09:00, 28 Feb 09:00, 31 Mar 09:00"),
        ("0 9 -2 * *", "30 Dec 09:00, 30 Jan 09:00, 27 Feb 09:00, 30 Mar 09:00"),
        ("0 9 -2-L * *", "30 Dec 09:00, 31 Dec 09:00, 30 Jan 09:00, 31 Jan 09:00"),
        ("0 9 30-L * *", "30 Dec 09:00, 31 Dec 09:00, 30 Jan 09:00, 31 Jan 09:00"),
        ("0 9 1,-1 * *", "01 Dec 09:00, 31 Dec 09:00, 01 Jan 09:00, 31 Jan 09:00"),
        ("0 9 * * mon#-1", "28 Dec 09:00, 25 Jan 09:00, 22 Feb 09:00, 29 Mar 09:00"),
        ("0 9 * * tue#L", "29 Dec 09:00, 26 Jan 09:00, 23 Feb 09:00, 30 Mar 09:00"),
        ("0 9 * * mon#-2", "21 Dec 09:00, 18 Jan 09:00, 15 Feb 09:00, 22 Mar 09:00"),
        ("0 9 * * L5", "25 Dec 09:00, 29 Jan 09:00, 26 Feb 09:00, 26 Mar 09:00"),
        ("0 9 * * friL", "25 Dec 09:00, 29 Jan 09:00, 26 Feb 09:00, 26 Mar 09:00"),
        ("0 9 * * mon-wed#1", "01 Dec 09:00, 02 Dec 09:00, 07 Dec 09:00, 04 Jan 09:00"),
        ("0 9 15W * *", "15 Dec 09:00, 15 Jan 09:00, 15 Feb 09:00, 15 Mar 09:00"),
        ("0 9 1W 5 *", "03 May 09:00, 01 May 09:00"),
        ("0 9 31W 1 *", "29 Jan 09:00, 31 Jan 09:00"),
        ("59 6 1-7& * 2", "01 Dec 06:59, 05 Jan 06:59, 02 Feb 06:59, 02 Mar 06:59"),
        ("59 6 1-7 * 2&", "01 Dec 06:59, 05 Jan 06:59, 02 Feb 06:59, 02 Mar 06:59"),
        ("@noon", "01 Dec 12:00, 02 Dec 12:00, 03 Dec 12:00, 04 Dec 12:00"),
    ],
)
def test_what_fugit_croniter_and_quartz_accept_is_due_as_there(expression: str, expected: str) -> None:
    assert due(expression, expected.count(",") + 1) == expected.split(", ")


@pytest.mark.parametrize("weekday", ["sun", "mon", "tue", "wed", "thu", "fri", "sat"])
def test_days_that_only_one_kind_of_year_has_are_accepted(weekday: str) -> None:
    """29 February is in leap years, and only in others the last Monday of February is the 22nd."""
    for days in (f"29& 2 {weekday}", f"22& 2 {weekday}L"):
        start = to_seconds(datetime(2000, 3, 1, tzinfo=UTC))
        found = Cron(f"0 9 {days}", ZoneInfo("UTC")).due_between(start, start + 28 * 366 * 86_400, start, None)
        assert {to_datetime(instant).day for instant in found} == {int(days[:2])}


def test_a_sixth_field_before_the_others_selects_seconds() -> None:
    start = to_seconds(DECEMBER) - 1

    found = Cron("40,10 30 6 * * *", ZoneInfo("UTC")).due_between(start, start + 2 * 86_400, start, None)

    assert [f"{to_datetime(instant):%d %H:%M:%S}" for instant in found] == [
        "01 06:30:10",
        "01 06:30:40",
        "02 06:30:10",
        "02 06:30:40",
    ]


@pytest.mark.parametrize(
    ("expression", "of_23_hours", "of_25_hours"),
    [
        ("30 2 * * *", 1, 1),
        ("*/30 2 * * *", 0, 4),
        ("?/30 2 * * *", 0, 4),
        ("/30 2 * * *", 0, 4),
        ("30 * * * *", 23, 25),
        ("0,30 2 * * *", 1, 2),
    ],
)
def test_a_minute_or_an_hour_that_begins_with_a_star_is_due_in_every_real_hour(
    expression: str, of_23_hours: int, of_25_hours: int
) -> None:
    zone = ZoneInfo("Europe/Berlin")

    def count(month: int, day: int) -> int:
        begin, end = (to_seconds(datetime(2026, month, day + more, tzinfo=zone)) - 1 for more in (0, 1))
        return len(list(Cron(expression, zone).due_between(begin, end, begin, None)))

    assert (count(3, 29), count(10, 25)) == (of_23_hours, of_25_hours)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            "0 9 * * mon%2",
            "weekday is 'mon%2'; every other week is not supported; write every: 2 weeks, at: 'Monday",
        ),
        ("0 9 L-3 * *", "day of month is 'l-3'; write -4 for the day 3 days before the last"),
        ("H 9 * * *", "H and R are not supported; write a number, and use .spread"),
        ("R(0-30) 9 * * *", "H and R are not supported"),
        ("0 0 1 1 * 0 2030", "a year field is not supported; use until"),
        ("every 3 hours", "sentences are not supported; write a cron expression, or a period under every"),
        ("0 9 * * * Europe/Berlin", "it ends with the zone Europe/Berlin; pass the zone as tz"),
        ("0 5 * * * +09:00", "it ends with the zone +09:00; pass the zone as tz"),
        ("@fortnightly", "use @hourly, @daily"),
        ("@reboot", "nothing runs because a process starts; call the function in a release step"),
        ("@every 5m", "@every is not supported; write a period, such as every(5).minutes"),
        ("CRON_TZ=Asia/Tokyo 0 6 * * *", "it starts with the zone Asia/Tokyo; pass the zone as tz"),
        ("TZ=Europe/London\n0 6 * * *", "it starts with the zone Europe/London; pass the zone as tz"),
        ("cron(0 10 * * ? *)", "write the five fields alone, or a period such as every(5).minutes"),
        ("rate(5 minutes)", "write the five fields alone, or a period such as every(5).minutes"),
        ("0 6 * * * # daily", "comments are not supported; use .describe(...)"),
        ("0 6 * * * root /usr/bin/backup", "it has 7 fields; it must have five, or six with seconds first"),
        ("0 0 6 * * ? 2030-2035", "a year field is not supported; use until"),
        ("0~59 3 * * *", "~ is not supported; write a number, and use .spread(...) to spread events"),
        ("0 25 * * *", "hour is '25'; must be 0 to 23"),
        ("0 0 * 13 *", "month is '13'; must be 1 to 12 or jan to dec."),
        ("0 0 * * 8", "weekday is '8'; must be 0 to 6 or sun to sat."),
        ("0 0 1,,2 * *", "day of month is ''; must be 1 to 31"),
        ("0 0 / * /", "day of month is '/'; must be 1 to 31"),
        ("0 0 / * *", "day of month is '/'; must be 1 to 31"),
        ("0 0 * * /", "weekday is '/'; must be 0 to 6 or sun to sat"),
        ("*/0 * * * *", "minute is '*/0'; a step must be 1 or more"),
        (
            "0 0 -3--5 * *",
            "day of month is '-3--5'; a range from the end must end later than it starts, as in -7-L",
        ),
        ("0 0 -5/2 * *", "day of month is '-5/2'; a step from the end of the month needs a range, as in -7-L/2"),
        ("0 0 l/2 * *", "day of month is 'l/2'; a step from the end of the month needs a range, as in -7-L/2"),
        ("0 0 5#2 * *", "day of month is '5#2'; must be 1 to 31"),
        ("0 0 -32 * *", "days from the end must be -31 to -1, or L"),
        ("0 0 -0 * *", "days from the end must be -31 to -1, or L"),
        ("0 0 -7-15 * *", "days from the end must be -31 to -1, or L"),
        ("0 0 30 2 *", "none of the expression's months has such a day"),
        ("0 0 31W 2,4 *", "day of month is '31w'; none of the expression's months has such a day"),
        ("0 0 -31--30 2 *", "none of the expression's months has such a day"),
        ("0 0 22 1 L5&", "day of month is '22' and weekday 'l5'; no day of the months is both"),
        ("0 0 */14 2 mon#2&", "day of month is '*/14' and weekday 'mon#2'; no day of the months is both"),
        ("0 0 31 2 mon&", "day of month is '31'; none of the expression's months has such a day"),
        ("0 0 * * mon#0", "the number after # must be 1 to 5, or -1 to -5 from the end of the month"),
        ("0 0 * * mon#6", "the number after # must be 1 to 5, or -1 to -5 from the end of the month"),
        ("0 \u0663 * * *", "hour is"),
        ("-5 * * * *", "minute is '-5'"),
    ],
)
def test_what_is_not_supported_is_refused_with_what_to_write(expression: str, message: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011  # the message is compared
        read(expression)

    assert message in f"{error.value}."


def nearest_weekday(number: int) -> Rule:
    """The weekday nearest to that day of the month, if the month has such a day."""

    def rule(days: list[date]) -> list[date]:
        near = sorted(on(*range(5))(days), key=lambda day: abs(day.day - number))
        return near[:1] if number <= len(days) else []

    return rule


@pytest.mark.parametrize(
    ("term", "rule"),
    [
        ("lw", on(*range(5), place=nth(-1))),
        *((f"{number}w", nearest_weekday(number)) for number in (1, 2, 3, 15, 28, 29, 30, 31)),
        *((f"-{number}", lambda days, number=number: days[nth(-number)]) for number in range(1, 28)),
        ("last", lambda days: days[-1:]),
        ("-30", lambda days: days[nth(-30)] if len(days) >= 30 else []),
        ("-31", lambda days: days[:1] if len(days) == 31 else []),
        ("-7-l", lambda days: days[-7:]),
        ("-7--3", lambda days: days[-7:-2]),
        ("-7--7", lambda days: days[-7:-6]),
        ("-9-l/3", lambda days: days[-9::3]),
    ],
)
def test_days_of_the_month_are_those_that_a_calendar_shows(term: str, rule: Rule) -> None:
    assert selected(days_of_month(term)) == by_the_rule(rule)


@pytest.mark.parametrize(
    ("term", "rule"),
    [
        *((term, on(6)) for term in ("0", "7", "sun", "sunday", "7-7")),
        *((term, on(4, place=nth(-1))) for term in ("5l", "l5", "fril", "fri#l", "fri#last", "fri#-1")),
        *((term, on(6, place=nth(-1))) for term in ("0l", "7l", "l7", "sunl", "7#l", "sun#-1")),
        *((term, on(6, place=nth(2))) for term in ("0#2", "7#2", "sun#2")),
        *((f"wed#{number}", on(2, place=nth(number))) for number in range(1, 6)),
        *((f"wed#-{number}", on(2, place=nth(-number))) for number in range(1, 5)),
        ("wed#-5", lambda days: on(2, place=nth(1))(days) if len(on(2)(days)) == 5 else []),
    ],
)
def test_weekdays_are_those_that_a_calendar_shows(term: str, rule: Rule) -> None:
    assert selected(weekdays(term)) == by_the_rule(rule)


@pytest.mark.parametrize("month", range(1, 13))
def test_a_month_has_its_longest_day_and_no_later_one(month: int) -> None:
    longest = monthrange(2028, month)[1]

    assert read(f"0 0 {longest} {month} *")
    for later in range(longest + 1, 32):
        with pytest.raises(ValueError, match=f"'{later}'; none of the expression's months has such a day"):
            read(f"0 0 {later} {month} *")


numbers = st.integers(0, 23)
wrapped = st.builds(lambda start, stop: f"0 {start}-{stop} * * *", numbers, numbers)


@for_all(expression=wrapped)
def test_a_range_that_wraps_is_the_two_ranges_that_it_stands_for(expression: str) -> None:
    start, _, stop = expression.split()[1].partition("-")
    both = f"0 {start}-23,0-{stop} * * *" if int(start) > int(stop) else expression

    assert due(expression, 30) == due(both, 30)


@pytest.mark.parametrize(
    ("expression", "days"),
    [
        ("0 0 */2 * 1-5", "1 2 3 4 5 7 8 9 10 11"),  # either day field, though one begins with a star
        ("0 0 */2 * 1-5&", "1 3 7 9 11 15 17 21 23 25"),
        ("0 0 1-31 * 1", "7 14 21 28"),  # all days are no restriction
        ("0 0 1 * 3/2", "1 2 9 16 23 30"),  # Wednesday alone
        ("0 0 13 * 5", "4 11 13 18 25"),
        ("0 0 0 */2 * 1-5", "1 2 3 4 5 7 8 9 10 11"),  # with seconds
        ("@weekly", "6 13 20 27"),
        ("0 0 * * 1-5", "1 2 3 4 7 8 9 10 11 14"),
    ],
)
def test_rubys_expressions_are_due_as_fugit_says(expression: str, days: str) -> None:
    expected = days.split()

    assert [str(int(one[:2])) for one in due(as_debians(expression), len(expected))] == expected


@pytest.mark.parametrize(
    "expression", ["0 0 */2 *", "0 0 */2 * *", "0 0 0 */2 * 1-5 2027", "0 0 1 * mon#2", "@daily", "15 0 0 * * 7"]
)
def test_rubys_expressions_that_debian_reads_alike_stay_as_they_are(expression: str) -> None:
    assert as_debians(expression) == expression


def test_the_months_of_an_expression_are_kept() -> None:
    assert due("0 0 * feb-dec *", 33)[30:] == ["31 Dec 00:00", "01 Feb 00:00", "02 Feb 00:00"]
    assert due("0 0 * 2 *", 29)[::28] == ["01 Feb 00:00", "01 Feb 00:00"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 6 * * 1 Europe/Berlin", ("0 6 * * 1", "Europe/Berlin")),
        ("0 0 6 * * 1 UTC", ("0 0 6 * * 1", "UTC")),
        ("0 0 9 * * MON", ("0 0 9 * * MON", "")),
        ("0 5 * * * Z", ("0 5 * * *", "Z")),
        ("0 5 * * 1 utc", ("0 5 * * 1", "utc")),
        ("0 5 * * 1 europe/berlin", ("0 5 * * 1", "europe/berlin")),
        ("0 5 * * * +09:00", ("0 5 * * *", "+09:00")),
        ("0 5 * * * America/Argentina/Buenos_Aires", ("0 5 * * *", "America/Argentina/Buenos_Aires")),
        ("0 5 * * * Etc/GMT+3", ("0 5 * * *", "Etc/GMT+3")),
        ("0 5 * * * EST5EDT", ("0 5 * * *", "EST5EDT")),
        ("0 5 L * * JST", ("0 5 L * *", "JST")),
        ("@daily Asia/Tokyo", ("@daily", "Asia/Tokyo")),
        ("0 0 * * SUN", ("0 0 * * SUN", "")),
        ("0 9 * * Europe/Berlin", ("0 9 * * Europe/Berlin", "")),  # a field is missing
    ],
)
def test_a_zone_behind_an_expression_is_told_from_a_weekday(text: str, expected: tuple[str, str]) -> None:
    assert split_zone(text) == expected


ENDINGS = [(2, "nd"), (3, "rd"), (4, "th"), (11, "th"), (12, "th"), (13, "th"), (21, "st"), (22, "nd"), (23, "rd")]


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("*/90 * * * *", "At the start of every hour"),
        ("0 9 * * mon-fri", "At 09:00 on Monday through Friday"),
        ("15,45 30 2 * * *", "At 02:30:15 and 02:30:45 every day"),
        ("*/20 * * * * *", "Every 20th second of every minute"),
        ("0 9 * * sat-sun", "At 09:00 on Saturday and Sunday"),
        ("0 9 * * 7", "At 09:00 on Sunday"),
        ("0 9 * * 6-7", "At 09:00 on Saturday and Sunday"),
        ("0 9 * * sat-mon", "At 09:00 on Monday, Saturday, and Sunday"),
        ("0 9 * * 7,fri-mon", "At 09:00 on Monday, Friday, Saturday, and Sunday"),
        ("0 0 ? * ?", "At 00:00 every day"),
        ("?/15 * * * *", "Every 15th minute of every hour"),
        ("/20 * * * *", "Every 20th minute of every hour"),
        ("0 22-2 * * *", "At minute 0 past hours 0, 1, 2, 22, and 23"),
        ("0 24 2 * *", "At 00:00 on the second day of every month"),
        ("0 9 L * *", "At 09:00 on the last day of every month"),
        ("0 9 -1 * *", "At 09:00 on the last day of the month"),
        *((f"0 9 -{n} * *", f"At 09:00 on the {n}{end} to last day of the month") for n, end in ENDINGS),
        ("0 9 -2-L * *", "At 09:00 on the days from the 2nd to last day to the last day of the month"),
        ("0 9 -7--3 * *", "At 09:00 on the days from the 7th to last day to the 3rd to last day of the month"),
        (
            "0 9 -9-L/3 * *",
            "At 09:00 on every 3rd of the days from the 9th to last day to the last day of the month",
        ),
        ("0 9 -7/2 * *", "At 09:00 on the 7th to last day of the month"),
        (
            "0 9 1-9/4,-1 * *",
            "At 09:00 on every 4th of the days from day 1 to day 9 of the month and the last day of the month",
        ),
        (
            "0 9 5/11,-2 * *",
            "At 09:00 on every 11th of the days from day 5 to the last day of the month "
            "and the 2nd to last day of the month",
        ),
        ("0 9 15W * *", "At 09:00 on the weekday nearest to day 15 of the month"),
        ("0 9 LW,* * *", "At 09:00 on the last weekday of the month and every day of month"),
        (
            "0 9 LW,15W * *",
            "At 09:00 on the last weekday of the month and the weekday nearest to day 15 of the month",
        ),
        ("0 9 */2,-1 * *", "At 09:00 on every 2nd day of the month and the last day of the month"),
        ("0 9 * * mon#-1", "At 09:00 on the last Monday of the month"),
        ("0 9 * * mon#-2", "At 09:00 on the 2nd to last Monday of the month"),
        ("0 9 * * mon#2", "At 09:00 on the second Monday of the month"),
        ("0 9 * * L5", "At 09:00 on the last Friday of the month"),
        ("0 9 * 6 fri#L", "At 09:00 in June on the last Friday of the month"),
        ("0 9 * * mon-wed#1", "At 09:00 on the 1st Monday through Wednesday of the month"),
        ("0 9 * * mon-tue#5", "At 09:00 on the 5th Monday and Tuesday of the month"),
        ("0 9 * * fri-sun,tue#-1", "At 09:00 on Friday through Sunday and the last Tuesday of the month"),
        (
            "0 9 15W * 1/2",
            "At 09:00 on the weekday nearest to day 15 of the month or Monday, Wednesday, Friday and Sunday",
        ),
        (
            "0 9 1-7& * mon#-2",
            "At 09:00 on the days from day 1 to day 7 of the month "
            "if it is also the 2nd to last Monday of the month",
        ),
        (
            "0 9 */2 * mon#-2",
            "At 09:00 on every 2nd day of the month if it is also the 2nd to last Monday of the month",
        ),
        (
            "0 0 1,15W * 1",
            "At 00:00 on day 1 of the month and the weekday nearest to day 15 of the month or Monday",
        ),
        ("0 9 22,23,21 * *", "At 09:00 on the 22nd, the 23rd, and the 21st day of month"),
    ],
)
def test_an_expression_is_explained_in_words(expression: str, words: str) -> None:
    assert cron_prose(expression) == words


def _terms(*terms: str) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(terms), min_size=1, max_size=3).map(",".join)


@for_all(
    day=_terms("*", "?", "*/2", "/3", "5", "20-4", "3/9", "1-9/4", "L", "LW", "15W", "-2", "-7-L", "9-L/3"),
    weekday=_terms("*", "?", "*/2", "/3", "1/2", "7", "fri-mon", "7-2/2", "mon-wed#1", "sun#-1", "L5", "2L"),
    time=_terms("*", "?", "*/2", "/7", "5", "20-4/3", "22/1"),
)
def test_every_expression_that_is_accepted_has_words(day: str, weekday: str, time: str) -> None:
    assert cron_prose(f"{time} {time} {day} nov-feb {weekday}")


def test_what_cronsim_knows_is_explained_in_its_words() -> None:
    for expression in ("*/5 9-17 * * mon-fri", "0 0 L * *", "30 6 21,22 * *", "0 0 * * 5L"):
        assert cron_prose(expression).split()[:2] == CronSim(expression, DECEMBER).explain().split()[:2]


@pytest.mark.parametrize("weekday", range(7))
def test_a_day_that_only_one_shape_of_year_has_is_found(weekday: int) -> None:
    """29 February occurs in leap years; 22 February is a last weekday in the other years."""
    for expression in (f"0 0 29 2 {weekday}&", f"0 0 22 2 {weekday}#-1&"):
        first = next(iter(Cron(expression, UTC).due_between(0, FOREVER, 0, None)))
        assert to_datetime(first).isoweekday() % 7 == weekday
