"""Housekeeping."""

from __future__ import annotations

from clock import Job
from db.reminders import delete_older_than


class DeleteOldRemindersJob(Job):
    """Forgets reminders sent more than `days` ago."""

    queue = "low"

    def perform(self, days: int) -> None:
        """Delete them."""
        self.logger.info("%d old reminders deleted", delete_older_than(days))
