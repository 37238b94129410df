"""A figure for whoever watches the log."""

from __future__ import annotations

from clock import Job
from db.reminders import count_open


class CountOpenAssignmentsJob(Job):
    """Logs how many assignments are open."""

    retry = False  # the next run is minutes away

    def perform(self) -> None:
        """Count and log."""
        self.logger.info("%d assignments are open", count_open())
