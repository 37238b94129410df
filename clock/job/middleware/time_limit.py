"""`timeout`: a job that runs for longer is interrupted, which counts as a failure.

A thread is interrupted by an exception that Python raises in it before its next instruction. A call that does not
return to Python, such as one into a database driver or `time.sleep`, ends first: such calls need their own limits.
A coroutine is cancelled at its next `await`.
"""

from __future__ import annotations

import asyncio
import ctypes
import math
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from clock.clocks import Clock, SystemClock
from clock.errors import JobTimeout
from clock.forking import in_child
from clock.job.context import RunningJob
from clock.job.payload import INTERVAL_LIMIT, Payload, in_seconds

_set_exception = ctypes.pythonapi.PyThreadState_SetAsyncExc
_set_exception.argtypes = (ctypes.c_ulong, ctypes.c_void_p)  # the exception's class, or NULL to call one back


def limit_time(job: RunningJob, payload: Payload, queue: str) -> AbstractContextManager[None] | None:
    """Server middleware: interrupt the job when its `timeout`, the payload's or its class's, has passed."""
    timeout = payload.get("timeout", job.timeout)
    seconds = None if timeout is None else in_seconds(timeout)
    if seconds is None or not 0 < seconds < INTERVAL_LIMIT:  # another program's payload may hold any number
        return None
    job.deadline = job.context.clock.now() + timedelta(seconds=seconds)
    return _task_limited(seconds) if job.is_coroutine() else _thread_limited(seconds)


@contextmanager
def _task_limited(seconds: float) -> Iterator[None]:
    """`asyncio.timeout` as a plain context manager."""
    task = cast("asyncio.Task[object]", asyncio.current_task())
    cancels_before, fired = task.cancelling(), False

    def cancel() -> None:
        nonlocal fired
        fired = True
        task.cancel()

    handle = asyncio.get_running_loop().call_later(seconds, cancel)
    try:
        yield
    except asyncio.CancelledError as error:
        if fired and task.cancelling() == cancels_before + 1:  # no other code has cancelled it, too
            raise JobTimeout(seconds) from error
        raise
    finally:
        handle.cancel()
        if fired:
            task.uncancel()


@contextmanager
def _thread_limited(seconds: float) -> Iterator[None]:
    try:
        limit = _watchdog.watch(threading.get_ident(), seconds)
        try:
            yield
        finally:
            _watchdog.forget(limit)
    except JobTimeout as error:  # pragma: no cover  # tests interrupt no thread that coverage traces
        raise JobTimeout(seconds) from error


@dataclass(slots=True, eq=False)
class _Limit:
    deadline: float  # on the monotonic clock
    thread: int
    fired: bool = False


class _Watchdog:
    """One thread a process that interrupts the threads whose time is over. It is started when first needed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        # Taken as itself, not through the condition: only a lock written in C cannot be interrupted half taken.
        self._lock = threading.Lock()
        self._nearer = threading.Condition(self._lock)
        self._limits: set[_Limit] = set()  # at most a few for each thread; guarded by _lock
        self._wakes_at = math.inf  # guarded by _lock
        self._thread: threading.Thread | None = None  # guarded by _lock

    def watch(self, thread: int, seconds: float) -> _Limit:
        """Interrupt `thread` after `seconds`, unless `forget` is called before."""
        limit = _Limit(self._clock.monotonic() + seconds, thread)
        with self._lock:
            self._limits.add(limit)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="time limits", daemon=True)
                self._thread.start()
            elif limit.deadline < self._wakes_at:
                self._nearer.notify()
        return limit

    def forget(self, limit: _Limit) -> None:
        """Stop interrupting; an interruption that has not arrived yet is called back."""
        with self._lock:
            self._limits.discard(limit)
            if limit.fired:  # pragma: no cover  # tests interrupt no thread that coverage traces
                _set_exception(limit.thread, None)

    def _run(self) -> None:
        with self._lock:
            while True:
                now = self._clock.monotonic()
                late = [limit for limit in self._limits if limit.deadline <= now]
                for limit in late:  # pragma: no cover  # tests interrupt no thread that coverage traces
                    self._limits.discard(limit)
                    limit.fired = True
                    _set_exception(limit.thread, id(JobTimeout))
                self._wakes_at = min((limit.deadline for limit in self._limits), default=math.inf)
                self._nearer.wait(self._wakes_at - now if self._limits else None)


_watchdog = _Watchdog(SystemClock())
in_child(_watchdog.reset)  # one a process: its thread is the parent's, and its lock may have been held
