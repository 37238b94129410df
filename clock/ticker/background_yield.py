"""A background thread yields while an event is due, because Python runs one thread at a time.

Due instants are whole seconds. Work of a few ms in between makes no event late.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TypeVar

from clock.clocks import Clock
from clock.gc_pause import MANY, uncollected
from clock.ticker.planning.plan import Plan

AT_ONCE = 25  # rows between two checks: a few ms
#: The thread stops this long before a due instant: longer than the work between two checks.
AHEAD = timedelta(milliseconds=20)
COMMIT_SECONDS = 0.005  # after a firing, for its commit to reach Redis
LONGEST_SECONDS = 0.05  # the longest wait for one due instant; during a longer action the thread runs, too
LOOK_SECONDS = 0.002
QUIET = timedelta(milliseconds=500)  # a garbage collection among tens of thousands of events takes 0.1 to 0.2 s
QUIET_SECONDS = 2.0  # the longest wait for such a pause

T = TypeVar("T")


class BackgroundYield:
    """Yields to the due events of the plan while `is_needed`."""

    def __init__(self, plan: Plan, stop: threading.Event, *, clock: Clock) -> None:
        self._plan = plan
        self._stop = stop
        self._clock = clock
        self.is_needed = False  # the work is on a thread
        self._served: datetime | None = None  # the due instant that was waited for last

    def among(self, items: Iterable[T]) -> Iterator[T]:
        """Return the items one by one, and yield to due events between them."""
        for number, item in enumerate(items):
            if number % AT_ONCE == 0:
                self.yield_if_due()
            yield item

    @contextmanager
    def uncollected(self, events: int) -> Iterator[None]:
        """Prevent garbage collection inside the block; if there are many events, collect after it.

        A collection visits all events and blocks all threads, so it runs while no event is due for a while.
        """
        with uncollected(events):
            yield
            if events >= MANY and self.is_needed:
                end = self._clock.monotonic() + QUIET_SECONDS
                while self._soon(QUIET) is not None and self._clock.monotonic() < end:
                    self._clock.wait(self._stop, LOOK_SECONDS)
                self._clock.wait(self._stop, 4 * COMMIT_SECONDS)
                if self._soon(QUIET) is None:
                    gc.collect()

    def yield_if_due(self) -> None:
        """If an event is almost due, wait until it has been fired, for a short time at most."""
        due = self._soon(AHEAD)
        if not self.is_needed or due is None or due == self._served:
            return
        self._served = due
        end = self._clock.monotonic() + LONGEST_SECONDS
        while self._soon(AHEAD) == due and self._clock.monotonic() < end:
            self._clock.wait(self._stop, LOOK_SECONDS)
        self._clock.wait(self._stop, COMMIT_SECONDS)

    def _soon(self, ahead: timedelta) -> datetime | None:
        """The due instant that comes within `ahead`, or that is being fired."""
        due = self._plan.oldest_undecided
        return due if due is not None and due - self._clock.now() < ahead else None
