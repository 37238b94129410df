from typing import Any

import pytest

from clock import Job
from clock.job import registry
from clock.lint.job_names import naming_warning
from jobs.count_open_assignments_job import CountOpenAssignmentsJob
from jobs.delete_old_reminders_job import DeleteOldRemindersJob
from jobs.send_all_assignment_reminders_job import SendAllAssignmentRemindersJob
from jobs.send_assignment_notification_job import SendAssignmentNotificationJob
from jobs.send_assignment_reminder_job import SendAssignmentReminderJob

Other: Any = SendAssignmentReminderJob


def plain(self: object) -> None: ...


def one_more(self: object) -> None:
    Other.perform_async(1, "x")


def bulk(self: object) -> None:
    Other.perform_bulk([[1, "x"]])


async def awaited_bulk(self: object) -> None:
    await Other.aperform_bulk([[1, "x"]])


def loop(self: object) -> None:
    for number in range(3):
        if number:
            Other.perform_in(60, number, "x")


def comprehension(self: object) -> None:
    [Other.perform_async(number, "x") for number in range(3)]


def after_a_loop(self: object) -> None:
    total = 0
    for number in range(3):
        total += number
    Other.perform_async(total, "x")


def warning_of(name: str, perform: object = plain) -> str | None:
    job = type(name, (Job,), {"perform": perform})
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
def test_a_verb_and_nouns_are_usual(name: str) -> None:
    assert warning_of(name) is None


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("SendReminder", "SendReminder does not end in Job; name jobs VerbNounsJob, such as SendReminderJob"),
        ("Reminder", "Reminder does not end in Job; name jobs VerbNounsJob, such as SendReminderJob"),
        ("ReminderJob", "ReminderJob has no verb and noun; name jobs VerbNounsJob, such as SendReminderJob"),
        ("SyncJob", "SyncJob has no noun; name jobs VerbNounsJob, such as SyncThingsJob"),
        ("UserSyncJob", "UserSyncJob does not start with a verb; name jobs VerbNounsJob, such as SyncUserJob"),
        (
            "ParcelLabelPrintJob",
            "start with a verb; name jobs VerbNounsJob, such as PrintParcelLabelJob",
        ),
        (
            "NotificationMailJob",
            "start with a verb; name jobs VerbNounsJob, such as MailNotificationJob",
        ),
        ("SendingMailsJob", "SendingMailsJob does not start with a verb"),
    ],
)
def test_another_name_is_warned_about_with_a_better_one(name: str, warning: str) -> None:
    assert warning in str(warning_of(name))


@pytest.mark.parametrize("perform", [bulk, awaited_bulk, loop, comprehension])
def test_a_job_that_pushes_many_says_all(perform: object) -> None:
    assert warning_of("SendAllRemindersJob", perform) is None
    assert warning_of("SendReminderJob", perform) == (
        "SendReminderJob pushes many jobs; name such a job VerbAllNounsJob, such as SendAllRemindersJob"
    )


@pytest.mark.parametrize("perform", [one_more, after_a_loop])
def test_a_job_that_pushes_one_more_is_no_spawner(perform: object) -> None:
    assert warning_of("SendReminderJob", perform) is None


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
