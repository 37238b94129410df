"""Jobs of the tests of this folder."""

from clock import Job


class CountVisitsJob(Job):
    queue = "low"

    def perform(self, *args: object) -> None:
        """It is never run here."""


class SendReportJob(Job):
    retry = 3

    def perform(self, due: str, copies: int = 1) -> None:
        """It is never run here."""
