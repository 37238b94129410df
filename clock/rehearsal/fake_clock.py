"""A clock for tests. Its time changes only when the test moves it."""

from __future__ import annotations

import math
import threading
from datetime import UTC, datetime, timedelta

from clock.clocks import Correction

_LONGEST_SECONDS = 100 * 366 * 86_400.0  # the longest wait; no test moves the clock by a century
_PATIENCE_SECONDS = 10.0  # real seconds after which a test that waits in vain fails, so it does not hang


class FakeClock:
    """A `Clock` for tests: time passes only by `advance`, `run_for` and `travel_to`.

    A waiting thread wakes when its time has come, or when its stop event is set.

    >>> clock = FakeClock(datetime(2026, 11, 24, 6, tzinfo=UTC))
    >>> clock.advance(timedelta(minutes=5))
    >>> clock.now().isoformat()
    '2026-11-24T06:05:00+00:00'
    """

    def __init__(self, now: datetime) -> None:
        self._now = _in_utc(now)
        self._passed = timedelta(0)  # exact: rounded seconds would never reach a waiting thread's time
        self._changed = threading.Condition()
        self._waiters: list[timedelta] = []  # when each waiting thread wakes, by _passed; guarded by _changed

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that have passed on this clock; setting the wall clock does not change it."""
        return self._passed.total_seconds()

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        """Wait until `stop` is set or this clock has been moved by `seconds`; True: it was set."""
        with self._changed:
            microseconds = min(max(0.0, seconds), _LONGEST_SECONDS) * 1e6
            wakes_at = self._passed + timedelta(
                microseconds=math.ceil(round(microseconds, 3))
            )  # floats are inexact
            self._waiters.append(wakes_at)
            self._changed.notify_all()
            try:
                while not stop.is_set() and self._passed < wakes_at:
                    self._changed.wait(0.005)
            finally:
                self._waiters.remove(wakes_at)
        return stop.is_set()

    def correct(self, server_time: datetime, asked: float) -> Correction:
        """Do nothing: only the test moves this clock."""
        return Correction()

    def advance(self, by: timedelta) -> None:
        """Move the clock by `by`. Raises ValueError if it is negative."""
        if by < timedelta(0):
            raise ValueError(f"time cannot go back by {by!r}; travel_to sets the wall clock back")
        with self._changed:
            self._now += by
            self._passed += by
            self._changed.notify_all()

    def run_for(self, period: timedelta) -> None:
        """Move the clock by `period`, and stop at each instant that a thread waits for, so each wakes at its time.

        Raises ValueError if it is negative.
        """
        end = self._passed + period
        while True:
            with self._changed:
                upcoming = min((at for at in self._waiters if at > self._passed), default=end)
            self.advance(min(upcoming, end) - self._passed)
            if self._passed >= end:
                return

    def travel_to(self, instant: datetime) -> None:
        """Set the wall clock, forwards or back. Does not shorten waits. Raises ValueError for a naive datetime."""
        with self._changed:
            self._now = _in_utc(instant)
            self._changed.notify_all()

    def block_until(self, waiters: int) -> None:
        """Block until `waiters` threads wait on this clock. Raises TimeoutError after 10 real seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._waiters) >= waiters, _PATIENCE_SECONDS):
                raise TimeoutError(f"{len(self._waiters)} callers wait on the clock, not {waiters}")


def _in_utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError(f"a FakeClock needs an aware datetime, {instant!r} has no zone")
    return instant.astimezone(UTC)
