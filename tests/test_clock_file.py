"""The sample's clock file under fake time: what happens when."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from clock import testing
from clock.errors import UnknownEvent
from jobs.count_open_assignments_job import CountOpenAssignmentsJob
from jobs.delete_old_reminders_job import DeleteOldRemindersJob
from jobs.send_all_assignment_reminders_job import SendAllAssignmentRemindersJob

CLOCK_FILE = Path(__file__).parent.parent / "lib" / "clock.py"
SCHOOL = ZoneInfo("America/Indiana/Indianapolis")


def run(start: datetime, **length: float) -> testing.History:
    """The clock file's history from `start` (in its own zone) for so long."""
    return testing.run(CLOCK_FILE, start_time=start, end_time=start + timedelta(**length))


def days(start: datetime, count: int) -> Iterator[datetime]:
    return (start + timedelta(days=number) for number in range(count))


def test_reminders_are_sent_every_day_at_six_in_the_schools_zone() -> None:
    history = run(datetime(2026, 11, 24), days=3)

    assert history.fires("assignment.reminders") == [
        day.replace(tzinfo=SCHOOL).astimezone(UTC) for day in days(datetime(2026, 11, 24, 6), 3)
    ]
    assert len(history.enqueued(SendAllAssignmentRemindersJob)) == 3


def test_reminders_are_sent_at_six_on_both_nights_when_the_clocks_change() -> None:
    for night in (datetime(2026, 3, 7), datetime(2026, 10, 31)):
        fires = run(night, days=3).fires("assignment.reminders")

        assert [fire.astimezone(SCHOOL).hour for fire in fires] == [6, 6, 6]


def test_nothing_is_sent_because_the_clock_was_started() -> None:
    history = run(datetime(2026, 11, 24, 6, 0, 1), hours=23)

    assert not history.ran_job("assignment.reminders")


def test_a_restart_across_six_sends_the_reminders_once() -> None:
    history = testing.run(
        CLOCK_FILE,
        start_time=datetime(2026, 11, 24),
        end_time=datetime(2026, 11, 25),
        downtime=[(datetime(2026, 11, 24, 5, 59), datetime(2026, 11, 24, 6, 1))],
    )

    assert history.times_run("assignment.reminders") == 1


def test_the_figure_of_open_assignments_is_logged_every_five_minutes() -> None:
    history = run(datetime(2026, 11, 24), hours=1, seconds=1)

    assert history.times_run("open.assignments") == 12
    assert len(history.enqueued(CountOpenAssignmentsJob)) == 12


def test_old_reminders_are_deleted_in_the_night_to_sunday_in_a_queue_of_less_haste() -> None:
    [job] = run(datetime(2026, 11, 23), weeks=1).enqueued(DeleteOldRemindersJob)

    assert job.due.astimezone(SCHOOL).strftime("%A %H:%M") == "Sunday 03:30"
    assert (job.args, job.queue) == ([90], "low")


def test_the_clock_says_every_hour_that_it_is_still_here(caplog: pytest.LogCaptureFixture) -> None:
    history = run(datetime(2026, 11, 24, 5, 30), hours=3)

    assert history.times_run("still.here") == 3
    with caplog.at_level("INFO"):
        history.block_for("still.here")()
    assert "still.here at 06:00 EST" in caplog.text


def test_a_question_about_an_event_that_there_is_not_is_an_error() -> None:
    with pytest.raises(UnknownEvent, match=r"did you mean 'assignment\.reminders'\?"):
        run(datetime(2026, 11, 24), hours=1).ran_job("assignment.reminder")
