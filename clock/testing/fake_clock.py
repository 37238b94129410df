"""A clock that stands still until it is told to move."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

_PATIENCE_SECONDS = 10.0  # real seconds after which a test that waits for nothing fails rather than hangs


class FakeClock:
    """A `Clock` for tests: time passes only by `advance`, `run_for` and `travel_to`.

    Who waits on it wakes when its time has come, or when its stop event is set.

    >>> clock = FakeClock(datetime(2026, 11, 24, 6, tzinfo=UTC))
    >>> clock.advance(timedelta(minutes=5))
    >>> clock.now().isoformat()
    '2026-11-24T06:05:00+00:00'
    """

    def __init__(self, now: datetime) -> None:
        if now.tzinfo is None:
            raise ValueError(f"a FakeClock needs an aware datetime, {now!r} has no zone")
        self._now = now.astimezone(UTC)
        self._monotonic = 0.0
        self._changed = threading.Condition()
        self._waiters: list[float] = []  # monotonic deadlines; guarded by _changed

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that have passed on this clock; setting the wall clock does not change it."""
        return self._monotonic

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        """Wait until `stop` is set or this clock has been moved by `seconds`; True: it was set."""
        with self._changed:
            deadline = self._monotonic + max(0.0, seconds)
            self._waiters.append(deadline)
            self._changed.notify_all()
            try:
                while not stop.is_set() and self._monotonic < deadline:
                    self._changed.wait(0.005)
            finally:
                self._waiters.remove(deadline)
        return stop.is_set()

    def advance(self, by: timedelta) -> None:
        """Let `by` pass at once."""
        with self._changed:
            self._now += by
            self._monotonic += by.total_seconds()
            self._changed.notify_all()

    def run_for(self, period: timedelta) -> None:
        """Let `period` pass, and stop at each moment that somebody waits for: each wakes at its time."""
        end = self._monotonic + period.total_seconds()
        while True:
            with self._changed:
                upcoming = min((at for at in self._waiters if at > self._monotonic), default=end)
            step = min(upcoming, end) - self._monotonic
            self.advance(timedelta(seconds=step))
            if self._monotonic >= end:
                return

    def travel_to(self, instant: datetime) -> None:
        """Set the wall clock, forwards or back, as an administrator might; waits are not shortened by it."""
        with self._changed:
            self._now = instant.astimezone(UTC)
            self._changed.notify_all()

    def block_until(self, waiters: int) -> None:
        """Block until `waiters` callers wait on this clock. Raises TimeoutError after 10 real seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._waiters) >= waiters, _PATIENCE_SECONDS):
                raise TimeoutError(f"{len(self._waiters)} callers wait on the clock, not {waiters}")
