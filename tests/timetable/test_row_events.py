"""The events of a clock file together with the present rows of its databases."""

from collections.abc import Callable

import pytest

from clock.errors import SourceFailed, UnknownEvent
from clock.timetable import Timetable, find_event, with_rows

Load = Callable[[str], Timetable]
ROWS = """
def rows():
    read.append(1)
    return [{"name": "of a row", "every": 60, "args": ["me"]}, {"name": "written", "every": 60, "args": ["me"]}]

read = []
sync_events(rows, every=timedelta(minutes=5), do=SendLetterJob)
every().day.do(act).named("written")
"""


def test_an_event_of_the_file_or_of_a_row_is_found_by_its_name(load_lines: Load) -> None:
    timetable = load_lines(ROWS)

    assert find_event(timetable, "written").schedule == "every day"
    assert timetable.names["read"] == []  # the database is asked only for an event that the file does not have
    assert find_event(timetable, "of a row").schedule == "every minute"
    with pytest.raises(UnknownEvent, match="'nowhere'"):
        find_event(timetable, "nowhere")


def test_an_unknown_event_of_a_file_without_rows_is_refused(load_lines: Load) -> None:
    with pytest.raises(UnknownEvent, match="'nowhere'"):
        find_event(load_lines("every().day.do(act)"), "nowhere")


def test_events_of_rows_follow_those_of_the_file(load_lines: Load) -> None:
    assert [event.name for event in with_rows(load_lines(ROWS)).events] == ["written", "of a row"]


def test_a_database_that_cannot_be_read_is_named_with_its_line(load_lines: Load) -> None:
    timetable = load_lines(
        "def rows(): raise OSError('no route')\nsync_events(rows, every=timedelta(1), do=act)\n"
    )

    with pytest.raises(SourceFailed, match=r"clock\.py:6.*no route"):
        with_rows(timetable)
