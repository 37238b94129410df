"""Claimed jobs that wait for a thread, and threads that wait for a job.

While jobs are short, one thread runs them all and the others rest: with Python's one lock, handing over costs
more than such a job takes. As soon as a job turns out to be longer, the jobs behind it go to other threads.
How many jobs are claimed at once follows from the same measurement.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue

from clock.job.context import RunState
from clock.store.jobs.moves import Claimed

SOON_SECONDS = 0.01  # what is claimed at once should be done within about this time
SHORT_SECONDS = 0.0003  # shorter jobs are run by one thread: handing over costs more than such a job
MOST_AT_ONCE = 500
YIELD_SECONDS = 0.00002  # jobs that never wait keep Python's lock for 5 ms; without it the fetcher cannot claim
_WEIGHT = 0.1  # of the latest job in the mean


class Pace:
    """The mean time per job. A time over `SOON_SECONDS` counts as that: jobs that long are claimed one by one.

    Job threads write it without a lock: a lost sample does not matter.
    """

    def __init__(self) -> None:
        self._mean_seconds = SOON_SECONDS
        self.finished = 0

    def note(self, seconds: float) -> None:
        """A job took so long."""
        self._mean_seconds += _WEIGHT * (min(seconds, SOON_SECONDS) - self._mean_seconds)
        self.finished += 1

    def note_stall(self) -> None:
        """Forget the measured times: a job takes much longer."""
        self._mean_seconds = SOON_SECONDS

    @property
    def is_short(self) -> bool:
        """Whether one thread does more than several, as they would wait for each other and not for their jobs."""
        return self._mean_seconds < SHORT_SECONDS

    def how_many(self, threads: int) -> int:
        """How many jobs `threads` threads do soon; 0: jobs are long, and each thread wants one."""
        if self._mean_seconds > SOON_SECONDS / 2:
            return 0
        working = 1 if self.is_short else threads
        return min(MOST_AT_ONCE, int(working * SOON_SECONDS / max(self._mean_seconds, 1e-6)))


class Slot:
    """A thread's slot: the job that runs in it, and since when (monotonic seconds).

    `tid` is its name on Sidekiq's page. Its thread rests by acquiring `wake`. `waits_idle`: its thread waits in
    Redis for the next job.
    """

    __slots__ = ("job", "started", "state", "tid", "waits_idle", "wake")

    def __init__(self, tid: str) -> None:
        self.tid = tid
        self.job: Claimed | None = None
        self.state: RunState | None = None  # of the job's run
        self.started = 0.0
        self.waits_idle = False
        self.wake = threading.Lock()
        self.wake.acquire()


class Handoff:
    """Hands jobs to threads, and calls the fetcher when there will be too few."""

    def __init__(self, threads: int) -> None:
        self.pace = Pace()
        self._threads = threads
        self._lock = threading.Lock()
        self._jobs: deque[Claimed] = deque()  # needs no lock: each use is one atomic operation of the deque
        self._resting: list[Slot] = []  # guarded by _lock; its length is also read without
        self._calls: SimpleQueue[None] = SimpleQueue()
        self._low = -1  # at so many jobs the fetcher is called; -1: it does not wait
        self._stopped = False

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def resting(self) -> int:
        """How many threads wait for a job."""
        return len(self._resting)

    def take(self, slot: Slot) -> Claimed | None:
        """The next job for this thread; waits for one. None: it waits in Redis now, or the worker stops."""
        while not (self._stopped or slot.waits_idle):
            if not (self.pace.is_short and self._threads - len(self._resting) > 1):
                try:
                    job = self._jobs.popleft()
                except IndexError:
                    pass
                else:
                    if len(self._jobs) <= self._low:
                        self.call()
                        if self.pace.is_short:
                            slot.wake.acquire(timeout=YIELD_SECONDS)  # only a resting thread is woken
                    return job
            self._rest(slot)
        return None

    def add(self, jobs: Sequence[Claimed]) -> None:
        """Hand out these jobs, after those that wait."""
        with self._lock:
            self._jobs.extend(jobs)
            if not self.pace.is_short:
                self._wake(len(self._jobs))
            elif len(self._resting) == self._threads:
                self._wake(1)

    def spread(self) -> None:
        """Wake as many threads as there are jobs: the thread that should run them is busy with a long job."""
        with self._lock:
            self._wake(len(self._jobs))

    def let_one_wait_idle(self) -> bool:
        """Wake a thread to wait in Redis for the next job; False: none rests."""
        with self._lock:
            if not self._resting or self._stopped:
                return False
            self._resting[-1].waits_idle = True
            self._wake(1)
            return True

    def take_all(self) -> list[Claimed]:
        """Take all jobs that wait, in their order; threads may take some of them at the same time."""
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
        """Stop handing out jobs."""
        self._stopped = True
        with self._lock:
            self._wake(len(self._resting))
        self.call()

    def _rest(self, slot: Slot) -> None:
        with self._lock:
            active = self._threads - len(self._resting)
            if self._stopped or (self._jobs and not (self.pace.is_short and active > 1)):
                return
            self._resting.append(slot)
        if len(self._jobs) <= self._low:
            self.call()
        slot.wake.acquire()

    def _wake(self, count: int) -> None:
        for _ in range(min(count, len(self._resting))):
            self._resting.pop().wake.release()
