"""Errors of single entries in Redis. They recur with each heartbeat, so each is logged at most once a minute."""

from __future__ import annotations

from clock.clocks import Clock
from clock.problems import Problem, Problems

EVERY_SECONDS = 60.0


class EntryErrors:
    """Reports errors of entries to the `problems` of the process. May be used from any thread."""

    def __init__(self, clock: Clock, problems: Problems | None = None) -> None:
        self._problems = problems or Problems(clock=clock)

    def error(self, message: str, *args: object) -> None:
        """Report an error. It is over when it has not come back for a minute; the process stays ready."""
        line = message % args
        self._problems.meet(Problem(f"entry:{line}", line, blocks=False, calm_seconds=EVERY_SECONDS))
