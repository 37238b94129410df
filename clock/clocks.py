"""The only module that reads the time, or waits.

All other code receives a `Clock`. So a test can run a year of a clock file in a second.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol

#: Seconds since some fixed moment, of this machine. For code that runs at each push: the method of `SystemClock`
#: costs a further call. Bound here once: a job may replace `time.monotonic`.
monotonic = time.monotonic
#: Float seconds since 1970 by this machine's clock. For log lines.
unix_seconds = time.time


class Clock(Protocol):
    """A source of time."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        """Wait until `stop` is set or `seconds` have passed; True: it was set."""

    def correct(self, server_time: datetime, asked: float) -> Correction:
        """Follow the server's time, requested at the monotonic time `asked` and received now. Fakes stay."""


class Correction(NamedTuple):
    """How far a clock was moved, and how far the machine's clock is ahead of the server's."""

    moved: timedelta = timedelta(0)
    skew: timedelta = timedelta(0)


class SystemClock:
    """The machine's own clock, plus `offset` (Redis's clock minus this machine's).

    >>> SystemClock().now().tzinfo
    datetime.timezone.utc
    """

    def __init__(self, offset: timedelta = timedelta(0)) -> None:
        self.offset = offset

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        return datetime.now(UTC) + self.offset

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        return monotonic()

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        """Wait until `stop` is set or `seconds` have passed; True: it was set."""
        return stop.wait(max(0.0, seconds))

    def correct(self, server_time: datetime, asked: float) -> Correction:
        """Set `offset` by the server's time, requested at the monotonic time `asked` and received now."""
        half = timedelta(seconds=(self.monotonic() - asked) / 2)
        moved = _beyond(half, server_time + half - self.now())
        self.offset += moved
        return Correction(moved, -self.offset)


class ServerClock:
    """Redis's time. Between two synchronizations, the machine's monotonic clock counts on.

    Setting the machine's wall clock, manually or by NTP, has no effect. After a suspend it is late until the next
    synchronization. Until the first one it is the machine's own time.
    """

    def __init__(self, machine: Clock) -> None:
        self._machine = machine
        self.monotonic, self.wait = machine.monotonic, machine.wait
        self._known = (machine.now(), machine.monotonic())  # an instant and its monotonic time; replaced together

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        instant, then = self._known
        return instant + timedelta(seconds=self._machine.monotonic() - then)

    def correct(self, server_time: datetime, asked: float) -> Correction:
        """Set the time to the server's, requested at the monotonic time `asked` and received now."""
        answered = self._machine.monotonic()
        half = timedelta(seconds=(answered - asked) / 2)
        instant, then = self._known
        moved = _beyond(half, server_time + half - (instant + timedelta(seconds=answered - then)))
        if moved:
            self._known = (server_time + half, answered)
        return Correction(moved, self._machine.now() - self.now())


def _beyond(half: timedelta, moved: timedelta) -> timedelta:
    """The change of a clock. Changes within half the round trip are 0, so a slow network causes no jitter."""
    return moved if abs(moved) > half else timedelta(0)


def to_ms(instant: datetime) -> int:
    """An aware datetime as whole milliseconds since 1970, the unit in Redis.

    >>> to_ms(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000
    """
    since = instant - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def from_ms(ms: int) -> datetime:
    """Whole milliseconds since 1970 as an aware datetime in UTC.

    >>> from_ms(1000).isoformat()
    '1970-01-01T00:00:01+00:00'
    """
    return _EPOCH + timedelta(milliseconds=ms)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
