"""The jobs that a worker has claimed: a job is held until it is done, or has gone elsewhere.

All claims and acknowledgements pass here, one at a time. If the answer to a claim was lost, the next claim
looks in Redis for the jobs that it got.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence

from clock.clocks import Clock
from clock.errors import StoreError
from clock.log import write_gathered_lines
from clock.store.jobs.in_progress import Freed, InProgress, Limited
from clock.store.jobs.moves import CannotMove, Claimed, Move
from clock.worker.options import WorkerOptions


class Claims:
    """The claims of one worker. Its methods may be called from any thread."""

    def __init__(self, in_progress: InProgress, *, options: WorkerOptions, clock: Clock) -> None:
        self._in_progress = in_progress
        self._options = options
        self._clock = clock
        self.stopped = threading.Event()  # set when the worker stops claiming
        self._lock = threading.Lock()
        self._held: dict[int, Claimed] = {}  # guarded by _lock; a single lookup needs none
        self._done: list[Claimed] = []  # guarded by _lock; to be acknowledged
        self._frees: list[Freed] = []  # guarded by _lock; of these jobs
        self._claiming = threading.Lock()  # held for a round trip
        self._may_be_lost = False  # guarded by _claiming: the answer to a claim may have been lost
        self._latest_queue = options.queue_names[0]  # used by the one thread that waits: its next job is likely
        self.last_round_trip = self.last_claimed = clock.monotonic()

    def __contains__(self, job: Claimed) -> bool:
        return job.number in self._held

    @property
    def has_done(self) -> bool:
        """Whether there are jobs to be acknowledged."""
        return bool(self._done)

    def finish(self, job: Claimed, *frees: tuple[str, str]) -> None:
        """Note that a job is done. The next claim acknowledges it and frees its locks, (key, jid)."""
        with self._lock:
            self._done.append(job)
            for pair in frees:
                self._frees.append((job.number, *pair))
            self._held.pop(job.number, None)

    def drop(self, jobs: Iterable[Claimed]) -> None:
        """Note that jobs have gone elsewhere."""
        with self._lock:
            for job in jobs:
                self._held.pop(job.number, None)

    def claim(self, limit: int, *, always: bool = False) -> Sequence[Claimed]:
        """Acknowledge finished jobs, and claim up to `limit`. With `always`, even if there is nothing to do.

        Raises StoreUnavailable.
        """
        with self._claiming:
            limit = 0 if self.stopped.is_set() else limit  # the shutdown code would not see what is claimed now
            with self._lock:
                done, self._done = self._done, []
                frees, self._frees = self._frees, []
            if not (done or limit or always):
                return ()
            write_gathered_lines()  # a job that is acknowledged has its line in the log
            try:
                jobs = self._in_progress.claim(
                    self._options.order() if limit else [],
                    limit,
                    done=[job.number for job in done if job.limits is None],
                    frees=frees,
                    limited=_by_limits(done),
                    now=self._clock.now(),
                    expires_seconds=self._options.expires_seconds,
                )
            except StoreError:
                self._may_be_lost |= limit > 0
                with self._lock:
                    self._done[:0] = done
                    self._frees[:0] = frees
                raise
            return self._received(jobs, may_find=limit > 0)

    def wait_and_claim(self, limit: int, seconds: float) -> Sequence[Claimed]:
        """Wait for a job, for `seconds` at most, and claim up to `limit`. Raises StoreUnavailable."""
        if self.stopped.is_set():
            return ()
        try:
            jobs = self._in_progress.claim_on_arrival(
                self._options.order(),
                limit,
                waits_on=self._options.watched(self._latest_queue),
                seconds=seconds,
                now=self._clock.now(),
                expires_seconds=self._options.expires_seconds,
            )
        except StoreError:
            with self._claiming:
                self._may_be_lost = True
            self._latest_queue = self._options.watched(self._latest_queue)[-1]  # the first one may not be a list
            raise
        with self._claiming:
            found = self._received(jobs, may_find=True)
        if found:
            self._latest_queue = found[0].queue
        return found

    def end_wait(self) -> None:
        """End `wait_and_claim` of another thread. Raises StoreUnavailable."""
        self._in_progress.end_wait()

    def give_back(self, jobs: Sequence[Claimed]) -> None:
        """Put jobs back at the front of their queues, the first one to be taken next.

        Raises CannotMove for those whose queue has another type, after the others have been put back;
        StoreUnavailable.
        """
        stay: Collection[int] = ()
        try:
            self._in_progress.put_back(Move(job, "queue", job.queue, job.payload) for job in reversed(jobs))
        except CannotMove as error:
            stay = {move.job.number for move in error.moves}
            raise
        except StoreError:
            stay = {job.number for job in jobs}
            raise
        finally:
            self.drop(job for job in jobs if job.number not in stay)

    def give_back_all(self, *, but: Collection[int] = ()) -> None:
        """Put back the unfinished jobs in progress, also jobs that were claimed by a call whose answer was lost.

        The jobs of the numbers `but` stay. Raises StoreUnavailable.
        """
        with self._claiming:
            with self._lock:
                stay = {*but, *(job.number for job in self._done)}
            self.give_back([job for job in self._in_progress.all() if job.number not in stay])

    def numbers(self) -> set[int]:
        """The numbers of the jobs that are held."""
        with self._lock:
            return set(self._held)

    def _received(self, jobs: Sequence[Claimed], *, may_find: bool) -> Sequence[Claimed]:
        """The jobs that Redis has answered, as they are held from now on; with `_claiming` held."""
        silent = self._clock.monotonic() - self.last_round_trip
        self.last_round_trip = self._clock.monotonic()
        if may_find and (self._may_be_lost or silent > self._options.expires_seconds):
            jobs = self._compared()
            self._may_be_lost = False
        with self._lock:
            self._held.update((job.number, job) for job in jobs)
        if jobs:
            self.last_claimed = self.last_round_trip
        return jobs

    def _compared(self) -> list[Claimed]:
        """The jobs in progress that are not known yet. Jobs that other workers have now are released."""
        present = {job.number: job for job in self._in_progress.all()}
        with self._lock:
            for number in self._held.keys() - present.keys():
                del self._held[number]
            known = {*self._held, *(job.number for job in self._done)}
        return [job for job in present.values() if job.number not in known]


def _by_limits(done: Iterable[Claimed]) -> Limited:
    limited: Limited = {}
    for job in done:
        if job.limits is not None:
            limited.setdefault(job.limits, []).append(job.number)
    return limited
