"""iCalendar's rules, against dateutil's own expansion of the whole rule from its start."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import strategies as st

from clock import testing
from clock.errors import DeclarationError
from clock.timetable import Event, Timetable
from clock.timetable.triggers.rrule import Rrule, RuleDays, parse_rrule
from clock.timetable.triggers.zone_offsets import to_datetime, to_seconds
from tests.timetable.by_the_minute import changes
from tests.timetable.properties import for_all
from tests.timetable.strategies import instants, zones

dateutil = pytest.importorskip("dateutil.rrule")

days = st.sampled_from(["MO", "TU", "SA", "SU"])
ordinals = st.builds("{}{}".format, st.sampled_from(["1", "-1", "2", ""]), days)
PARTS = {
    "YEARLY": [
        *["BYMONTH=3,11", "BYYEARDAY=1,-1,100", "BYWEEKNO=1,20,53;BYDAY=MO", "BYMONTH=2;BYMONTHDAY=29"],
        *["BYDAY=MO;BYSETPOS=10,-1", ""],
    ],
    "MONTHLY": ["", "BYMONTHDAY=31", "BYMONTHDAY=-1,13", "BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "BYMONTH=1,7"],
    "WEEKLY": ["", "BYDAY=SU", "BYDAY=TU,SA;WKST=SU", "BYMONTH=3", "BYDAY=MO,SU;WKST=MO"],
    "DAILY": ["", "BYMONTH=10,11", "BYMONTHDAY=13;BYDAY=FR", "BYDAY=MO,WE"],
}


@st.composite
def rules(draw: st.DrawFn, start: datetime) -> str:
    """A rule that starts at `start`, a naive time."""
    frequency = draw(st.sampled_from(sorted(PARTS)))
    parts = [f"FREQ={frequency}", f"INTERVAL={draw(st.integers(1, 5))}", draw(st.sampled_from(PARTS[frequency]))]
    if frequency in ("YEARLY", "MONTHLY") and draw(st.booleans()):
        parts[2] = f"BYDAY={draw(ordinals)}"
    if "BYSETPOS" not in parts[2]:
        parts.append(draw(st.sampled_from(["", "BYHOUR=2,14;BYMINUTE=30;BYSECOND=0", "BYMINUTE=0,15"])))
    until = start + timedelta(days=draw(st.integers(1, 900)))
    parts.append(draw(st.sampled_from(["", "COUNT=3", "COUNT=40", f"UNTIL={until:%Y%m%dT%H%M%S}"])))
    return f"DTSTART:{start:%Y%m%dT%H%M%S} RRULE:{';'.join(filter(None, parts))}"


def first_instant_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant at which the zone shows `wall`: the first of two, or the end of a gap."""
    instant = wall.replace(tzinfo=zone).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    nights = [night for year in (wall.year - 1, wall.year, wall.year + 1) for night in changes(zone, year)]
    return min(nights, key=lambda night: abs(night - instant))


@for_all(data=st.data(), zone=zones)
def test_a_rule_is_due_when_dateutil_says(data: st.DataObject, zone: ZoneInfo) -> None:
    anchor = data.draw(instants(zone))
    ago = data.draw(st.integers(-400, 4000))
    start = (anchor.astimezone(zone) - timedelta(days=ago)).replace(tzinfo=None)
    text = data.draw(rules(start))
    end = anchor + timedelta(days=500)
    walls = dateutil.rrulestr(text.replace(" ", "\n"))
    expected = [
        first_instant_of(wall, zone)
        for wall in takewhile(lambda wall: wall <= end.replace(tzinfo=None) + DAY, walls)
    ]

    found = Rrule(parse_rrule(text), zone).due_between(
        to_seconds(anchor), to_seconds(end), to_seconds(anchor), None
    )

    assert list(map(to_datetime, found)) == sorted({at for at in expected if anchor < at <= end})


DAY = timedelta(days=1)


@for_all(data=st.data(), zone=zones)
def test_a_rule_gives_the_same_instants_in_steps(data: st.DataObject, zone: ZoneInfo) -> None:
    anchor = to_seconds(data.draw(instants(zone)))
    start = to_datetime(anchor - data.draw(st.integers(0, 10**7))).replace(tzinfo=None)
    trigger = Rrule(parse_rrule(data.draw(rules(start))), zone)
    at_once = list(trigger.due_between(anchor, anchor + 3 * 10**7, anchor, None))
    middle = anchor + data.draw(st.integers(0, 3 * 10**7))

    first = trigger.due_between(anchor, middle, anchor, None)

    assert [*first, *trigger.due_between(middle, anchor + 3 * 10**7, anchor, None)] == at_once


