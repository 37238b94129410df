"""Locks of unique jobs in memory, for tests that run jobs without Redis: the rules of the scripts, in Python."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from clock.job.flow.unique import unique_field
from clock.job.payload import Payload
from clock.store.jobs.flow.unique_locks import Lock


class MemoryLocks:
    """The locks of a test: a job holds its lock while it is in `waiting` or runs, and until its window is over."""

    def __init__(self, waiting: list[Payload]) -> None:
        self._waiting = waiting
        self._running: list[Payload] = []
        self._windows: dict[str, tuple[str, float]] = {}  # key -> jid, end in float seconds

    def take(self, lock: Lock, now: float) -> Payload | None:
        """Take a lock, or note its `holder` in it. Returns the waiting job that the new one replaces."""
        waiting = next((one for one in self._waiting if _key_of(one) == lock.key), None)
        holder = self._holder(lock.key, waiting, now)
        if holder and lock.conflict != "replace":
            lock.holder = holder
            return None
        self._windows.pop(lock.key, None)
        if lock.window_ms:
            self._windows[lock.key] = lock.jid, now + lock.window_ms / 1000
        if waiting:
            self._waiting.remove(waiting)
        return waiting

    @contextmanager
    def running(self, payload: Payload) -> Iterator[None]:
        """Hold the lock of a job while it runs in the block, unless it lasts until the start only."""
        self._running.append(payload)
        try:
            yield
        finally:
            self._running.remove(payload)

    def _holder(self, key: str, waiting: Payload | None, now: float) -> str:
        jid, until = self._windows.get(key, ("", 0.0))
        if until > now:
            return jid
        running = (one for one in self._running if _key_of(one, starts=True) == key)
        return str((waiting or next(running, {})).get("jid", ""))


def _key_of(payload: Payload, *, starts: bool = False) -> str | None:
    """The key of the lock of a job; None: it has none, or has freed it when it started."""
    field = unique_field(payload)
    return None if field is None or (starts and field.until == "start") else field.key
