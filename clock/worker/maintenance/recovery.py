"""Recovery: the jobs of dead workers go back to the front of their queues.

A worker is dead when its heartbeat has expired. Every live worker checks with each heartbeat. A job with which a
worker died runs again, until `DEATHS` workers have died with it: then it goes to `dead`, as it probably kills
workers. The first death counts for every job that the worker held. From then on these jobs are marked before they
run, so jobs that only shared the worker are not counted again.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from clock import worker_hooks
from clock.clocks import Clock, SystemClock
from clock.errors import StoreError, StoreUnavailable
from clock.job import registry
from clock.job.encryption import has_key_of
from clock.job.flow.unique import lock_pair
from clock.job.payload import Payload, encode_again, queue_of, read_payload, seconds
from clock.problems import FATAL, Problems
from clock.store import Redis
from clock.store.jobs.dead import DEFAULT_LIMITS, DeadLimits
from clock.store.jobs.delayed import CannotEnqueue, Delayed
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.moves import CannotMove, Claimed, Move
from clock.store.jobs.worker_register import End, WorkerRegister
from clock.worker.maintenance.deaths import deaths_of, forget_deaths, note_death
from clock.worker.running.processor import UnreadablePayload, parse, wrapped
from clock.worker.running.retry import noted

DEATHS = 3
END_WORDS = {
    End.SILENT: "its heartbeat expired",
    End.ENDED: "its process exited",
    End.FROZEN: "it was frozen and was killed",
}
LONGEST_SECONDS = 2.0  # of one call: it is made between two heartbeats, which must not be late

logger = logging.getLogger("clock.worker")


class WorkerKilled(Exception):
    """The worker died while this job ran."""


#: Called with the payload of a job that goes to `dead`, and with its error.
Died = Callable[[Payload, WorkerKilled], object]


def recover(
    redis: Redis,
    *,
    clock: Clock,
    own: str = "",
    dead: DeadLimits = DEFAULT_LIMITS,
    problems: Problems | None = None,
    died: Died = worker_hooks.died,
) -> int:
    """Put the jobs of dead workers back. Returns how many. `died` is called for jobs that go to `dead`.

    `own` is this worker's identity. It is skipped even if its heartbeat has expired. After `LONGEST_SECONDS` the
    next call does the rest; the dead workers take turns, so large jobs of one do not delay the jobs of the others.
    Raises StoreUnavailable.
    """
    now, started, problems = clock.now(), clock.monotonic(), problems or Problems(clock=clock)
    register = WorkerRegister(redis)
    turns = deque(
        _DeadWorker(
            InProgress(redis, identity, dead, problems=problems), identity, end, register, clock, problems, died
        )
        for identity, end in register.expired(now).items()
        if identity != own
    )
    count = 0
    while turns and clock.monotonic() - started < LONGEST_SECONDS:
        worker = turns.popleft()
        try:
            moved = worker.put_back_some(now)
        except StoreUnavailable:
            raise
        except StoreError as error:  # a key of a wrong type: other workers' jobs must not wait for it
            problems.entry("Could not read the jobs of the dead worker %s: %s", worker.identity, error)
            continue
        if moved is not None:
            count += moved
            turns.append(worker)
    return count


class _DeadWorker:
    """A dead worker whose jobs are put back step by step."""

    def __init__(
        self,
        in_progress: InProgress,
        identity: str,
        end: End,
        register: WorkerRegister,
        clock: Clock,
        problems: Problems,
        died: Died,
    ) -> None:
        self._died = died
        self.identity = identity
        self._end = end
        self._register = register
        self._in_progress = in_progress
        self._clock = clock
        self._problems = problems
        self._steps: Iterator[list[tuple[Claimed, bytes]]] | None = None
        self._marked: set[bytes] = set()
        self._moved = 0

    def put_back_some(self, now: datetime) -> int | None:
        """Put a step of its jobs back; how many, or None if no job is left. Raises StoreError."""
        if self._steps is None:
            self._steps = self._in_progress.left()
            self._marked = self._read_marked()
        step = next(self._steps, None)
        if step is None:
            self._finish(now)
            return None
        killed: list[tuple[Payload, WorkerKilled]] = []
        moves = list(_moves(step, self._marked, seconds(self._clock.now()), self._end, killed))
        try:
            moved = self._in_progress.put_back(moves, if_dead_at=now)
        except CannotMove as stuck:
            self._problems.entry("Dead worker %s: %s", self.identity, stuck)
            moved = len(moves) - len(stuck.moves)
        self._moved += moved
        for payload, error in killed if moved else ():
            self._died(payload, error)
        return moved

    def _finish(self, now: datetime) -> None:
        if self._register.forget(self.identity, now) or self._moved:
            logger.warning(
                "Worker %s is dead: %s; put back %d of its jobs", self.identity, END_WORDS[self._end], self._moved
            )

    def _read_marked(self) -> set[bytes]:
        try:
            return self._in_progress.marked()
        except StoreUnavailable:
            raise
        except StoreError as error:  # then no job of it is known to have run; each gets another try
            self._problems.entry("The dead worker %s: %s", self.identity, error)
            return set()


def unpark(delayed: Delayed, *, problems: Problems | None = None) -> int:
    """Release parked jobs whose class and encryption key are known here; how many. Raises StoreUnavailable."""
    problems = problems or Problems(clock=SystemClock())
    count = 0
    try:
        for name in filter(_can_run, delayed.parked_classes()):
            count += _unpark_class(delayed, name, problems)
    except StoreUnavailable:
        raise
    except StoreError as error:
        if error.cause in FATAL:  # at the start it ends the worker
            raise
        problems.entry("Could not read parked jobs: %s", error)
    return count


def _can_run(name: str) -> bool:
    """Whether this process has the class, or the encryption key, that jobs are parked under."""
    return registry.knows(name) or has_key_of(name)


def _unpark_class(delayed: Delayed, name: str, problems: Problems) -> int:
    """Go once through the parked jobs of a class, the oldest first; how many were released. Raises StoreError."""
    count, ahead = 0, delayed.count_parked(name)
    while ahead > 0 and (payloads := delayed.parked(name)[-ahead:]):
        ahead -= len(payloads)
        try:
            count += delayed.unpark(name, [(payload, queue_of(read_payload(payload))) for payload in payloads])
        except CannotEnqueue as error:
            problems.entry("Parked class %s: %s", name, error)
            count += error.moved
    return count


def _moves(
    jobs: Sequence[tuple[Claimed, bytes]],
    marked: set[bytes],
    now: float,
    end: End,
    died: list[tuple[Payload, WorkerKilled]],
) -> Iterator[Move]:
    """The move of each job, in their order. Jobs that go to `dead` are added to `died`."""
    for job, field in jobs:
        try:
            payload = parse(job.payload)
        except UnreadablePayload as error:
            yield _unreadable(job, field, error, now)
            continue
        deaths = deaths_of(payload)
        if deaths == 0 or field in marked:
            deaths = note_death(payload, end)
        if deaths >= DEATHS:
            killed = WorkerKilled(forget_deaths(payload))  # if it is tried again, its deaths count from 0
            logger.error("%s %s moved to dead: %s", payload["class"], payload.get("jid"), killed)
            dead = noted(payload, killed, now=now)
            died.append((dead, killed))
            yield Move(job, "dead", now, encode_again(dead), field, lock_pair(payload))
        else:
            yield Move(job, "queue", job.queue, encode_again(payload), field)


def _unreadable(job: Claimed, field: bytes, error: UnreadablePayload, now: float) -> Move:
    """A worker that takes it from its queue buries it. If another program has written it, it may name no queue."""
    if job.number >= 0:
        return Move(job, "queue", job.queue, job.payload, field)
    logger.error("Moved an entry of another program from a dead worker's jobs in progress to dead: %s", error)
    return Move(job, "dead", now, encode_again(noted(wrapped(job), error, now=now)), field)
