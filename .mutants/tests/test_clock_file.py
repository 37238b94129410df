"""What happens when, in the sample application: its clock file under fake time.

The school's mornings begin at 6:00 in Indianapolis, whatever the time of year; what is below is what it relies on.
"""

from datetime import UTC, date, datetime, time, timedelta
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
TUESDAY = datetime(2026, 11, 24)
CLOCKS_GO_FORWARD, CLOCKS_GO_BACK = datetime(2026, 3, 8), datetime(2026, 11, 1)


def run(start: datetime, **length: float) -> testing.History:
    """The clock file's history from `start`, in the school's zone, for so long."""
    return testing.run(CLOCK_FILE, start_time=start, end_time=start + timedelta(**length))


def at_school(instants: list[datetime]) -> list[datetime]:
    """What the school's clocks show at these instants."""
    return [instant.astimezone(SCHOOL).replace(tzinfo=None) for instant in instants]


def test_reminders_are_sent_every_day_at_six_school_time() -> None:
    history = run(TUESDAY, days=7)

    mornings = [datetime.combine(date(2026, 11, 24 + number), time(6)) for number in range(7)]
    assert at_school(history.fires("assignment.reminders")) == mornings


def test_six_is_six_in_summer_too() -> None:
    [winter] = run(datetime(2026, 1, 15), days=1).fires("assignment.reminders")
    [summer] = run(datetime(2026, 7, 15), days=1).fires("assignment.reminders")

    assert (winter.hour, summer.hour) == (11, 10), "in UTC: Indianapolis has summer time"


@pytest.mark.parametrize("night", [CLOCKS_GO_FORWARD, CLOCKS_GO_BACK])
def test_no_day_is_without_reminders_when_the_clocks_are_changed(night: datetime) -> None:
    history = run(night - timedelta(days=1), days=3)

    assert [at.hour for at in at_school(history.fires("assignment.reminders"))] == [6, 6, 6]


def test_a_years_reminders_are_as_many_as_its_days() -> None:
    fires = at_school(run(datetime(2027, 1, 1), days=365).fires("assignment.reminders"))

    assert len({at.date() for at in fires}) == len(fires) == 365


def test_the_reminders_job_is_enqueued_at_six_and_not_run_in_the_clock() -> None:
    [job] = run(TUESDAY, days=1).enqueued(SendAllAssignmentRemindersJob)

    assert (job.args, job.queue, job.at) == ([], "default", None)
    assert job.payload["clock"] == {
        "event": "assignment.reminders",
        "due": job.due.timestamp() * 1000,
        "previous": None,
    }


def test_nothing_is_sent_because_the_clock_was_started() -> None:
    history = run(TUESDAY.replace(hour=6, second=1), hours=23)

    assert not history.ran_job("assignment.reminders")


def test_a_restart_across_six_sends_the_reminders_once() -> None:
    history = testing.run(
        CLOCK_FILE,
        start_time=TUESDAY,
        end_time=TUESDAY + timedelta(days=1),
        downtime=[(TUESDAY.replace(hour=5, minute=59), TUESDAY.replace(hour=6, minute=1))],
    )

    assert history.times_run("assignment.reminders") == 1


def test_a_clock_that_was_down_all_morning_sends_no_reminders_at_noon() -> None:
    history = testing.run(
        CLOCK_FILE,
        start_time=TUESDAY,
        end_time=TUESDAY + timedelta(days=1),
        downtime=[(TUESDAY.replace(hour=5), TUESDAY.replace(hour=12))],
    )

    assert not history.ran_job("assignment.reminders")


def test_the_figure_of_open_assignments_is_counted_every_five_minutes() -> None:
    history = run(TUESDAY, hours=1, seconds=1)

    assert history.times_run("open.assignments") == 12
    assert len(history.enqueued(CountOpenAssignmentsJob)) == 12
    assert {gap.length for gap in history.timeline.gaps("open.assignments")} == {timedelta(minutes=5)}


def test_old_reminders_are_deleted_in_the_night_to_sunday_in_a_queue_of_less_haste() -> None:
    jobs = run(TUESDAY, weeks=4).enqueued(DeleteOldRemindersJob)

    assert [at.strftime("%A %H:%M") for at in at_school([job.due for job in jobs])] == ["Sunday 03:30"] * 4
    assert [(job.args, job.queue) for job in jobs] == [([90], "low")] * 4


@pytest.mark.parametrize("night", [CLOCKS_GO_FORWARD, CLOCKS_GO_BACK])
def test_old_reminders_are_deleted_once_in_the_night_when_the_clocks_are_changed(night: datetime) -> None:
    [fire] = at_school(run(night, days=1).fires("old.reminders"))

    assert fire == night.replace(hour=3, minute=30)


def test_the_clock_is_still_here_on_every_hour() -> None:
    history = run(TUESDAY.replace(hour=5, minute=30), hours=3)

    assert [f"{at:%H:%M}" for at in at_school(history.fires("still.here"))] == ["06:00", "07:00", "08:00"]


def test_it_says_so_in_the_log_in_school_time(caplog: pytest.LogCaptureFixture) -> None:
    history = run(TUESDAY.replace(hour=5, minute=30), hours=3)

    with caplog.at_level("INFO"):
        history.block_for("still.here")()

    assert "still.here at 06:00 EST" in caplog.text


def test_each_real_hour_is_told_when_the_clocks_go_back() -> None:
    assert run(CLOCKS_GO_BACK, days=1).times_run("still.here") == 25


def test_the_reminders_have_the_hour_from_five_to_seven_to_themselves() -> None:
    morning = run(TUESDAY, days=7).timeline.between(TUESDAY.replace(hour=5), TUESDAY.replace(hour=7))

    assert {firing.event for firing in morning} - {"open.assignments", "still.here"} == {"assignment.reminders"}


def test_no_event_is_there_that_nobody_has_asked_for() -> None:
    names = [event.name for event in testing.load(CLOCK_FILE).events]

    assert names == ["assignment.reminders", "open.assignments", "old.reminders", "still.here"]


def test_a_question_about_an_event_that_there_is_not_is_an_error() -> None:
    with pytest.raises(UnknownEvent, match=r"did you mean 'assignment\.reminders'\?"):
        run(TUESDAY, hours=1).ran_job("assignment.reminder")


def test_january_is_as_a_reviewer_has_seen_it() -> None:
    testing.assert_timeline(
        Path(__file__).parent / "timelines" / "january.txt",
        CLOCK_FILE,
        start_time=datetime(2027, 1, 1, tzinfo=SCHOOL),
        end_time=datetime(2027, 2, 1, tzinfo=SCHOOL),
    )


def test_fires_are_told_in_utc() -> None:
    assert run(TUESDAY, days=1).fires("assignment.reminders") == [datetime(2026, 11, 24, 11, tzinfo=UTC)]
