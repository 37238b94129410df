"""All reminders of a day."""

from __future__ import annotations

from datetime import UTC, datetime

from clock import Job
from db.reminders import due_reminders
from jobs.send_assignment_reminder_job import SendAssignmentReminderJob


class SendAllAssignmentRemindersJob(Job):
    """Enqueues a SendAssignmentReminderJob for each reminder that is due today.

    Today is the day of the firing, not of the run: retried after midnight, it still does the same work.
    """

    def perform(self) -> None:
        """Enqueue them, in bulk."""
        due = due_reminders(self.due_at or datetime.now(UTC))
        SendAssignmentReminderJob.perform_bulk([[assignment_id, kind] for assignment_id, kind in due])
        self.logger.info("%d reminders are due", len(due))
