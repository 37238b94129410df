import pytest

from clock import Job, job
from clock.job import registry
from clock.lint.rules import naming_warning
from jobs.count_open_assignments_job import CountOpenAssignmentsJob
from jobs.delete_old_reminders_job import DeleteOldRemindersJob
from jobs.send_all_assignment_reminders_job import SendAllAssignmentRemindersJob
from jobs.send_assignment_notification_job import SendAssignmentNotificationJob
from jobs.send_assignment_reminder_job import SendAssignmentReminderJob


def warning_of(name: str) -> str | None:
    job = type(name, (Job,), {"perform": lambda self: None})
    registry.forget(job)
    return naming_warning(job)


@pytest.mark.parametrize(
    "name",
    [
        "SendReminderJob",
        "SendRemindersJob",
        "SyncCRMContactsJob",
        "UpdateS3FilesJob",
        "FrobnicateWidgetsJob",
        "ProcessOrderJob",
        "EmailLearnersJob",
    ],
)
def test_two_words_or_more_before_job_are_usual(name: str) -> None:
    assert warning_of(name) is None


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("SendReminder", "does not end in Job"),
        ("Reminder", "does not end in Job"),
        ("SendReminderJOB", "does not end in Job"),
        ("SendReminderjob", "does not end in Job"),
        ("ReminderJob", "has one word before Job"),
        ("Job", "has no words before Job"),
        ("CRMJob", "has one word before Job"),
        ("sendReminderJob", "is not in CamelCase"),
        ("Send_ReminderJob", "is not in CamelCase"),
        ("send_reminder", "is not in CamelCase"),
    ],
)
def test_another_name_is_warned_about(name: str, wrong: str) -> None:
    assert warning_of(name) == f"{name} {wrong}; name jobs VerbNounsJob, such as SendReminderJob"


def test_a_function_that_is_a_job_has_the_name_of_a_function() -> None:
    @job
    def send_reminder() -> None: ...

    @job(bind=True)
    def send_again(self: Job) -> None: ...

    for made in (send_reminder.job, send_again.job):
        registry.forget(made)
        assert naming_warning(made) is None


@pytest.mark.parametrize(
    "job",
    [
        CountOpenAssignmentsJob,
        DeleteOldRemindersJob,
        SendAllAssignmentRemindersJob,
        SendAssignmentNotificationJob,
        SendAssignmentReminderJob,
    ],
)
def test_the_samples_jobs_are_called_as_usual(job: type[Job]) -> None:
    assert naming_warning(job) is None
