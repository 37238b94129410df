"""Timelines: firings as data, drawn, listed and compared."""

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from clock import testing
from clock.errors import ConfigurationError, UnknownEvent
from clock.testing import Timeline

Update = Callable[[bool], None]
BERLIN = ZoneInfo("Europe/Berlin")
CLOCK_FILE = """
from clock import configure, cron, every
configure(tz="Europe/Berlin")
every().day.at("02:30").do(print).named("nightly")
every().monday.at(["09:00", "09:30"]).do(print).named("mondays")
every(10).minutes.do(print).named("often")
cron("0 0 29 2 *").do(print).named("never")
"""


@pytest.fixture
def october() -> Timeline:
    """The week in which Berlin's summer time ends."""
    timetable = testing.loads(CLOCK_FILE)
    return testing.run(timetable, start_time=datetime(2026, 10, 20), end_time=datetime(2026, 10, 27)).timeline


def test_a_part_of_it_is_a_timeline_too(october: Timeline) -> None:
    monday = october.between(datetime(2026, 10, 26), datetime(2026, 10, 27)).only("mondays")

    assert [(firing.at.hour, firing.at.minute, firing.event) for firing in monday] == [
        (9, 0, "mondays"),
        (9, 30, "mondays"),
    ]


def test_days_are_counted_by_the_calendar_of_the_zone(october: Timeline) -> None:
    counts = october.only("often").per_day()

    assert counts[date(2026, 10, 24)] == 144
    assert counts[date(2026, 10, 25)] == 150, "this day has 25 hours"


def test_a_day_without_firings_counts_none(october: Timeline) -> None:
    assert october.only("mondays").per_day()[date(2026, 10, 22)] == 0


def test_the_longest_gap_comes_first_and_is_told_in_elapsed_time(october: Timeline) -> None:
    longest, *others = october.gaps("nightly")

    assert (longest.begin.day, longest.length) == (25, timedelta(hours=25))
    assert {gap.length for gap in others} == {timedelta(hours=24)}


def test_the_busiest_window_is_found_with_its_events(october: Timeline) -> None:
    busiest = october.busiest(timedelta(hours=1))

    assert (busiest.begin, busiest.count) == (datetime(2026, 10, 26, 8, 40, tzinfo=BERLIN), 8)
    assert set(busiest.events) == {"often", "mondays"}


def test_an_empty_timeline_has_no_busiest_window(october: Timeline) -> None:
    with pytest.raises(ValueError, match="nothing fires"):
        october.only("never").busiest(timedelta(hours=1))


def test_a_window_without_a_length_is_refused(october: Timeline) -> None:
    with pytest.raises(ValueError, match="it must be a length of time"):
        october.busiest(timedelta(0))


def test_a_question_about_an_unknown_event_lists_those_there_are(october: Timeline) -> None:
    for question in (october.gaps, october.only):
        with pytest.raises(UnknownEvent, match="did you mean 'nightly'"):
            question("nigthly")


def test_json_holds_all_of_it(october: Timeline) -> None:
    found = json.loads(october.to_json())

    assert len(found["firings"]) == len(october)
    assert found["firings"][0] == {"at": "2026-10-20T00:10:00+02:00", "event": "often"}
    assert (found["zone"], found["events"][-1]) == ("Europe/Berlin", "never")


def test_the_drawing_is_whole_xml_and_marks_the_night_of_changed_clocks(october: Timeline) -> None:
    drawing = october.svg()

    titles = [element.text for element in ElementTree.fromstring(drawing).iter() if element.tag.endswith("title")]  # noqa: S314  # our own
    assert "nightly: 2026-10-25 02:30" in titles
    assert "Sun 25 Oct 2026: the times from 02:00 to 03:00 occur twice" in titles


def drawn(zone: str, start: datetime, end: datetime) -> Timeline:
    there = ZoneInfo(zone)
    rows = [(int(start.timestamp()), "e")]
    return Timeline(rows, ["e"], start=start.astimezone(there), end=end.astimezone(there), zone=there)


def test_an_hour_before_midnight_that_occurs_twice_belongs_to_the_day_that_ends() -> None:
    """In Chile, summer time ends at 24:00 of a Saturday: from 23:00, the clocks go through this hour again."""
    santiago = ZoneInfo("America/Santiago")
    day = drawn(santiago.key, datetime(2026, 4, 4, tzinfo=santiago), datetime(2026, 4, 5, tzinfo=santiago))

    assert "Sat 04 Apr 2026: the times from 23:00 to 00:00 occur twice" in day.svg()
    assert day.chart().splitlines()[1:] == [
        "Sat 2026-04-04!|·                                               | 1",
        "! Sat 04 Apr 2026: the times from 23:00 to 00:00 occur twice",
    ]


