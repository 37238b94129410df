"""A thread beside the loop yields while an event is due, as Python runs one thread at a time.

Due instants are whole seconds: what is done in between, a few ms at a time, makes no event late.
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
from clock.ticker.plan import Plan

AT_ONCE = 25  # rows between two looks: a few ms
AHEAD = timedelta(milliseconds=20)  # before a due instant, longer than what is done between two looks
COMMIT_SECONDS = 0.005  # after a firing, for it to reach Redis
LONGEST_SECONDS = 0.05  # for one due instant: where an action takes longer, both go on
LOOK_SECONDS = 0.002
QUIET = timedelta(milliseconds=500)  # a search for garbage among tens of thousands of events takes 0.1 to 0.2 s
QUIET_SECONDS = 2.0  # how long such a while is waited for

T = TypeVar("T")


class BackgroundYield:
    """Yields to what is due by the plan, from `begin` on: until then there is no thread beside the loop."""

    def __init__(self, plan: Plan, stop: threading.Event, *, clock: Clock) -> None:
        self._plan = plan
        self._stop = stop
        self._clock = clock
        self._is_needed = False
        self._served: datetime | None = None  # the due instant that was waited for last

    def begin(self) -> None:
        """Yield from now on."""
        self._is_needed = True

    def among(self, items: Iterable[T]) -> Iterator[T]:
        """The items; every so often it yields first."""
        for number, item in enumerate(items):
            if number % AT_ONCE == 0:
                self.yield_if_due()
            yield item

    @contextmanager
    def uncollected(self, events: int) -> Iterator[None]:
        """Let no search for cyclic garbage begin inside the block; where there are many events, do it after it.

        A search goes through all events, and holds up all threads: it is done where nothing is due for a while.
        """
        with uncollected(events):
            yield
            if events >= MANY and self._is_needed and self._is_quiet():
                gc.collect()

    def _is_quiet(self) -> bool:
        """Wait, but not for long, until nothing is due for a while; whether it is so."""
        end = self._clock.monotonic() + QUIET_SECONDS
        while self._soon(QUIET) is not None and self._clock.monotonic() < end:
            self._clock.wait(self._stop, LOOK_SECONDS)
        self._clock.wait(self._stop, 4 * COMMIT_SECONDS)
        return self._soon(QUIET) is None

    def yield_if_due(self) -> None:
        """If an event is about to be due, wait until it has been fired, but not for long."""
        due = self._soon()
        if not self._is_needed or due is None or due == self._served:
            return
        self._served = due
        end = self._clock.monotonic() + LONGEST_SECONDS
        while self._soon() == due and self._clock.monotonic() < end:
            self._clock.wait(self._stop, LOOK_SECONDS)
        self._clock.wait(self._stop, COMMIT_SECONDS)

    def _soon(self, ahead: timedelta = AHEAD) -> datetime | None:
        """The due instant that comes within `ahead`, or is being fired."""
        due = self._plan.oldest_undecided
        return due if due is not None and due - self._clock.now() < ahead else None