def test_without_dtstart_a_rule_starts_when_it_is_first_seen(declared: Callable[..., Event]) -> None:
    event = declared('rrule("FREQ=MONTHLY;COUNT=2").do(act)', tz="Europe/Berlin")
    anchor = datetime(2026, 11, 24, 11, tzinfo=UTC)

    dues = event.due_between(to_seconds(anchor), to_seconds(anchor) + 10**8, anchor=anchor)

    assert [str(to_datetime(due)) for due in dues] == ["2026-12-24 11:00:00+00:00", "2027-01-24 11:00:00+00:00"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("DTSTART;TZID=Europe/Berlin:20260101T090000 RRULE:FREQ=DAILY", "2026-01-02 08:00:00+00:00"),
        ("DTSTART:20260101T090000Z RRULE:FREQ=DAILY", "2026-01-02 09:00:00+00:00"),
        ("DTSTART;VALUE=DATE:20260101\nrrule:freq=daily;wkst=su", "2026-01-02 05:00:00+00:00"),
        ("FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0;UNTIL=20260102T140000Z", "2026-01-02 14:00:00+00:00"),
        ("FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0;UNTIL=20260102T135959Z", "None"),
        ("FREQ=DAILY;BYHOUR=23;BYMINUTE=0;BYSECOND=0;UNTIL=20260101", "2026-01-02 04:00:00+00:00"),
    ],
)
def test_the_zone_and_the_end_of_a_rule(declared: Callable[..., Event], rule: str, expected: str) -> None:
    event = declared(f"rrule({rule!r}).do(act)")
    anchor = datetime(2026, 1, 1, 15, tzinfo=UTC)  # 10:00 in New York

    assert str(event.next_after(anchor, anchor=anchor)) == expected


