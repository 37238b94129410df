"""The `schedule` package's scheduler as clock files see it: it takes declarations, and runs nothing."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime

import schedule
from schedule import CancelJob

from clock.errors import DeclarationError
from clock.timetable import draft
from clock.timetable.fluent import FluentJob

__all__ = ["CancelJob", "EndOfDeclarations", "Scheduler", "cancels"]


def cancels(answer: object) -> bool:
    """Whether what an action returned asks, in the package's way, not to run again."""
    return answer is schedule.CancelJob or isinstance(answer, schedule.CancelJob)


class EndOfDeclarations(SystemExit):
    """The file calls `run_pending()`: its own loop would begin. In a thread it ends the thread, without a word."""


class Scheduler(schedule.Scheduler):
    """Makes the jobs of the fluent form; `get_jobs`, `clear` and `cancel_job` are the package's own."""

    def every(self, interval: int = 1) -> FluentJob:
        """Begin a declaration."""
        return FluentJob(interval, self)

    def run_pending(self) -> None:
        """End the file: from here on the clock runs what was declared."""
        raise EndOfDeclarations

    def run_all(self, delay_seconds: int = 0) -> None:
        """Not to be had: a file that is loaded fires nothing. Raises DeclarationError."""
        raise DeclarationError(
            f"{draft.where()}: run_all() would run every job each time that this file is loaded; "
            "take it out, and fire an event by hand with: python -m clock fire NAME"
        )

    def get_next_run(self, tag: Hashable | None = None) -> datetime | None:
        """None: what is due when is known once the file has been read (`python -m clock preview`)."""
        return None

    next_run = property(get_next_run)

    @property
    def idle_seconds(self) -> float | None:
        """No time at all, as it goes before `run_pending`; None where nothing is declared."""
        return 0.0 if self.jobs else None
