"""Caches of reads and computations that many requests share for a short time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from clock.clocks import Clock
from clock.forking import restart_in_child

logger = logging.getLogger("clock.web")

K = TypeVar("K")
T = TypeVar("T")

SHARE = 20  # a computation that took a second is repeated after 20 s
MOST_KEPT = 8  # results of a background computation, the latest ones


class Cached(Generic[T]):
    """Keeps the result of `look` for `seconds`. To call it is to get the result.

    An older result is still returned for `grace_seconds`, while a thread looks again, so no visitor waits for a
    long look. After that, the next caller looks, and the others wait for it.
    """

    def __init__(self, look: Callable[[], T], seconds: float, *, clock: Clock, grace_seconds: float = 0.0) -> None:
        self._look, self._seconds, self._grace, self._clock = look, seconds, grace_seconds, clock
        self._lock = threading.Lock()
        self._kept: tuple[float, T] | None = None  # guarded by _lock
        self._looking: object = None  # the look of a thread, until it has ended or is forgotten; guarded by _lock
        restart_in_child(self)

    def begin_in_child(self) -> None:
        """Forget the parent's look: its thread is not in this process."""
        self._lock, self._looking = threading.Lock(), None

    def __call__(self) -> T:
        """A result that is at most `seconds` old, or a little older. Raises the errors of `look`."""
        with self._lock:
            now = self._clock.monotonic()
            if self._kept is None or now - self._kept[0] > self._seconds + self._grace:
                self._kept = (now, self._look())
            elif now - self._kept[0] > self._seconds and self._looking is None:
                look = object()
                threading.Thread(
                    target=self._look_again, args=(look,), name="dashboard reads", daemon=True
                ).start()
                self._looking = look  # only if the thread could be started
            return self._kept[1]

    def forget(self) -> None:
        """Look again at the next call: something was changed."""
        with self._lock:
            self._kept = self._looking = None

    def _look_again(self, look: object) -> None:
        """Replace the result, unless it was forgotten. After an error, the old one stays for its grace."""
        now = self._clock.monotonic()
        try:
            found = self._look()
        except Exception as error:  # noqa: BLE001  # a caller gets it when the grace is over
            logger.debug("The dashboard could not refresh what it shows: %s", error)
            found = None
        with self._lock:
            if self._looking is look:
                self._looking = None
                self._kept = self._kept if found is None else (now, found)


@dataclass(frozen=True, slots=True)
class _Result(Generic[T]):
    """The result or the error of a computation, its start, and the time of the next one (monotonic seconds)."""

    found: T | Exception
    at: float
    repeat_at: float


class Background(Generic[K, T]):
    """Keeps results of a long computation for `seconds`. One runs at a time, on a thread.

    A result is returned until its successor exists. A computation that took a second is repeated after `SHARE`
    seconds at the earliest.
    """

    def __init__(self, compute: Callable[[K], T], seconds: float, *, clock: Clock) -> None:
        self._compute, self._seconds, self._clock = compute, seconds, clock
        self._lock = threading.Lock()
        self._kept: dict[K, _Result[T]] = {}  # guarded by _lock
        self._ended: threading.Event | None = None  # of the computation that runs; guarded by _lock
        restart_in_child(self)

    def begin_in_child(self) -> None:
        """Forget the parent's computation: its thread is not in this process."""
        self._lock, self._ended = threading.Lock(), None

    def get(self, key: K, patience_seconds: float) -> tuple[T, float] | None:
        """The result for a key, and its age in seconds; None: none was computed within the patience.

        An old result is returned if its successor was not computed within it. Raises the errors of `compute`.
        """
        end = self._clock.monotonic() + patience_seconds
        while True:
            with self._lock:
                now, kept = self._clock.monotonic(), self._kept.get(key)
                is_fresh = kept is not None and now <= kept.repeat_at
                if not is_fresh and self._ended is None:
                    work = partial(self._run, key, begun := threading.Event())
                    threading.Thread(target=work, name="dashboard computes", daemon=True).start()
                    self._ended = begun  # only if the thread could be started
                ended = self._ended
            left = end - now
            if kept is not None and (is_fresh or left <= 0):
                if not isinstance(kept.found, Exception):
                    return kept.found, now - kept.at
                if is_fresh:
                    raise kept.found
            if ended is None or left <= 0:
                return None
            ended.wait(left)

    def _run(self, key: K, ended: threading.Event) -> None:
        began = self._clock.monotonic()
        try:
            result: T | Exception = self._compute(key)
        except Exception as error:  # noqa: BLE001  # the caller gets it
            result = error
        with self._lock:
            now = self._clock.monotonic()
            self._kept.pop(key, None)
            self._kept[key] = _Result(result, began, now + max(self._seconds, SHARE * (now - began)))
            for old in list(self._kept)[:-MOST_KEPT]:
                del self._kept[old]
            self._ended = None
        ended.set()
