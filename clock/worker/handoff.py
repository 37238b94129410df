"""Claimed jobs that wait for a thread, and threads that wait for a job.

While jobs are short, one thread runs them all and the others rest: with Python's one lock, handing over costs
more than such a job takes. As soon as a job turns out to be longer, those behind it are handed to other threads.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue

from clock.store.jobs.in_progress import Claimed
from clock.worker.pace import Pace


class Slot:
    """One of the jobs that may run at once: which it is, and since when (monotonic seconds).

    `tid` is its name on Sidekiq's page; `gate` is where its thread rests; `watches`: it is to wait
    for a job itself.
    """

    __slots__ = ("gate", "job", "started", "tid", "watches")

    def __init__(self, tid: str) -> None:
        self.tid = tid
        self.job: Claimed | None = None
        self.started = 0.0
        self.watches = False
        self.gate = threading.Lock()
        self.gate.acquire()


class Ready:
    """Hands jobs to threads, and calls the fetcher when there will be too few."""

    def __init__(self, pace: Pace, threads: int) -> None:
        self._pace = pace
        self._threads = threads
        self._lock = threading.Lock()
        self._jobs: deque[Claimed] = deque()
        self._resting: list[Slot] = []  # guarded by _lock
        self._calls: SimpleQueue[None] = SimpleQueue()
        self._low = -1  # at so many jobs the fetcher is to be called; -1: it does not wait
        self._stopped = False

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def resting(self) -> int:
        """How many threads wait for a job."""
        return len(self._resting)

    def take(self, slot: Slot) -> Claimed | None:
        """The next job for this thread; waits for one. None: it is to watch, or no more are handed out."""
        while not (self._stopped or slot.watches):
            if not (self._pace.is_short and self._threads - len(self._resting) > 1):
                try:
                    job = self._jobs.popleft()
                except IndexError:
                    pass
                else:
                    if len(self._jobs) <= self._low:
                        self.call()
                    return job
            self._rest(slot)
        return None

    def add(self, jobs: Sequence[Claimed]) -> None:
        """Hand out these jobs, after those that wait."""
        with self._lock:
            self._jobs.extend(jobs)
            self._wake(self._wanted())

    def spread(self) -> None:
        """Wake as many threads as there are jobs: the one that should run them is held up by a long one."""
        with self._lock:
            self._wake(len(self._jobs))

    def ask_to_watch(self) -> bool:
        """Wake a thread to wait for the next job itself; False: none rests."""
        with self._lock:
            if not self._resting or self._stopped:
                return False
            slot = self._resting.pop()
            slot.watches = True
            slot.gate.release()
            return True

    def take_all(self) -> list[Claimed]:
        """Take what waits, in its order; threads may take some of it meanwhile."""
        jobs: list[Claimed] = []
        with suppress(IndexError):  # not asked for before: a thread may take the last one in between
            while True:
                jobs.append(self._jobs.popleft())
        return jobs

    def call(self) -> None:
        """Wake the fetcher."""
        self._low = -1
        self._calls.put(None)

    def wait_for_call(self, low: int, seconds: float) -> bool:
        """Wait until at most `low` jobs wait or a thread rests; False: `seconds` have passed."""
        while not self._calls.empty():
            self._calls.get()
        self._low = low
        if len(self._jobs) <= low and self._resting:
            return True
        try:
            self._calls.get(timeout=seconds)
        except Empty:
            return False
        return True

    def stop(self) -> None:
        """Hand out no more jobs."""
        self._stopped = True
        with self._lock:
            self._wake(len(self._resting))
        self.call()

    def _rest(self, slot: Slot) -> None:
        with self._lock:
            active = self._threads - len(self._resting)
            if self._stopped or (self._jobs and not (self._pace.is_short and active > 1)):
                return
            self._resting.append(slot)
        if self._low >= 0 and not self._jobs:
            self.call()
        slot.gate.acquire()

    def _wanted(self) -> int:
        if self._pace.is_short:
            return 1 if len(self._resting) == self._threads else 0
        return len(self._jobs)

    def _wake(self, count: int) -> None:
        for _ in range(min(count, len(self._resting))):
            self._resting.pop().gate.release()
