"""Whether the due instants of an event depend on its anchor."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from clock.timetable import Event
from clock.timetable.anchors import depends_on_anchor

Declared = Callable[..., Event]
THURSDAY = datetime(2026, 6, 18, 6, tzinfo=UTC)
SECOND, YEARS = timedelta(seconds=1), timedelta(days=800)


@pytest.mark.parametrize(
    "schedule",
    [
        "every(40).minutes",
        "every().day",
        "every(2).days.at('06:00')",
        "every(2).months.on(1).at('06:00')",
        "every(2).weeks",
        "every(5).to(10).minutes",
    ],
)
def test_an_interval_of_any_length_counts_from_the_anchor(declared: Declared, schedule: str) -> None:
    assert depends_on_anchor(declared(f"{schedule}.do(act)", "UTC"), THURSDAY, THURSDAY + YEARS)


@pytest.mark.parametrize(
    "schedule", ["every().day.at('06:00')", "every().month.on('last').at('06:00')", "cron('*/7 * * * *')"]
)
def test_a_time_of_the_calendar_does_not_count_from_the_anchor(declared: Declared, schedule: str) -> None:
    assert not depends_on_anchor(declared(f"{schedule}.do(act)", "UTC"), THURSDAY, THURSDAY + YEARS)


@pytest.mark.parametrize(
    ("start", "end", "depends"),
    [
        (THURSDAY, THURSDAY + SECOND, True),
        (THURSDAY + SECOND, THURSDAY + timedelta(hours=1), False),
        (THURSDAY - timedelta(hours=1), THURSDAY, False),
    ],
)
def test_only_due_instants_from_the_start_on_and_before_the_end_count(
    declared: Declared, start: datetime, end: datetime, depends: bool
) -> None:
    every_other_day = declared("every(2).days.at('06:00').do(act)", "UTC")

    assert depends_on_anchor(every_other_day, start, end) is depends
