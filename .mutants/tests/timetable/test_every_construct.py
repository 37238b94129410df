"""A clock file that uses every construct, told in sentences, each with its next five due instants."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clock.timetable import Event, Timetable, load, read_rows
from clock.timetable.explanation import explain

FOLDER = Path(__file__).parent / "every_construct"
START = datetime(2026, 11, 24, 11, tzinfo=UTC)  # 06:00 in New York, a Tuesday; Thanksgiving is on Thursday


@pytest.fixture(scope="module")
def timetable() -> Timetable:
    return load(FOLDER / "clock_file.py")


def told(event: Event) -> str:
    """The event's name, its sentence, and its next five due instants in its zone."""
    lines = [event.name, f"  {explain(event)}"]
    after = START - timedelta(seconds=1)  # Clockwork's form may be due at its anchor
    for _ in range(5):
        due = event.next_after(after, anchor=START)
        if due is None:
            lines.append("    never again")
            break
        lines.append(f"    {due.astimezone(event.zone):%a %Y-%m-%d %H:%M:%S %Z}")
        after = due
    return "\n".join(lines) + "\n"


def test_each_event_means_what_its_text_says(timetable: Timetable, pytestconfig: pytest.Config) -> None:
    golden = FOLDER / "explained.txt"
    found = "\n".join(map(told, timetable.events))
    if pytestconfig.getoption("--clock-update"):
        golden.write_text(found)

    assert found == golden.read_text()


def test_what_is_not_an_event_is_there_as_well(timetable: Timetable) -> None:
    [source] = timetable.synced
    rows = read_rows(source, source.load(), timetable.settings, timetable.by_name)

    assert [event.name for event in rows.events] == ["SendLetterJob 7", "by cron"]
    assert timetable.settings.logger is not None
    assert len(timetable.error_handlers) == 1
    assert all(getattr(timetable.callbacks, name) for name in timetable.callbacks.__slots__)
