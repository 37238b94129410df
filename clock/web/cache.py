"""Reads and computations that many requests share for a short time; threads repeat the long ones."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Generic, TypeVar

from clock.clocks import Clock
from clock.forking import restart_in_child
from clock.inspection.events.event_rows import Summary

logger = logging.getLogger("clock.web")

K = TypeVar("K")
T = TypeVar("T")

SHARE = 20  # a computation that took a second is repeated after 20 s
AT_ONCE = 100  # events; this many are read while the page waits
FRESH_SECONDS = 5.0  # for which a reading of all events is not repeated
STALE_SECONDS = 60.0  # after a pause in visits of this length, a page shows how many events have been read since
PATIENCE_SECONDS = 5.0  # for which a page waits for a reading of at most AT_ONCE events
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


@dataclass(frozen=True)
class Found:
    """Event -> its summary; `looked` of `total` events have been read.

    `error` ended the last reading. If all have been read, no summary is older than `age_seconds`.
    """

    by_name: Mapping[str, Summary]
    looked: int
    total: int
    error: Exception | None = None
    age_seconds: float = 0.0

    @cached_property
    def troubles(self) -> Mapping[str, str]:
        """Event -> its trouble, `failing` or `missed`; the others are left out."""
        return {name: one.trouble for name, one in self.by_name.items() if one.trouble}

    @property
    def is_complete(self) -> bool:
        """Whether all events have been read."""
        return self.looked >= self.total


class Overview:
    """A summary of all events: which need attention, and when each runs next and ran last.

    A thread reads them with `read`, a hundred at a time: 10,000 take a second or two. Then it pauses for 20 times
    as long.
    """

    def __init__(self, read: Callable[[Sequence[str]], Sequence[Summary]], *, clock: Clock) -> None:
        self._read, self._clock = read, clock
        self._lock = threading.Lock()
        self._found: dict[str, Summary] = {}  # guarded by _lock
        self._looked = 0  # events read since the first visit, or since a pause in visits; guarded by _lock
        self._repeat_at = 0.0  # monotonic seconds; guarded by _lock
        self._began = 0.0  # monotonic seconds: the start of the latest complete reading; guarded by _lock
        self._ended: threading.Event | None = None  # of the reading in progress; guarded by _lock
        self._error: Exception | None = None  # of the last reading that ended; guarded by _lock
        restart_in_child(self)

    def begin_in_child(self) -> None:
        """Forget the parent's reading: its thread is not in this process."""
        self._lock, self._ended = threading.Lock(), None

    def get(self, names: Sequence[str], patience_seconds: float = 0.0) -> Found:
        """The summaries that are known. Waits for the reading of all events, but not longer than the patience."""
        with self._lock:
            late_seconds = self._clock.monotonic() - self._repeat_at
            if self._ended is None and late_seconds >= 0:
                self._looked = 0 if late_seconds > STALE_SECONDS else self._looked
                begun = threading.Event()
                work = partial(self._run, names, begun)
                threading.Thread(target=work, name="dashboard reads events", daemon=True).start()
                self._ended = begun  # the thread waits for the lock
            ended, is_first = self._ended, self._looked < len(names) or self._error is not None
        if ended and len(names) <= AT_ONCE:
            ended.wait(PATIENCE_SECONDS)
        elif ended and is_first:
            ended.wait(patience_seconds)
        with self._lock:
            age_seconds = self._clock.monotonic() - self._began
            return Found(dict(self._found), min(self._looked, len(names)), len(names), self._error, age_seconds)

    def forget(self) -> None:
        """Read the events again at the next call: something was changed."""
        with self._lock:
            self._ended, self._repeat_at = None, self._clock.monotonic()

    def _run(self, names: Sequence[str], ended: threading.Event) -> None:
        """One reading of all events; it stops if a change made it stale."""
        began, looked, failure = self._clock.monotonic(), 0, None
        try:
            while looked < len(names):
                part = names[looked : looked + AT_ONCE]
                found = zip(part, self._read(part), strict=True)
                looked += len(part)
                with self._lock:
                    if self._ended is not ended:
                        break
                    self._looked = max(self._looked, looked)
                    self._found.update(found)
        except Exception as error:  # noqa: BLE001  # the page shows it
            failure = error
        with self._lock:
            if self._ended is ended:
                now, self._error = self._clock.monotonic(), failure
                self._ended, self._repeat_at = None, now + max(FRESH_SECONDS, SHARE * (now - began))
                self._found = {name: self._found[name] for name in names if name in self._found}
                self._began = self._began if failure else began
        ended.set()
