"""Jobs of the tests of this folder."""

from datetime import UTC, datetime
from typing import ClassVar

from clock import Job


class CountVisitsJob(Job):
    queue = "low"

    def perform(self, *args: object) -> None:
        """It is never run here."""


class SendReportJob(Job):
    retry = 3

    def perform(self, due: str, copies: int = 1) -> None:
        """It is never run here."""


class NoteJob(Job):
    """Notes what it was given, and when it ran; it fails as often as `FAILURES` says."""

    NOTES: ClassVar[list[tuple[str, datetime]]] = []
    FAILURES = 0

    def perform(self, what: str) -> None:
        type(self).NOTES.append((what, datetime.now(UTC)))
        if self.attempt <= type(self).FAILURES:
            raise RuntimeError("not yet")