@pytest.mark.parametrize(
    ("rule", "mistake"),
    [
        ("FREQ=HOURLY", r"FREQ=HOURLY is not supported; write every\(n\).hours or a cron expression"),
        ("FREQ=MONTHLY;BYDAY=53MO", "BYDAY=53MO: a month has at most 5 of each weekday"),
        ("FREQ=YEARLY;BYMONTH=2;BYDAY=TU,-6MO", "BYDAY=TU,-6MO: a month has at most 5"),
        ("FREQ=YEARLY;BYDAY=60MO", "BYDAY=60MO: a year has at most 53 of each weekday"),
        ("FREQ=YEARLY;BYDAY=FR,-54MO", "BYDAY=FR,-54MO: a year has at most 53 of each weekday"),
        ("FREQ=DAILY;BYDAY=MO;FREQ=WEEKLY", "FREQ is given twice"),
        ("DTSTART:00010105T090000 RRULE:FREQ=DAILY", "DTSTART must be in the years 1900 to 9000"),
        ("DTSTART:99990105T090000 RRULE:FREQ=DAILY", "DTSTART must be in the years 1900 to 9000"),
        ("FREQ=FORTNIGHTLY", "FREQ is 'FORTNIGHTLY'; it must be one of YEARLY, MONTHLY, WEEKLY, DAILY"),
        ("BYDAY=MO", "FREQ is ''"),
        ("FREQ=WEEKLY;INTERVAL=2", "INTERVAL needs DTSTART"),
        ("FREQ=WEEKLY;BYDAYS=MO", "unknown part 'BYDAYS=MO'; available: FREQ"),
        ("FREQ=WEEKLY;BYDAY=XX", "BYDAY has the invalid value 'XX'"),
        ("FREQ=WEEKLY;BYDAY=1MO", "BYDAY=1MO needs FREQ=MONTHLY or YEARLY"),
        ("FREQ=DAILY;BYHOUR=24", "BYHOUR has the invalid value '24'"),
        ("FREQ=DAILY;BYHOUR=-1", "BYHOUR has the invalid value '-1'"),
        ("FREQ=DAILY;BYHOUR=", "BYHOUR has the invalid value ''"),
        ("FREQ=DAILY;COUNT=0", "COUNT is '0'; it must be a number from 1"),
        ("FREQ=DAILY;COUNT=5;UNTIL=20270101", "give either COUNT or UNTIL"),
        ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL is 'TOMORROW'; write 20261231T180000"),
        ("FREQ=DAILY;UNTIL=20261399", "UNTIL is '20261399'"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "no day matches all of its parts"),
        ("DTSTART:20260101T000000 FREQ=DAILY;INTERVAL=7;BYDAY=MO", "no day matches"),
        ("DTSTART;TZID=Mars/Base:20260101T000000 FREQ=DAILY", "unknown time zone 'Mars/Base'"),
        ("FREQ=MONTHLY;BYSETPOS=1;BYDAY=MO;BYHOUR=1,2", "BYSETPOS counts days here; give one time of day"),
        ("", "unknown part ''"),
        (7, "it must be a string"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_line(
    load_lines: Callable[[str], Timetable], rule: object, mistake: str
) -> None:
    with pytest.raises(DeclarationError, match=rf"clock.py:5: .*{mistake}"):
        load_lines(f"rrule({rule!r}).do(act)")


def test_a_zone_is_given_once(load_lines: Callable[[str], Timetable]) -> None:
    with pytest.raises(DeclarationError, match="rrule has the zone UTC, and tz is 'Asia/Tokyo'; give one"):
        load_lines("rrule('DTSTART:20260101T090000Z RRULE:FREQ=DAILY', tz='Asia/Tokyo').do(act)")


@pytest.mark.parametrize(
    ("declaration", "text"),
    [
        (
            "rrule('FREQ=DAILY').do(act)",
            "rrule needs the package `python-dateutil`: pip install",
        ),
        ("sun('noon at 1, 2').do(act)", "sun needs the package `astral`: pip install 'clockd.calendars.'"),
        ("every().day.except_on('DE').do(act)", "need the package `holidays`: pip install 'clockd.calendars.'"),
    ],
)
def test_a_missing_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, load_lines: Callable[[str], Timetable], declaration: str, text: str
) -> None:
    for package in ("dateutil", "astral", "holidays"):
        monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(DeclarationError, match=f"clock.py:5: .*{text}"):
        load_lines(declaration)


def test_a_rule_is_caught_up_across_a_dst_transition() -> None:
    timetable = testing.loads(
        "from clock import configure, rrule\nconfigure(tz='America/New_York')\n"
        "rrule('FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0').named('night').catch_up('all').do(print)\n"
    )
    start, end = datetime(2026, 3, 7, 0, tzinfo=UTC), datetime(2026, 3, 10, 0, tzinfo=UTC)
    down = datetime(2026, 3, 8, 6, 50, tzinfo=UTC), datetime(2026, 3, 8, 7, 30, tzinfo=UTC)

    history = testing.run(timetable, start_time=start, end_time=end, downtime=[down])

    dues = [due.astimezone(UTC).isoformat() for due in history.fires("night")]
    assert dues == ["2026-03-07T07:30:00+00:00", "2026-03-08T07:00:00+00:00", "2026-03-09T06:30:00+00:00"]


def test_the_start_of_a_rule_is_its_first_instant() -> None:
    start = to_seconds(datetime(2026, 1, 5, 9, tzinfo=UTC))
    rule = parse_rrule("DTSTART:20260105T090000 RRULE:FREQ=DAILY;BYHOUR=8,9,10;BYMINUTE=0;BYSECOND=0")
    trigger = Rrule(rule, ZoneInfo("UTC"))

    found = trigger.due_between(start - 10**6, start + 86_400, start - 10**6, None)

    assert [due - start for due in found] == [0, 3600, 82_800, 86_400]
    assert list(trigger.due_between(start - 1, start, start - 10, None)) == [start]
    assert list(trigger.due_between(start - 1, start, start, None)) == []


@pytest.mark.parametrize(
    ("rule", "first_seen", "expected"),
    [
        ("DTSTART:20260105T090000 RRULE:FREQ=DAILY;BYHOUR=8,9;COUNT=3", -100, [0, 82_800, 86_400]),
        ("RRULE:FREQ=DAILY;BYHOUR=9;BYSECOND=0;BYMINUTE=0;COUNT=2", -1, [0, 86_400]),
        ("RRULE:FREQ=DAILY;BYHOUR=9;BYSECOND=0;BYMINUTE=0;COUNT=2", 0, [86_400, 172_800]),
    ],
)
def test_a_count_begins_with_the_first_due_instant(rule: str, first_seen: int, expected: list[int]) -> None:
    start = to_seconds(datetime(2026, 1, 5, 9, tzinfo=UTC))
    anchor = start + first_seen

    found = Rrule(parse_rrule(rule), ZoneInfo("UTC")).due_between(anchor, start + 10**6, anchor, None)

    assert [due - start for due in found] == expected


def test_the_days_of_a_rule_are_those_before_the_end_of_the_search() -> None:
    days = RuleDays(parse_rrule("FREQ=DAILY"), 20_000)

    assert list(days.between(19_998, 20_003)) == [20_000, 20_001, 20_002]
    assert list(days.between(20_001, 20_002)) == [20_001]


@pytest.mark.parametrize(("month", "day"), [(1, 10), (2, 10), (12, 31)])
def test_a_yearly_rule_is_due_on_its_day_when_it_is_searched_years_later(month: int, day: int) -> None:
    first, later = (to_seconds(datetime(year, month, day, tzinfo=UTC)) // 86_400 for year in (2016, 2024))

    found = RuleDays(parse_rrule("FREQ=YEARLY"), first).between(later - 5, later + 5)

    assert list(found) == [later]
