"""Steps of jobs that Redis refused for good, such as a move to `retry` while that key has a wrong type.

The job's thread goes on with others; the job stays in progress, and the step is tried again with each heartbeat.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from clock.clocks import Clock
from clock.errors import StoreError
from clock.problems import Problems

Step = Callable[[], object]


class Unsettled:
    """The steps that are to be tried again. May be used from any thread."""

    def __init__(self, clock: Clock, problems: Problems | None = None) -> None:
        self._part = (problems or Problems(clock=clock)).part("next steps of jobs in progress")
        self._lock = threading.Lock()
        self._steps: list[Step] = []  # guarded by _lock

    def add(self, step: Step, error: StoreError) -> None:
        """Try `step` again later; Redis answered it by `error`."""
        self._part.failed(error)
        with self._lock:
            self._steps.append(step)

    def settle(self) -> None:
        """Try all steps again, and keep those that are still refused."""
        with self._lock:
            steps, self._steps = self._steps, []
        for step in steps:
            try:
                step()
            except StoreError as error:
                self.add(step, error)
        if steps and not self._steps:
            self._part.works()
