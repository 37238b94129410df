"""Fetching: how many jobs this worker claims, and when.

One thread talks to Redis: it claims jobs and acknowledges those that are done, in one round trip. It claims as
many as the worker can run in about `SOON_SECONDS`: short jobs share a round trip, long jobs are claimed one by
one, each when a thread is free. Jobs behind a job that proves to be long go to other threads, or back to their
queues.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from clock.clocks import Clock
from clock.errors import StoreError
from clock.log import write_gathered_lines
from clock.problems import Problems
from clock.store.jobs.blocking_wait import UNWATCHED_SECONDS
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.moves import Claimed
from clock.worker.fetching.claims import Claims
from clock.worker.fetching.handoff import SOON_SECONDS, Handoff, Slot
from clock.worker.fetching.idle_wait import WAIT_SECONDS, IdleWait
from clock.worker.options import WorkerOptions

IDLE_SECONDS = 1.0  # a stop is noticed within this
STALL_SECONDS = 0.05  # after so long without a finished job, those that wait behind go back to their queues
SILENT_SECONDS = 5.0  # after so long without a round trip one is made, to know that Redis is there
DRAIN_SECONDS = 0.02  # how often a worker with `burst` checks whether its queues are empty
RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)  # waits while Redis is away; the last one is repeated

logger = logging.getLogger("clock.worker")


class Fetcher:
    """Claims jobs, hands them to the worker's threads, and acknowledges them.

    With `options.burst`, `on_empty` is called when no job waits in the queues and none runs. `is_drained` returns
    False while jobs that a limit held back are about to enter their queues.
    """

    def __init__(
        self,
        in_progress: InProgress,
        *,
        options: WorkerOptions,
        clock: Clock,
        problems: Problems | None = None,
        on_empty: Callable[[], object] = lambda: None,
        is_drained: Callable[[], bool] = lambda: True,
    ) -> None:
        self._on_empty = on_empty
        self._is_drained = is_drained
        self._part = (problems or Problems(clock=clock)).part("fetching jobs")
        self._options = options
        self._clock = clock
        self._fetch = self.fetch_until_empty if options.burst else self.fetch
        self.claims = Claims(in_progress, options=options, clock=clock)
        self.handoff = Handoff(options.concurrency)
        wait_seconds = WAIT_SECONDS if options.watches_all else UNWATCHED_SECONDS
        self._idle_wait = IdleWait(self.claims, self.handoff, wait_seconds=wait_seconds)
        self._idle = False  # read by job threads: while the fetcher waits, they acknowledge their jobs themselves
        self._dry = False  # whether the last claim has left nothing in the queues
        self._failures = 0
        self._progress = (0, 0.0)  # how many jobs had finished, and when (monotonic) that was last news
        self.slots = [Slot(f"job-{number + 1}") for number in range(options.concurrency)]
        self.last_look = clock.monotonic()

    @property
    def taken(self) -> list[Claimed]:
        """The jobs that run now."""
        return [job for slot in self.slots if (job := slot.job) is not None]

    @property
    def stopping(self) -> bool:
        """Whether it has stopped handing out jobs."""
        return self.claims.stopped.is_set()

    def run(self) -> None:
        """Fetch until `stop` is called; then acknowledge finished jobs, and put back waiting ones."""
        while not self.stopping:
            self.last_look = self._clock.monotonic()
            try:
                with self._part:
                    self._fetch()
                self._failures = 0
            except StoreError:
                seconds = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
                self._failures += 1
                self._dry = False
                self._clock.wait(self.claims.stopped, seconds)
        self.acknowledge()
        waiting = {job.number for job in self.handoff.take_all()}
        try:
            self.claims.give_back_all(but=self.claims.numbers() - waiting)
        except StoreError as error:
            logger.debug("Jobs that have not started are put back at shutdown: %s", error)

    def fetch(self) -> None:
        """Claim what threads can do soon, or wait until there is something to do. Raises StoreUnavailable."""
        soon = self.handoff.pace.how_many(self._options.concurrency)
        low = soon // 2
        wanted = max(soon, self.handoff.resting) - len(self.handoff)
        if self._dry and self.handoff.resting and not self.handoff:
            self._wait_for_arrival(wanted)
            return
        if wanted > 0 and wanted >= low:
            if self.claim(wanted) == wanted:
                return
            low = 0
        if self.handoff.resting and not self.handoff:
            self._wait_for_arrival(wanted)
            return
        seconds = SOON_SECONDS / 2 if self.handoff or self.claims.has_done else IDLE_SECONDS
        if not self.handoff.wait_for_call(low, seconds):
            self._look_after_stalled()

    def fetch_until_empty(self) -> None:
        """Claim what threads can do soon; if nothing is left, call `on_empty`. Raises StoreUnavailable."""
        soon = self.handoff.pace.how_many(self._options.concurrency)
        wanted = max(soon, self.handoff.resting) - len(self.handoff)
        # Read before the claim: a job that ends after it may have pushed another.
        is_idle = self.handoff.resting == self._options.concurrency and not self.handoff and self._is_drained()
        found = self.claim(wanted) if wanted > 0 else 0
        if is_idle and not found:
            self._on_empty()
        elif found < max(wanted, 1) and not self.handoff.wait_for_call(soon // 2, DRAIN_SECONDS):
            self._look_after_stalled()

    def claim(self, limit: int) -> int:
        """Acknowledge finished jobs, and claim up to `limit`; how many. Raises StoreUnavailable."""
        jobs = self.claims.claim(limit)
        self._dry = len(jobs) < limit
        if jobs:
            self.handoff.add(jobs)
        return len(jobs)

    def take(self, slot: Slot) -> Claimed | None:
        """The next job to run; waits for one. None: the worker stops."""
        while True:
            job = self.handoff.take(slot)
            if job is None:
                if not slot.waits_idle:
                    return None
                slot.waits_idle = False
                job = self._idle_wait.wait()
            if job is not None and job in self.claims:  # else other workers have it now
                slot.started = self._clock.monotonic()
                slot.state = None
                slot.job = job
                return job

    def finish(self, slot: Slot, job: Claimed, seconds: float, frees: Sequence[tuple[str, str]] = ()) -> None:
        """Note that `job` was run and took so long; it is acknowledged with the next round trip."""
        self.handoff.pace.note(seconds)
        self.claims.finish(job, *frees)
        slot.job = None
        if self._idle or self.stopping:
            self.acknowledge()

    def free(self, slot: Slot) -> None:
        """Note that the slot's job has gone elsewhere: it was retried, buried or parked."""
        slot.job = None
        write_gathered_lines()

    def acknowledge(self) -> None:
        """Acknowledge finished jobs now. If Redis is away, it is done with the next round trip."""
        try:
            self.claims.claim(0)
        except StoreError as error:
            logger.debug("Acknowledging later: %s", error)

    def give_back_all(self) -> None:
        """Put back the unfinished jobs in progress. Raises StoreUnavailable."""
        self._idle_wait.wait_until_over()
        self.claims.give_back_all()

    def give_back_ready(self) -> None:
        """Put the jobs that wait for a thread back at the front of their queues. Raises StoreUnavailable."""
        jobs = self.handoff.take_all()
        try:
            self.claims.give_back([job for job in jobs if job in self.claims])
        except StoreError:
            self.handoff.add([job for job in jobs if job in self.claims])
            raise

    def stop(self) -> None:
        """Stop handing out jobs."""
        self.claims.stopped.set()
        self._idle_wait.stop()
        self.handoff.stop()

    def _look_after_stalled(self) -> None:
        """No thread has called for a while: acknowledge finished jobs, and free jobs behind a long job."""
        now = self._clock.monotonic()
        self.claims.claim(0, always=now - self.claims.last_round_trip > SILENT_SECONDS)
        finished, since = self._progress
        if self.handoff.pace.finished != finished:
            self._progress = (self.handoff.pace.finished, now)
            return
        self.handoff.pace.note_stall()
        if self.handoff.resting:
            self.handoff.spread()
        elif self.handoff and now - max(since, self.claims.last_claimed) > STALL_SECONDS:
            self.give_back_ready()

    def _wait_for_arrival(self, limit: int) -> None:
        self._idle = True
        try:
            if self.claims.has_done:
                self.claims.claim(0)
            self._dry = self._idle_wait.start(limit) < limit
        finally:
            self._idle = False
