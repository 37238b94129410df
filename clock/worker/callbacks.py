"""Calls the application's hooks on their own thread: a slow hook delays no heartbeat, no fetch and no stop.

The same thread calls error handlers for failures of the worker's parts, and death handlers for jobs of dead
workers. Failures of a job are reported on the job's thread.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from queue import Full, Queue

from clock import worker_hooks
from clock.clocks import Clock
from clock.job.payload import Payload
from clock.worker_hooks import WorkerEvent

WAITING = 1_000  # calls that may wait behind a slow hook; further ones are dropped

logger = logging.getLogger("clock.worker")


class Callbacks:
    """One thread that calls hooks. It starts with the first call. All methods return at once."""

    def __init__(self) -> None:
        self._calls: Queue[Callable[[], object]] = Queue(WAITING)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None  # guarded by _lock
        self._beat_done = threading.Event()  # set when the hooks of the last `beat` have returned
        self._beat_done.set()
        self._beaten_at = float("-inf")  # monotonic; used by the heartbeat's thread

    def fire(self, event: WorkerEvent) -> threading.Event:
        """Call the hooks of an event. Returns an event that is set when they have returned."""
        done = threading.Event()

        def fire() -> None:
            try:
                worker_hooks.fire(event)
            finally:
                done.set()

        if not worker_hooks.has_hooks(event) or not self._call(fire):
            done.set()
        return done

    def beat(self, clock: Clock, gap_seconds: float) -> None:
        """As in Sidekiq: call the `heartbeat` hooks after the first beat and after a gap, `beat` after each.

        The `beat` hooks are not called while those of an earlier beat still run. For one thread.
        """
        now = clock.monotonic()
        if now - self._beaten_at > gap_seconds:
            self.fire("heartbeat")
        self._beaten_at = now
        if self._beat_done.is_set():
            self._beat_done = self.fire("beat")

    def report(self, error: BaseException, part: str) -> None:
        """Report an error of a part of the worker."""
        if worker_hooks.has_error_handlers():
            context = {"context": "Error in a part of the worker", "part": part}
            self._call(partial(worker_hooks.report, error, context))

    def died(self, payload: Payload, error: BaseException) -> None:
        """Report a job that a dead worker has left and that is not tried again."""
        if worker_hooks.has_death_handlers():
            self._call(partial(worker_hooks.died, payload, error))

    def _call(self, call: Callable[[], object]) -> bool:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="hooks", daemon=True)
                self._thread.start()
        try:
            self._calls.put_nowait(call)
        except Full:
            logger.error("Dropped a call of a hook: %d calls wait behind a slow hook", WAITING)
            return False
        return True

    def _run(self) -> None:
        while True:
            self._calls.get()()
