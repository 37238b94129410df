"""The slots of a world's worker: a job's code runs when the job starts; Redis gets its outcome when it ends.

If the worker dies in between, the work is done but not acknowledged, which is the worst case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar, cast

from clock.errors import StoreError
from clock.job import Job
from clock.job.context import JobRun, RunListener
from clock.job.middleware.defaults import server_middleware
from clock.job.payload import Payload, read_payload
from clock.problems import Problems
from clock.rehearsal.fake_clock import FakeClock
from clock.store import Redis
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.moves import Claimed
from clock.worker.fetching.fetcher import RETRY_SECONDS, Fetcher
from clock.worker.fetching.handoff import Slot
from clock.worker.options import WorkerOptions
from clock.worker.running.job_log import record_outcome
from clock.worker.running.job_moves import JobMoves
from clock.worker.running.processor import Processor

OUTCOMES = ("done", "retry", "dead", "dropped", "parked", "killed", "interrupted")

#: The steps that are taken when the time of the job is over, and the outcome that each means if none is noted.
_LATE_STEPS: Mapping[str, str | None] = {
    "finish": None,
    "finish_with": None,
    "free": None,
    "forget_cancellation": None,
    "park": "parked",
    "set_aside": "interrupted",
    "unmark": None,
}

T = TypeVar("T")


@dataclass(slots=True)
class Ran:
    """A run of a job: the job, its worker, start, end and outcome.

    `outcome` is done, retry, dead or dropped; parked: the worker has no such class; killed: the worker died during
    the run; interrupted: it ended early and continues later; None: it is under way.
    """

    job: str
    args: list[object]
    jid: str
    worker: str
    began: datetime
    ended: datetime | None = None
    outcome: str | None = None
    error: str | None = None


class _SlotClock(FakeClock):
    """The world's clock as a job sees it: when its code has run, its whole time has passed."""

    def __init__(self, world: FakeClock) -> None:
        super().__init__(world.now())
        self._world = world
        self.passed = timedelta(0)

    def now(self) -> datetime:
        return self._world.now() + self.passed

    def monotonic(self) -> float:
        return self._world.monotonic() + self.passed.total_seconds()


class _LateReports:
    """Keeps what the processor reports about a job, to send it when the job's time is over.

    It replaces the processor's fetcher and its job moves. Workers of a world never stop, so no job is handed back.
    """

    def __init__(self, fetcher: Fetcher, moves: JobMoves, record: RunListener) -> None:
        self.claims = fetcher.claims
        self._fetcher = fetcher
        self._moves = moves
        self._record = record
        self.calls: list[Callable[[], object]] = []
        self.outcome: str | None = None
        self.error: str | None = None

    def note(self, run: JobRun) -> None:
        self.outcome = "done" if run.outcome == "done" else run.goes_to or "dropped"
        self.error = None if run.error is None else f"{type(run.error).__name__}: {run.error}"
        self.calls.append(partial(self._record, run))

    def __getattr__(self, name: str) -> Any:
        """A step of the job, which is taken at once unless it is a late one."""
        step = getattr(self._fetcher if name in ("finish", "free") else self._moves, name)
        return partial(self._later, name, step) if name in _LATE_STEPS else step

    def _later(self, name: str, step: Callable[..., object], *args: Any, **options: Any) -> None:
        self.outcome = self.outcome or _LATE_STEPS[name]
        self.calls.append(partial(step, *args, **options))


class _DirectMoves(JobMoves):
    """Moves jobs and raises what Redis answers: the world tries again."""

    def _settle(self, job: Claimed, step: Callable[[], object]) -> None:
        step()
        self._claims.drop([job])

    def _note(self, command: Callable[[], T]) -> T:
        return command()


@dataclass(frozen=True, slots=True)
class Crew:
    """The parts that all workers of a world share; each slot adds its runs to `runs`."""

    redis: Redis
    options: WorkerOptions
    clock: FakeClock
    lasts: Callable[[Payload], timedelta]  # how long a job takes
    runs: list[Ran]


class WorldSlot:
    """One of the slots of the worker `identity`: free, or taken until `ends_at`."""

    def __init__(self, crew: Crew, identity: str, in_progress: InProgress, fetcher: Fetcher, slot: Slot) -> None:
        self._crew = crew
        self._identity = identity
        self._fetcher = fetcher
        self._slot = slot
        self._clock = _SlotClock(crew.clock)
        moves = _DirectMoves(in_progress, fetcher.claims, clock=crew.clock)
        record = partial(record_outcome, crew.redis, crew.clock, Problems(clock=crew.clock))
        self._reports = _LateReports(fetcher, moves, record)
        self._processor = Processor(
            slot,
            cast(Fetcher, self._reports),
            cast(JobMoves, self._reports),
            clock=self._clock,
            listeners=[self._reports.note],
        )
        self._failures = 0
        self.run: Ran | None = None
        self.ends_at: datetime | None = None
        self.looks_at = crew.clock.now()  # a free slot does not claim a job before

    def begin(self) -> bool:
        """Claim a job and run its code; whether there was one."""
        # A free worker looks all the time; the world leaves out the looks that find nothing.
        self._fetcher.claims.last_round_trip = self._crew.clock.monotonic()
        try:
            self._fetcher.acknowledge()
            at_hand = [job for job in self._fetcher.handoff.take_all() if job in self._fetcher.claims]
            self._fetcher.handoff.add(at_hand)  # a claim after a lost answer finds more than one job
            found = at_hand or self._fetcher.claim(1)
        except StoreError:
            wait = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
            self._failures += 1
            self.looks_at = self._crew.clock.now() + timedelta(seconds=wait)
            return False
        self._failures = 0
        claimed = self._fetcher.take(self._slot) if found else None
        if claimed is not None:
            self._process(claimed)
        return claimed is not None

    def settle(self) -> None:
        """Send the job's outcome to Redis. If Redis cannot be reached, the next call does it."""
        now = self._crew.clock.now()
        try:
            while self._reports.calls:
                self._reports.calls[0]()
                self._reports.calls.pop(0)
        except StoreError:
            self.ends_at = now  # sent as soon as Redis is back
            return
        self._fetcher.acknowledge()
        assert self.run is not None  # noqa: S101  # only called with a job
        self.run.ended, self.run.outcome, self.run.error = now, self._reports.outcome, self._reports.error
        self.run = self.ends_at = None
        self.looks_at = now

    def _process(self, claimed: Claimed) -> None:
        payload, now = read_payload(claimed.payload), self._crew.clock.now()
        lasts, args, jid = self._crew.lasts(payload), payload.get("args"), str(payload.get("jid"))
        args = list(args) if isinstance(args, list) else []
        self.run = Ran(str(payload.get("class")), args, jid, self._identity, now)
        self._crew.runs.append(self.run)
        self.ends_at = now + lasts
        self._reports.outcome = self._reports.error = None
        self._clock.passed = timedelta(0)

        @contextmanager
        def around(job: Job, payload: Payload, queue: str) -> Iterator[None]:
            """Advance the job's own clock by its run time, as soon as its `perform` has ended."""
            try:
                yield
            finally:
                self._clock.passed = lasts

        server_middleware.add(around)
        try:
            self._processor.process(claimed)
        finally:
            server_middleware.remove(around)