def test_a_timeline_that_starts_in_a_minute_after_midnight_that_the_clocks_take_back_has_no_mark_for_it() -> None:
    """In Newfoundland, summer time ended at 00:01, and the clocks went back to 23:01 of the day before."""
    start = datetime(2010, 11, 7, 2, 30, 30, tzinfo=UTC)

    drawing = drawn("America/St_Johns", start, start + timedelta(hours=3)).svg()

    assert 'fill="url(#odd)"' not in drawing
    assert "Sat 06 Nov 2010: the times from 23:01 to 00:01 occur twice" in drawing


def test_a_listing_has_the_distance_of_runs_in_seconds() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [(int(start.timestamp()) + 10 * number, "e") for number in range(5)]

    listing = Timeline(rows, ["e"], start=start, end=start + timedelta(days=1), zone=UTC).listing()

    assert listing == "e\n  Thu 2026-01-01: 00:00 every 10 s to 00:00:40 (5)\n"


def test_names_are_escaped_in_the_drawing() -> None:
    rows = [(0, "a<b & c")]
    start, end = datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 2, tzinfo=UTC)

    drawing = Timeline(rows, ["a<b & c"], start=start, end=end, zone=UTC).svg()

    assert "a&lt;b &amp; c: 1" in drawing


def test_the_chart_has_a_line_for_each_day_and_tells_of_the_night(october: Timeline) -> None:
    lines = october.chart().splitlines()

    assert lines[1] == "Tue 2026-10-20 |     ·                                          | 1"
    assert lines[6].startswith("Sun 2026-10-25!|")
    assert lines[7] == "Mon 2026-10-26 |     ·            ··                            | 3"
    assert lines[-2] == "! Sun 25 Oct 2026: the times from 02:00 to 03:00 occur twice"
    assert lines[-1] == "Not drawn, they fire too often: often"


def test_the_listing_puts_alike_days_into_a_line(october: Timeline) -> None:
    listing = october.only("nightly", "often", "never").listing()

    assert listing == (
        "nightly\n  Tue 2026-10-20 to Mon 2026-10-26, 7 days: 02:30\n\n"
        "often\n"
        "  Tue 2026-10-20: 00:10 every 10 min to 23:50 (143)\n"
        "  Wed 2026-10-21 to Sat 2026-10-24, 4 days: 00:00 every 10 min to 23:50 (144)\n"
        "  Sun 2026-10-25: 00:00 every 10 min to 02:50 (18), 02:00 every 10 min to 23:50 (132)\n"
        "  Mon 2026-10-26: 00:00 every 10 min to 23:50 (144)\n\n"
        "never\n  never\n"
    )


@pytest.fixture
def update(monkeypatch: pytest.MonkeyPatch) -> Update:
    """Sets `--clock-update`."""
    return lambda value: monkeypatch.setattr("_clock_pytest.is_updating", value)


def test_a_snapshot_is_written_when_asked_to_and_compared_afterwards(tmp_path: Path, update: Update) -> None:
    snapshot = tmp_path / "timelines" / "next_month.txt"
    timetable = testing.loads(CLOCK_FILE)

    with pytest.raises(AssertionError, match="--clock-update"):
        testing.assert_timeline(snapshot, timetable)
    update(True)
    testing.assert_timeline(snapshot, timetable)
    update(False)
    testing.assert_timeline(snapshot, timetable)

    changed = testing.loads(CLOCK_FILE.replace("02:30", "02:45"))
    with pytest.raises(AssertionError, match=r"(?s)-  .* days: 02:30\n.*\+  .* days: 02:45"):
        testing.assert_timeline(snapshot, changed)


def test_a_snapshot_keeps_its_span(tmp_path: Path, update: Update) -> None:
    snapshot = tmp_path / "march.txt"
    timetable = testing.loads(CLOCK_FILE)
    update(True)
    testing.assert_timeline(snapshot, timetable, start_time=datetime(2026, 3, 28), end_time=datetime(2026, 3, 31))
    update(False)

    testing.assert_timeline(snapshot, timetable)

    assert snapshot.read_text().splitlines()[:4] == [
        "# What fires from 2026-03-28 00:00 to 2026-03-31 00:00 (Europe/Berlin).",
        "",
        "nightly",
        "  Sat 2026-03-28: 02:30",
    ]
    assert "Sun 2026-03-29: 03:00" in snapshot.read_text(), "02:30 is skipped that night"


@pytest.mark.parametrize(
    "text", ["remember the milk\n", "# What fires from 2026-13-01 00:00 to 2026-02-01 00:00 (UTC).\n"]
)
def test_a_file_that_is_no_snapshot_is_left_alone(tmp_path: Path, update: Update, text: str) -> None:
    other = tmp_path / "notes.txt"
    other.write_text(text)
    update(True)

    with pytest.raises(ConfigurationError, match=r"notes\.txt:1: not a snapshot"):
        testing.assert_timeline(other, testing.loads(CLOCK_FILE))

    assert other.read_text() == text
