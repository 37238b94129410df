"""A summary of all events: which need attention, and when each runs next and ran last.

A thread reads all events, a hundred at a time: 10,000 take a second or two. Then it pauses for 20 times as long.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from clock.clocks import Clock
from clock.forking import restart_in_child
from clock.inspection.events.event_rows import Summary

AT_ONCE = 100  # events; this many are read while the page waits
FRESH_SECONDS = 5.0  # for which a reading of all events is not repeated
STALE_SECONDS = 60.0  # after a pause in visits of this length, a page shows how many events have been read since
SHARE = 20  # a reading that took a second is repeated after 20 s
PATIENCE_SECONDS = 5.0  # for which a page waits for a reading of at most AT_ONCE events

Read = Callable[[Sequence[str]], Sequence[Summary]]


@dataclass(frozen=True)
class Found:
    """Event -> its summary; `looked` of `total` events have been read.

    `error` ended the last reading, and no later one has succeeded. No summary is older than `age_seconds`, if all
    have been read.
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
    """Event -> its summary. `read` returns the summary of each event of some names."""

    def __init__(self, read: Read, *, clock: Clock) -> None:
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
