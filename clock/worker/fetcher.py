"""Fetching: which jobs this worker claims, and when.

One thread at a time talks to Redis: it claims a few jobs at once and acknowledges those that are done, in the
same round trip; the others take from what it brought. How many it claims is what the worker can do in about
`SOON_SECONDS` by the measured time per job: short jobs share a round trip, long ones are claimed one by one.
"""

from __future__ import annotations

import logging
import threading
from collections import deque

from clock.clocks import Clock
from clock.errors import StoreError
from clock.store.arrivals import Arrivals
from clock.store.in_progress import Claimed, InProgress, Move, day
from clock.worker.options import WorkerOptions

SOON_SECONDS = 0.01
MOST_AT_ONCE = 250
IDLE_SECONDS = 1.0  # a stop is noticed within this
RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)  # waits while Redis is away; the last one is repeated
_WEIGHT = 0.1  # of the latest job in the mean time per job

logger = logging.getLogger(__name__)


class Fetcher:
    """Hands out claimed jobs to the worker's threads."""

    def __init__(
        self, in_progress: InProgress, arrivals: Arrivals, *, options: WorkerOptions, clock: Clock
    ) -> None:
        self._in_progress = in_progress
        self._arrivals = arrivals
        self._options = options
        self._clock = clock
        self._fetching = threading.Lock()
        self._ready: deque[Claimed] = deque()
        self._done: deque[int] = deque()
        self._taken: dict[int, Claimed] = {}
        self._stopping = threading.Event()
        self._idle = False
        self._mean_seconds = SOON_SECONDS * options.concurrency
        self._failures = 0
        self.last_round_trip = clock.monotonic()

    @property
    def taken(self) -> list[Claimed]:
        """The jobs that run now."""
        return list(self._taken.values())

    @property
    def stopping(self) -> bool:
        """Whether no more jobs are handed out."""
        return self._stopping.is_set()

    def take(self) -> Claimed | None:
        """The next job to run; waits for one. None: the worker stops."""
        while not self._stopping.is_set():
            try:
                job = self._ready.popleft()
            except IndexError:
                self._fetch()
            else:
                self._taken[job.number] = job
                return job
        return None

    def finish(self, job: Claimed, seconds: float) -> None:
        """Say that `job` was run and took so long; it is acknowledged with the next round trip."""
        self._mean_seconds += _WEIGHT * (seconds - self._mean_seconds)
        self._done.append(job.number)
        self._taken.pop(job.number, None)
        if self._idle or self._stopping.is_set():
            self.acknowledge()

    def let_go(self, job: Claimed) -> None:
        """Say that `job` has gone elsewhere: it was retried, buried or parked."""
        self._taken.pop(job.number, None)

    def acknowledge(self) -> None:
        """Acknowledge what is done now. Where Redis is away, it is done with the next round trip."""
        try:
            self._claim(0)
        except StoreError as error:
            logger.debug("Acknowledging later: %s", error)

    def give_back(self) -> None:
        """Put jobs that were claimed and not begun back at the front of their queues."""
        jobs = []
        while self._ready:
            jobs.append(self._ready.pop())
        self._in_progress.put_back(Move(job, "queue", job.queue, job.payload) for job in jobs)

    def stop(self) -> None:
        """Hand out no more jobs."""
        self._stopping.set()
        self._arrivals.wake()

    def _fetch(self) -> None:
        with self._fetching:
            if self._ready or self._stopping.is_set():
                return
            try:
                self._ready.extend(self._claim(self._how_many()))
                if not self._ready:
                    self._wait_for_arrival()
            except StoreError as error:
                self._wait_for_redis(error)

    def _claim(self, limit: int) -> list[Claimed]:
        done = []
        while self._done:
            done.append(self._done.popleft())
        if not (done or limit):
            return []
        try:
            jobs = self._in_progress.claim(
                self._options.order() if limit else [], limit, done=done, today=day(self._clock.now())
            )
        except StoreError:
            self._done.extend(done)
            raise
        self.last_round_trip = self._clock.monotonic()
        if self._failures and limit:
            self._failures = 0
            logger.info("Redis is back")
            jobs = self._in_progress.leftovers(set(self._taken))
        return jobs

    def _how_many(self) -> int:
        soon = SOON_SECONDS * self._options.concurrency / max(self._mean_seconds, 1e-6)
        return max(1, min(MOST_AT_ONCE, int(soon)))

    def _wait_for_arrival(self) -> None:
        self._idle = True
        try:
            if self._done:
                self._claim(0)
            self._arrivals.wait(IDLE_SECONDS)
        finally:
            self._idle = False

    def _wait_for_redis(self, error: StoreError) -> None:
        seconds = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
        self._failures += 1
        logger.error("%s Nothing is lost; trying again in %g s.", error, seconds)
        self._clock.wait(self._stopping, seconds)
