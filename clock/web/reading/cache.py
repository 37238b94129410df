"""Caches of reads and computations that many requests share for a short time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

from clock.clocks import Clock
from clock.forking import restart_in_child

logger = logging.getLogger("clock.web")

K = TypeVar("K")
T = TypeVar("T")

MOST_KEPT = 8  # results of a background computation, the latest ones


class Cached(Generic[T]):
    """Keeps the result of `look` for `seconds`.

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

    def get(self) -> T:
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


class Background(Generic[K, T]):
    """Keeps results of a long computation for `seconds`. One runs at a time, on a thread."""

    def __init__(self, compute: Callable[[K], T], seconds: float, *, clock: Clock) -> None:
        self._compute, self._seconds, self._clock = compute, seconds, clock
        self._lock = threading.Lock()
        self._kept: dict[K, tuple[float, T | Exception]] = {}  # guarded by _lock
        self._ended: threading.Event | None = None  # of the computation that runs; guarded by _lock
        restart_in_child(self)

    def begin_in_child(self) -> None:
        """Forget the parent's computation: its thread is not in this process."""
        self._lock, self._ended = threading.Lock(), None

    def get(self, key: K, patience_seconds: float) -> T | None:
        """The result for a key; None: it was not computed within the patience. Raises the errors of `compute`."""
        end = self._clock.monotonic() + patience_seconds
        while True:
            with self._lock:
                kept_at, found = self._kept.get(key, (0.0, None))
                is_fresh = found is not None and self._clock.monotonic() - kept_at <= self._seconds
                if not is_fresh and self._ended is None:
                    work = partial(self._run, key, begun := threading.Event())
                    threading.Thread(target=work, name="dashboard computes", daemon=True).start()
                    self._ended = begun  # only if the thread could be started
                ended = self._ended
            if is_fresh and isinstance(found, Exception):
                raise found
            left = end - self._clock.monotonic()
            if is_fresh or ended is None or left <= 0:
                return found if is_fresh and not isinstance(found, Exception) else None
            ended.wait(left)

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
