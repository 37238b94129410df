"""Fetching: which jobs this worker claims, and when.

One thread talks to Redis: it claims a few jobs at once and acknowledges those that are done, in the same round
trip. How many it claims is what the worker can do in about `SOON_SECONDS` by the measured time per job: short jobs
share a round trip, long ones are claimed one by one, each when a thread rests. Jobs claimed behind one that turns
out to be long go to other threads; where all are held up, they go back to their queues, for another worker.
Where nothing waits in the queues, the next claim is left to `lookout.py`.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence
from datetime import datetime

from clock.clocks import Clock, to_ms
from clock.errors import StoreError
from clock.problems import Problems
from clock.store.jobs.blocking_wait import UNWATCHED_SECONDS
from clock.store.jobs.in_progress import Ahead, Claimed, InProgress, day
from clock.worker.handoff import Ready, Slot
from clock.worker.held import Held
from clock.worker.idle_wait import WAIT_SECONDS, Lookout
from clock.worker.options import WorkerOptions
from clock.worker.pace import SOON_SECONDS, Pace

IDLE_SECONDS = 1.0  # a stop is noticed within this
STALL_SECONDS = 0.05  # after so long without a finished job, those that wait behind go back to their queues
SILENT_SECONDS = 5.0  # after so long without a round trip one is made, to know that Redis is there
RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)  # waits while Redis is away; the last one is repeated

logger = logging.getLogger("clock.worker")


class Fetcher:
    """Claims jobs, hands them to the worker's threads, and acknowledges them."""

    def __init__(
        self, in_progress: InProgress, *, options: WorkerOptions, clock: Clock, problems: Problems | None = None
    ) -> None:
        self._part = (problems or Problems(clock=clock)).part("fetching jobs")
        self._in_progress = in_progress
        self._options = options
        self._clock = clock
        self._claiming = threading.Lock()
        self._pace = Pace()
        self.ready = Ready(self._pace, options.concurrency)
        self.held = Held(in_progress)
        self._done: deque[int] = deque()  # to be acknowledged; taken from under _claiming
        self._stopping = threading.Event()
        self._idle = False
        self._dry = False  # whether the last claim has left nothing in the queues
        self._lookout = self._new_lookout()
        self._latest_queue = options.queue_names[0]  # where the last job came from: it is waited on first
        self._failures = 0
        self._progress = (0, 0.0)  # how many jobs had finished, and when (monotonic) that was last news
        self.slots = [Slot(f"job-{number + 1}") for number in range(options.concurrency)]
        self.last_look = self.last_round_trip = clock.monotonic()

    @property
    def taken(self) -> list[Claimed]:
        """The jobs that run now."""
        return [job for slot in self.slots if (job := slot.job) is not None]

    @property
    def stopping(self) -> bool:
        """Whether no more jobs are handed out."""
        return self._stopping.is_set()

    def run(self) -> None:
        """Fetch until `stop` is called; then acknowledge what is done, and put back what no thread has taken."""
        while not self._stopping.is_set():
            self.last_look = self._clock.monotonic()
            try:
                with self._part:
                    self.fetch()
            except StoreError:
                self._wait_for_redis()
        self.acknowledge()
        try:
            self.give_back_untaken()
        except StoreError as error:
            logger.debug("Jobs that have not started are put back at shutdown: %s", error)

    def fetch(self) -> None:
        """Claim what threads can do soon, or wait until there is something to do. Raises StoreUnavailable."""
        soon = self._pace.how_many(self._options.concurrency)
        low = soon // 2
        wanted = max(soon, self.ready.resting) - len(self.ready)
        if self._dry and self.ready.resting and not self.ready:
            self._wait_for_arrival(wanted)
            return
        if wanted > 0 and wanted >= low:
            if self.claim(wanted) == wanted:
                return
            low = 0
        if self.ready.resting and not self.ready:
            self._wait_for_arrival(wanted)
        elif not self.ready.wait_for_call(low, self._seconds_to_look()):
            self._look_after_stalled()

    def claim(self, limit: int) -> int:
        """Claim up to `limit` jobs for the threads, and acknowledge what is done; how many were claimed.

        Raises StoreUnavailable.
        """
        jobs = self._claim(limit)
        self._dry = len(jobs) < limit
        if jobs:
            self._progress = (self._pace.finished, self._clock.monotonic())
            self.ready.add(jobs)
        return len(jobs)

    def take(self, slot: Slot) -> Claimed | None:
        """The next job to run; waits for one. None: the worker stops."""
        while (job := self.ready.take(slot)) is None and slot.watches:
            slot.watches = False
            if job := self._lookout.watch():
                break
        slot.started = self._clock.monotonic()
        slot.job = job
        return job

    def finish(self, slot: Slot, job: Claimed, seconds: float) -> None:
        """Say that `job` was run and took so long; it is acknowledged with the next round trip."""
        self._pace.note(seconds)
        self._done.append(job.number)
        self.let_go(slot, job)
        if self._idle or self._stopping.is_set():
            self.acknowledge()

    def let_go(self, slot: Slot, job: Claimed) -> None:
        """Say that the slot's job has gone elsewhere: it was retried, buried or parked."""
        slot.job = None
        self.held.drop(job)

    def acknowledge(self) -> None:
        """Acknowledge what is done now. Where Redis is away, it is done with the next round trip."""
        try:
            self._claim(0)
        except StoreError as error:
            logger.debug("Acknowledging later: %s", error)

    def give_back_all(self) -> None:
        """Put back what is in progress here and not done, also what was claimed by a call whose answer was lost.

        Raises StoreUnavailable.
        """
        self._lookout.wait_until_over()
        with self._claiming:
            done = set(self._done)
            self.held.give_back([job for job in self._in_progress.all() if job.number not in done])

    def give_back_untaken(self) -> None:
        """Put back what is in progress here and was not begun, also where a claim's answer was lost.

        Raises StoreUnavailable.
        """
        with self._claiming:
            waiting = {job.number for job in self.ready.take_all()}
            begun = {*self.held, *self._done} - waiting
            self.held.give_back([job for job in self._in_progress.all() if job.number not in begun])

    def stop(self) -> None:
        """Hand out no more jobs."""
        self._stopping.set()
        self._lookout.stop()
        self.ready.stop()

    def _claim(self, limit: int, *, always: bool = False) -> Sequence[Claimed]:
        with self._claiming:
            if self._stopping.is_set():
                limit = 0  # what is claimed now would not be seen by who puts jobs back at the end
            done = [self._done.popleft() for _ in range(len(self._done))]
            if not (done or limit or always):
                return ()
            now = self._clock.now()
            try:
                jobs = self._in_progress.claim(
                    self._options.order() if limit else [],
                    limit,
                    done=done,
                    today=day(now),
                    expires_ms=self._expires_ms(now),
                )
            except StoreError:
                self._done.extendleft(reversed(done))
                raise
            return self._received(jobs, may_find=limit > 0)

    def _received(self, jobs: Sequence[Claimed], *, may_find: bool) -> Sequence[Claimed]:
        """The jobs that Redis has answered, as they are held from now on; with `_claiming` held."""
        silent = self._clock.monotonic() - self.last_round_trip
        self.last_round_trip = self._clock.monotonic()
        if may_find and (self._failures or silent > self._options.expires_seconds):
            jobs = self._find_all()
        self.held.add(jobs)
        return jobs

    def _expires_ms(self, now: datetime) -> int:
        return to_ms(now) + int(self._options.expires_seconds * 1000)

    def _find_all(self) -> list[Claimed]:
        """All that waits: also what was claimed by calls whose answers were lost, less what others have now."""
        known = {
            *self.held,
            *self._done,
        }  # in this order: a job that ends goes to `_done` before it leaves `held`
        jobs = {job.number: job for job in self._in_progress.all()}
        found = [job for job in jobs.values() if job.number not in known]
        waiting = self.ready.take_all()
        for job in waiting:
            if job.number not in jobs:
                self.held.drop(job)
        self._failures = 0
        return [job for job in waiting if job.number in jobs] + found

    def _seconds_to_look(self) -> float:
        return SOON_SECONDS / 2 if self.ready or self._done else IDLE_SECONDS

    def _look_after_stalled(self) -> None:
        """No thread has called for a while: acknowledge what is done, and free what waits behind a long job."""
        now = self._clock.monotonic()
        self._claim(0, always=now - self.last_round_trip > SILENT_SECONDS)
        finished, since = self._progress
        if self._pace.finished != finished:
            self._progress = (self._pace.finished, now)
            return
        self._pace.note_stall()
        if self.ready.resting:
            self.ready.spread()
        elif self.ready and now - since > STALL_SECONDS:
            self.give_back_ready()

    def give_back_ready(self) -> None:
        """Put the jobs that wait for a thread back at the front of their queues. Raises StoreUnavailable."""
        jobs = self.ready.take_all()
        try:
            self.held.give_back(jobs)
        except StoreError:
            self.ready.add([job for job in jobs if job in self.held])
            raise

    def _wait_for_arrival(self, limit: int) -> None:
        self._idle = True
        try:
            if self._done:
                self._claim(0)
            self._dry = self._lookout.send_out(limit) < limit
        finally:
            self._idle = False

    def _new_lookout(self) -> Lookout:
        return Lookout(
            self._in_progress,
            self.ready,
            prepare=self._prepare,
            receive=self._receive,
            is_stopping=self._stopping.is_set,
            wait_seconds=WAIT_SECONDS if self._options.watches_all else UNWATCHED_SECONDS,
        )

    def _prepare(self, limit: int) -> Ahead | None:
        with self._claiming:
            if self._stopping.is_set():
                return None
            now = self._clock.now()
            return self._in_progress.ahead(
                self._options.order(),
                limit,
                waits_on=self._options.watched(self._latest_queue),
                today=day(now),
                expires_ms=self._expires_ms(now),
            )

    def _receive(self, jobs: Sequence[Claimed]) -> Sequence[Claimed]:
        with self._claiming:
            found = self._received(jobs, may_find=True)
        if found:
            self._progress = (self._pace.finished, self._clock.monotonic())
            self._latest_queue = found[0].queue
        return found

    def _wait_for_redis(self) -> None:
        seconds = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
        self._failures += 1
        self._dry = False
        self._latest_queue = self._options.watched(self._latest_queue)[-1]  # the first one may be no list
        self._clock.wait(self._stopping, seconds)
