"""Which events are planned before the commit of a firing: those that run none of the user's code for it."""

from collections.abc import Callable

import pytest

from clock.timetable import Event, Timetable

OWN_ZONE = """
from datetime import tzinfo
class OwnZone(tzinfo):
    def utcoffset(self, _): return timedelta(0)
"""


@pytest.mark.parametrize(
    ("schedule", "is_quick"),
    [
        ("every(10).seconds", True),
        ("every(2).hours", True),
        ("every().hour.at(':30')", True),
        ("every().day.at('06:00').spread(timedelta(minutes=5)).until('2030-01-01')", True),
        ("every().month.on('last friday').at('06:00')", True),
        ("cron('0 6 * * 1-5')", True),
        ("cron('0 6 * * 1-5').except_on('2026-12-24')", False),
        ("every().day.at(['06:00', '07:30']).except_on(holidays).spread(timedelta(minutes=5))", False),
        ("every().month.on('last business day').at('06:00')", False),
        ("every().hour.jitter(timedelta(minutes=5))", False),
        ("rrule('FREQ=MONTHLY;BYDAY=-1FR')", False),
        ("cron('0 6 * * *', tz=OwnZone())", False),
    ],
)
def test_an_event_is_planned_quickly_unless_the_users_code_or_a_long_search_takes_part(
    load_lines: Callable[[str], Timetable], schedule: str, is_quick: bool
) -> None:
    event: Event = load_lines(f"{OWN_ZONE}\n{schedule}.do(print)\n").events[0]

    assert event.is_planned_quickly is is_quick
