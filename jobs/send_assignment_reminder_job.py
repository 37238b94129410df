"""One reminder to one learner."""

from __future__ import annotations

import sqlite3
from email.message import EmailMessage
from zoneinfo import ZoneInfo

from clock import Job
from db import reminders
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
    the last thing done but for the note that it was. So a crash loses no mail, and only one between these two
    steps can repeat it.
    """

    def perform(self, assignment_id: int, kind: str) -> None:
        """Send the reminder, unless it was sent before, or the assignment is completed or deleted."""
        assignment = reminders.open_assignment(assignment_id)
        if assignment is None:
            return
        day = reminders.day_of(assignment, kind)
        if reminders.begin(assignment_id, kind, day, self.jid):
            deliver(reminder(assignment, kind, day))
            reminders.note_sent(assignment_id, kind, day)


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
