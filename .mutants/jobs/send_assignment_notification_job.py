"""The old name of SendAssignmentReminderJob: jobs that were queued under it still run."""

from __future__ import annotations

from jobs.send_assignment_reminder_job import SendAssignmentReminderJob


class SendAssignmentNotificationJob(SendAssignmentReminderJob):
    """Can go once no payload of this name is in Redis any more."""
