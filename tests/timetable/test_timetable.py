from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from clock.errors import UnknownEvent
from clock.timetable import Timetable
from clock.timetable.triggers.zone_offsets import to_datetime, to_seconds

Load = Callable[[str], Timetable]
START = datetime(2026, 11, 24, 5, 30, tzinfo=UTC)
LINES = """
configure(tz="America/New_York")
every(40).minutes.named("often").do(act)
every().hour.at(":00").named("hourly").do(act)
every().day.at("06:00").named("daily").do(act)
every(timedelta(days=1), "midnight", at="00:00")(act)
every(2).to(5).hours.named("random").do(act)
cron("0 * * * *").named("cron").do(act)
every().month.on(31).named("rare").do(act)
"""


def test_what_is_due_comes_in_order_and_at_one_instant_in_file_order(load_lines: Load) -> None:
    found = list(load_lines(LINES).due_between(START, START + timedelta(hours=6)))

    at_six = to_seconds(datetime(2026, 11, 24, 11, tzinfo=UTC))  # 06:00 in New York
    assert [due for due, _ in found] == sorted(due for due, _ in found)
    assert [event.name for due, event in found if due == at_six] == ["hourly", "daily", "cron"]


@pytest.mark.parametrize("days", [1, 40, 100])
def test_it_is_what_the_events_give_one_by_one(load_lines: Load, days: int) -> None:
    timetable = load_lines(LINES)
    anchors = {"often": START - timedelta(minutes=17), "random": START - timedelta(days=3)}
    end = START + timedelta(days=days)

    found = list(timetable.due_between(START, end, anchors=anchors))

    expected = []
    for event in timetable.events:
        anchor = anchors.get(event.name, START)
        due = event.next_after(START, anchor=anchor)
        while due is not None and due <= end:
            expected.append((due, event.name))
            due = event.next_after(due, anchor=anchor, previous=due)
    assert sorted((to_datetime(due), event.name) for due, event in found) == sorted(expected)


def test_a_stretch_that_follows_begins_where_the_one_before_ended(load_lines: Load) -> None:
    timetable = load_lines(LINES)
    middle, end = START + timedelta(hours=5, minutes=30), START + timedelta(days=2)
    anchors = {event.name: START for event in timetable.events}

    first = list(timetable.due_between(START, middle, anchors=anchors))
    second = list(timetable.due_between(middle, end, anchors=anchors))

    assert first + second == list(timetable.due_between(START, end, anchors=anchors))
    assert to_seconds(middle) in {due for due, _ in first}


@pytest.mark.parametrize(
    ("line", "is_empty"),
    [
        ("", True),
        ("on('before_run')(act)", True),
        ("every().day.do(act)", False),
        ("sync_events(list, every=timedelta(1), do=act)", False),
        ("on('before_tick')(act)", False),
        ("on('after_tick')(act)", False),
    ],
)
def test_a_timetable_that_leaves_a_clock_nothing_to_do_is_empty(
    load_lines: Load, line: str, is_empty: bool
) -> None:
    assert load_lines(f"{line}\n").is_empty is is_empty


def test_an_event_that_there_is_not_is_told_with_the_near_ones(load_lines: Load) -> None:
    with pytest.raises(UnknownEvent, match="hourly"):
        load_lines(LINES).event("hurly")
