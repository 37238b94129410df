"""Caches of reads and computations that many requests share for a short time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from clock.clocks import Clock

K = TypeVar("K")
T = TypeVar("T")

MOST_KEPT = 8  # results of a background computation, the latest ones


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


class Background(Generic[K, T]):
    """Keeps results of a long computation for `seconds`. One runs at a time, on a thread."""

    def __init__(self, compute: Callable[[K], T], seconds: float, *, clock: Clock) -> None:
        self._compute, self._seconds, self._clock = compute, seconds, clock
        self._lock = threading.Lock()
        self._kept: dict[K, tuple[float, T | Exception]] = {}  # guarded by _lock
        self._ended: threading.Event | None = None  # of the computation that runs; guarded by _lock

    def get(self, key: K, patience_seconds: float) -> T | None:
        """The result for a key; None: it was not computed within the patience. Raises the errors of `compute`."""
        end = self._clock.monotonic() + patience_seconds
        while True:
            with self._lock:
                found = self._fresh(key)
                if found is None and self._ended is None:
                    self._start(key)
                ended = self._ended
            if isinstance(found, Exception):
                raise found
            left = end - self._clock.monotonic()
            if found is not None or ended is None or left <= 0:
                return found
            ended.wait(left)

    def _fresh(self, key: K) -> T | Exception | None:
        kept = self._kept.get(key)
        return kept[1] if kept and self._clock.monotonic() - kept[0] <= self._seconds else None

    def _start(self, key: K) -> None:
        ended = self._ended = threading.Event()
        threading.Thread(target=self._run, args=(key, ended), name="dashboard computes", daemon=True).start()

    def _run(self, key: K, ended: threading.Event) -> None:
        try:
            result: T | Exception = self._compute(key)
        except Exception as error:  # noqa: BLE001  # the caller gets it
            result = error
        with self._lock:
            self._kept[key] = (self._clock.monotonic(), result)
            for old in list(self._kept)[:-MOST_KEPT]:
                del self._kept[old]
            self._ended = None
        ended.set()
