"""One reminder to one learner."""

from __future__ import annotations

import sqlite3
from email.message import EmailMessage
from zoneinfo import ZoneInfo

from clock import Job
from db import reminders
from db.database import transaction
from jobs.delivery import deliver

SUBJECTS = {
    "due_in_a_week": "{lesson} is due in a week",
    "due_tomorrow": "{lesson} is due tomorrow",
    "a_day_overdue": "{lesson} was due yesterday",
    "a_week_overdue": "{lesson} was due a week ago",
}


class SendAssignmentReminderJob(Job):
    """Mails a learner about an assignment: `perform_async(assignment_id, kind)`.

    It may run any number of times and sends one mail: the reminders table knows what has been sent. The mail is
    the last thing done before the transaction ends that notes it. So a crash loses no mail, and repeats one only
    where it falls between these two steps; the database lets one job at a time through them.
    """

    def perform(self, assignment_id: int, kind: str) -> None:
        """Send the reminder, unless it was sent before, or the assignment is completed or deleted."""
        with transaction() as connection:
            assignment = reminders.open_assignment(connection, assignment_id)
            if assignment is None:
                return
            day = reminders.day_of(assignment, kind)
            if reminders.note(connection, assignment_id, kind, day):
                deliver(reminder(assignment, kind, day))


def reminder(assignment: sqlite3.Row, kind: str, day: str) -> EmailMessage:
    """The mail. Its Message-ID is the same whenever it is made, so that a repeated one can be told."""
    message = EmailMessage()
    message["Message-ID"] = f"<{kind}.{assignment['id']}.{day}@school.example.org>"
    message["From"] = "Your school <reminders@school.example.org>"
    message["To"] = f"{assignment['learner']} <{assignment['email']}>"
    message["Subject"] = SUBJECTS[kind].format(lesson=assignment["lesson"])
    zone = ZoneInfo(assignment["zone"])
    message.set_content(
        f"Hello {assignment['learner'].split()[0]},\n\n"
        f'"{assignment["lesson"]}" is due on {assignment["due_on"]}, at the end of the day in {zone.key}.\n\n'
        "Your school\n"
    )
    return message
