"""The schedule of an event in the terms of an outside monitor."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from clock.timetable import Event, MonitoredSchedule, schedule_for_monitor

Declared = Callable[..., Event]
START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "shown"),
    [
        ("every().day.at('06:00')", "0 6 * * * (Europe/Berlin)"),
        ("every().weekday.at('09:30')", "30 9 * * 1,2,3,4,5 (Europe/Berlin)"),
        ("every().sunday.at('08:00')", "0 8 * * 0 (Europe/Berlin)"),
        ("every().hour.at([':00', ':30'])", "0,30 * * * * (Europe/Berlin)"),
        ("every().minute.at(':15')", "at least every 60 s"),  # too many for a comparison of a year
        ("every().month.on(1, 15).at('06:00')", "0 6 1,15 * * (Europe/Berlin)"),
        ("every().day.at('06:00').except_on(lambda day: day.month != 12)", "0 6 * 12 * (Europe/Berlin)"),
        ("rrule('FREQ=YEARLY;BYMONTH=3,9;BYMONTHDAY=1;BYHOUR=6;BYMINUTE=0')", "0 6 1 3,9 * (Europe/Berlin)"),
        ("cron('0 12 L * *')", "0 12 L * * (Europe/Berlin)"),
        ("cron('20 0 12 * * *')", "0 12 * * * (Europe/Berlin)"),
        ("every().day.at('12:00:20')", "0 12 * * * (Europe/Berlin)"),
        ("every(10).minutes", "at least every 600 s"),
        ("every(10).seconds", "at least every 60 s"),
        ("every().day", "at least every 90000 s"),  # on the day on which the clocks go back
        ("every(2).days.at('06:00')", "at least every 190800 s"),
        ("every().day.at('06:00').except_on('2026-06-01')", "at least every 172800 s"),
        ("every().day.at('06:00').until('2026-01-02')", "at least every 18000 s"),
        ("every().day.at('01:00:30').until('2026-01-02')", "at least every 60 s"),
    ],
)
def test_it_is_a_cron_expression_with_the_same_due_instants_or_the_longest_time_between_two(
    declared: Declared, schedule: str, shown: str
) -> None:
    assert str(schedule_for_monitor(declared(f"{schedule}.do(act)", "Europe/Berlin"), START)) == shown


def test_an_event_that_is_not_due_again_has_none(declared: Declared) -> None:
    assert schedule_for_monitor(declared("every().day.until('2025-12-31').do(act)"), START) is None


def test_a_schedule_of_a_period_has_its_seconds(declared: Declared) -> None:
    assert schedule_for_monitor(declared("every(2).hours.do(act)"), START) == MonitoredSchedule(seconds=7200)
