"""What the ticker asks an event."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from clock.timetable import Event

Declared = Callable[..., Event]
FIVE = datetime(2026, 11, 24, 5, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FIRST = FIVE + HOUR / 2
THURSDAY = datetime(2026, 6, 18, 6, tzinfo=UTC)
SECOND, YEARS = timedelta(seconds=1), timedelta(days=800)
DAILY = "every(timedelta(days=1), 'x', at='**:30'"


def test_an_event_that_asks_again_is_due_again_until_an_instant_counts(declared: Declared) -> None:
    event = declared(f"{DAILY}, if_=holidays)(act)", "UTC")
    refused = event.counted_from("", anchor=FIVE, previous=None)
    counted = event.counted_after(FIRST, anchor=FIVE, counted=refused)

    def following(counted: str) -> datetime | None:
        return event.next_after(FIRST, anchor=FIVE, counted=counted)

    assert [following(refused), following(counted), following("")] == [FIRST + HOUR, FIRST + DAY, FIRST + DAY]
    assert event.last_counted(anchor=FIVE, counted=refused) is None
    assert event.last_counted(anchor=FIVE, counted=counted) == FIRST
    assert event.asked_again_after(FIRST, anchor=FIVE, counted=refused)
    assert not event.asked_again_after(FIRST, anchor=FIVE, counted=counted)
    assert not event.asked_again_after(None, anchor=FIVE, counted=refused)


def test_an_event_without_a_condition_counts_every_instant(declared: Declared) -> None:
    event = declared(f"{DAILY})(act)", "UTC")

    assert event.counted_from("", anchor=FIVE, previous=FIRST) == ""
    assert event.next_after(FIRST, anchor=FIVE, counted="-") == FIRST + DAY
    assert not event.asked_again_after(FIRST, anchor=FIVE, counted="-")


@pytest.mark.parametrize(
    ("action", "is_prepared"),
    [("SendLetterJob, 'me'", True), ("SendLetterJob, DUE_AT", False), ("act", False)],
)
def test_the_push_of_an_event_is_prepared_if_it_is_known_before_the_event_is_due(
    declared: Declared, action: str, is_prepared: bool
) -> None:
    event = declared(f"every().day.do({action})")

    assert event.prepared is (event.action if is_prepared else None)
    assert event.enqueues is action.startswith("SendLetterJob")


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
    assert declared(f"{schedule}.do(act)", "UTC").depends_on_anchor(THURSDAY, THURSDAY + YEARS)


@pytest.mark.parametrize(
    "schedule", ["every().day.at('06:00')", "every().month.on('last').at('06:00')", "cron('*/7 * * * *')"]
)
def test_a_time_of_the_calendar_does_not_count_from_the_anchor(declared: Declared, schedule: str) -> None:
    assert not declared(f"{schedule}.do(act)", "UTC").depends_on_anchor(THURSDAY, THURSDAY + YEARS)


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

    assert every_other_day.depends_on_anchor(start, end) is depends
