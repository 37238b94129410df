"""The connections of a pool that are free."""

from __future__ import annotations

import threading
from contextlib import suppress
from queue import Empty, Full
from typing import Any

from clock.clocks import SystemClock

_monotonic = SystemClock().monotonic


class FreeConnections:
    """Returns the connection that was put back last, or None if a new one must be opened.

    It has those methods of `queue.LifoQueue` that the client library's pool calls, and each call takes a
    quarter of its time. The methods of a list are atomic, so a lock is needed only while a thread waits.
    """

    def __init__(self, size: int) -> None:
        self.queue: list[Any] = []  # the library looks into it, too
        self._size = size
        self._returned = threading.Condition()
        self._waiting = 0  # guarded by _returned

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """The next one; waits for it for `timeout` seconds, None: for as long as it takes. Raises Empty."""
        try:
            return self.queue.pop()
        except IndexError:
            if not block:
                raise Empty from None
        return self._wait(timeout)

    def get_nowait(self) -> Any:
        """The next one. Raises Empty."""
        return self.get(block=False)

    def put_nowait(self, link: Any) -> None:
        """Return one. Raises Full if all are here."""
        if len(self.queue) >= self._size:
            raise Full
        self.queue.append(link)
        if self._waiting:  # a thread that starts to wait after this checks the list first
            with self._returned:
                self._returned.notify()

    def _wait(self, seconds: float | None) -> Any:
        until = None if seconds is None else _monotonic() + seconds
        with self._returned:
            self._waiting += 1
            try:
                while True:
                    with suppress(IndexError):
                        return self.queue.pop()
                    if not self._returned.wait(None if until is None else until - _monotonic()):
                        raise Empty
            finally:
                self._waiting -= 1
