"""A cache of reads from Redis that many requests share for a short time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from clock.clocks import Clock

T = TypeVar("T")


class Cached(Generic[T]):
    """Keeps the result of `look` for `seconds`; then the next caller looks again, and the others wait for it."""

    def __init__(self, look: Callable[[], T], seconds: float, *, clock: Clock) -> None:
        self._look, self._seconds, self._clock = look, seconds, clock
        self._lock = threading.Lock()
        self._kept: tuple[float, T] | None = None  # guarded by _lock

    def get(self) -> T:
        """A result that is at most `seconds` old. Raises the errors of `look`."""
        with self._lock:
            now = self._clock.monotonic()
            if self._kept is None or now - self._kept[0] > self._seconds:
                self._kept = (self._clock.monotonic(), self._look())
            return self._kept[1]

    def forget(self) -> None:
        """Look again at the next call: something was changed."""
        with self._lock:
            self._kept = None
