"""Recovery: the jobs of dead workers go back to the front of their queues.

A worker is dead when its heartbeat has expired. A job with which a worker died runs again, until `DEATHS` workers
have died with it: then it goes to `dead`. The first death counts for every job that the worker held. From then on
these jobs are marked before they run, so jobs that only shared the worker are not counted again.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
from clock.worker.running.processor import UnreadablePayload, parse, wrapped
from clock.worker.running.retry import noted

DEATHS = 3
END_WORDS = {
    End.SILENT: "its heartbeat expired",
    End.ENDED: "its process exited",
    End.FROZEN: "it was frozen and was killed",
}
_DEATH_WORDS = {
    End.SILENT.name: "stopped sending heartbeats",
    End.ENDED.name: "were killed or exited",
    End.FROZEN.name: "were killed because they were frozen",
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

    `own` is this worker's identity, which is skipped. After `LONGEST_SECONDS` the next call does the rest; the
    dead workers take turns, so large jobs of one do not delay the jobs of the others. Raises StoreUnavailable.
    """
    now, started, problems = clock.now(), clock.monotonic(), problems or Problems(clock=clock)
    register = WorkerRegister(redis)
    turns = deque[tuple[str, Iterator[int]]]()
    for identity, end in register.expired(now).items():
        if identity != own:
            in_progress = InProgress(redis, identity, dead, problems=problems)
            worker = _DeadWorker(identity, end, in_progress, register, clock, problems, died)
            turns.append((identity, worker.put_back(now)))
    count = 0
    while turns and clock.monotonic() - started < LONGEST_SECONDS:
        identity, steps = turns.popleft()
        try:
            if (moved := next(steps, None)) is not None:
                count += moved
                turns.append((identity, steps))
        except StoreUnavailable:
            raise
        except StoreError as error:  # a key of a wrong type: other workers' jobs must not wait for it
            problems.entry("Could not read the jobs of the dead worker %s: %s", identity, error)
    return count


@dataclass(frozen=True, slots=True)
class _DeadWorker:
    identity: str
    end: End
    in_progress: InProgress
    register: WorkerRegister
    clock: Clock
    problems: Problems
    died: Died

    def put_back(self, now: datetime) -> Iterator[int]:
        """Put its jobs back step by step; how many with each step. Raises StoreError."""
        total, left, marked = 0, self.in_progress.left(), self._read_marked()
        for step in left:
            killed: list[tuple[Payload, WorkerKilled]] = []
            moves = list(_moves(step, marked, seconds(self.clock.now()), self.end, killed))
            try:
                moved = self.in_progress.put_back(moves, if_dead_at=now)
            except CannotMove as stuck:
                self.problems.entry("Dead worker %s: %s", self.identity, stuck)
                moved = len(moves) - len(stuck.moves)
            total += moved
            for payload, error in killed if moved else ():
                self.died(payload, error)
            yield moved
        if self.register.forget(self.identity, now) or total:
            words = "Worker %s is dead: %s; put back %d of its jobs"
            logger.warning(words, self.identity, END_WORDS[self.end], total)

    def _read_marked(self) -> set[bytes]:
        try:
            return self.in_progress.marked()
        except StoreUnavailable:
            raise
        except StoreError as error:  # then no job of it is known to have run; each gets another try
            self.problems.entry("The dead worker %s: %s", self.identity, error)
            return set()


def unpark(delayed: Delayed, *, problems: Problems | None = None) -> int:
    """Release parked jobs whose class and encryption key are known here; how many. Raises StoreUnavailable."""
    problems = problems or Problems(clock=SystemClock())
    count = 0
    try:
        for name in delayed.parked_classes():
            if registry.knows(name) or has_key_of(name):
                count += _unpark_class(delayed, name, problems)
    except StoreUnavailable:
        raise
    except StoreError as error:
        if error.cause in FATAL:  # at the start it ends the worker
            raise
        problems.entry("Could not read parked jobs: %s", error)
    return count


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


def deaths_of(payload: Payload) -> int:
    """How many workers have died with this job; 0 if the payload holds anything else.

    >>> [deaths_of({"worker_killed": count}) for count in (2, "x", -1)], deaths_of({})
    ([2, 0, 0], 0)
    """
    count = payload.get("worker_killed")
    return max(0, count) if isinstance(count, int) else 0


def note_death(payload: Payload, end: End) -> int:
    """Add a death to the payload, which keeps the last ten ends; returns how many deaths there are now.

    >>> payload = {"worker_killed": 10, "worker_ends": ["SILENT"] * 10}
    >>> note_death(payload, End.ENDED), len(payload["worker_ends"]), payload["worker_ends"][-1]
    (11, 10, 'ENDED')
    """
    ends = payload.get("worker_ends")
    payload["worker_ends"] = [*(ends if isinstance(ends, list) else []), end.name][-10:]
    payload["worker_killed"] = count = deaths_of(payload) + 1
    return count


def forget_deaths(payload: Payload) -> str:
    """Take the deaths out of the payload; returns what happened, in words.

    >>> forget_deaths({"worker_killed": 3, "worker_ends": ["SILENT", "ENDED", "SILENT"]})
    '3 workers that ran this job stopped sending heartbeats or were killed or exited'
    """
    count, ends = deaths_of(payload), payload.pop("worker_ends", None)
    payload.pop("worker_killed", None)
    known = [_DEATH_WORDS[end] for end in map(str, ends) if end in _DEATH_WORDS] if isinstance(ends, list) else []
    return f"{count} workers that ran this job {' or '.join(dict.fromkeys(known)) or 'died'}"
