"""The places of waiting jobs: queues and the sets `schedule`, `retry` and `dead`, with their actions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from clock.inspection.jobs.jobs import FoundJob, found
from clock.job.payload import encode_again, queue_of
from clock.job.unique import lock_pair
from clock.store import Redis, keys, listing, repairs
from clock.store.jobs import paused_queues, unique_locks
from clock.store.jobs.dead import DEFAULT_LIMITS, DeadJobs, DeadLimits
from clock.store.jobs.delayed import Delayed

SetName = Literal["schedule", "retry", "dead"]


@dataclass(frozen=True, slots=True)
class WaitingSet:
    """One of the sorted sets of jobs. Each method raises StoreUnavailable."""

    redis: Redis
    name: SetName

    def jobs(self) -> Iterator[FoundJob]:
        """Its jobs: the next one due first, of `dead` the oldest."""
        return (found(member, at) for member, at in listing.waiting(self.redis, self.name))

    def enqueue(self, jobs: Sequence[FoundJob], now: float) -> int:
        """Put jobs into their queues now; how many were still here.

        The try that is asked for is not taken from those that the job has, as in Sidekiq.
        """
        return Delayed(self.redis).release(self.name, [_enqueued(job, now) for job in jobs])

    def bury(self, jobs: Sequence[FoundJob], now: float) -> int:
        """Move jobs to `dead`; how many were still here."""
        buried = repairs.bury(self.redis, self.name, [job.member for job in jobs], now)
        return free_locks_of(self.redis, jobs, buried)

    def delete(self, jobs: Sequence[FoundJob], how: str = repairs.DELETED) -> int:
        """Delete jobs; how many were still here. `how` is what their batches call it."""
        removed = repairs.remove_waiting(self.redis, self.name, [job.member for job in jobs], how)
        return free_locks_of(self.redis, jobs, removed)

    def reschedule(self, jobs: Sequence[FoundJob], at: float) -> int:
        """Set the due time of jobs to `at` (float seconds); dead jobs move to `schedule`.

        Returns how many were still here.
        """
        if self.name == DEAD:
            return repairs.schedule_dead(self.redis, [job.member for job in jobs], at)
        return repairs.reschedule(self.redis, self.name, [job.member for job in jobs], at)

    def clear(self) -> int:
        """Delete all its jobs; how many there were."""
        return repairs.clear_waiting(self.redis, self.name)

    def size(self) -> int:
        """How many jobs it holds."""
        return listing.size(self.redis, self.name)


def trim_dead(redis: Redis, now: float, limits: DeadLimits = DEFAULT_LIMITS) -> str:
    """Remove the dead jobs that the limits do not keep; how many, in words ('': none). Raises StoreUnavailable."""
    dead = DeadJobs(redis, limits)
    return dead.words(dead.trim(now))


def free_locks_of(redis: Redis, jobs: Sequence[FoundJob], count: int) -> int:
    """Free the locks of unique jobs if all these jobs were removed; else the next conflict looks for them."""
    if count == len(jobs):
        unique_locks.free(redis, [pair for job in jobs if (pair := lock_pair(job.payload))])
    return count


def _enqueued(job: FoundJob, now: float) -> tuple[bytes, str, str | bytes]:
    """(member, queue, payload with its time of enqueueing); a worker buries invalid payloads."""
    if not job.payload:
        return job.member, "default", job.member
    count = {} if job.retries is None else {"retry_count": job.retries - 1}
    return job.member, queue_of(job.payload), encode_again({**job.payload, **count, "enqueued_at": now})


@dataclass(frozen=True, slots=True)
class QueueJobs:
    """A queue. Each method raises StoreUnavailable."""

    redis: Redis
    name: str

    def jobs(self) -> Iterator[FoundJob]:
        """Its jobs, the next one to be taken first."""
        return (found(payload) for payload in listing.queue_payloads(self.redis, self.name))

    def delete(self, jobs: Sequence[FoundJob], how: str = repairs.DELETED) -> int:
        """Delete jobs; how many were still here. `how` is what their batches call it."""
        removed = repairs.remove_queued(self.redis, self.name, [job.member for job in jobs], how)
        return free_locks_of(self.redis, jobs, removed)

    def clear(self) -> int:
        """Delete all its jobs, and the queue; how many there were."""
        return repairs.clear_queue(self.redis, self.name)


@dataclass(frozen=True, slots=True)
class QueueView:
    """A queue's size, and its latency: for how many seconds the job that is taken next has waited.

    `is_paused`: workers take no jobs from it.
    """

    name: str
    size: int
    latency: float
    is_list: bool = True
    is_paused: bool = False

    @property
    def problem(self) -> str | None:
        """The problem in words, or None."""
        if self.is_list:
            return None
        key = keys.queue(self.name)
        return f"no worker can process the queue {self.name!r}: another program's {key!r} is not a list"


def queues(redis: Redis, now: float) -> list[QueueView]:
    """All queues at `now` (float seconds). Raises StoreUnavailable."""
    paused = paused_queues.paused(redis)
    names = sorted({*listing.queue_names(redis), *paused})
    ends = listing.queue_ends(redis, names)
    return [
        replace(_seen(name, end, now), is_paused=name in paused) for name, end in zip(names, ends, strict=True)
    ]


def view_of(redis: Redis, name: str, now: float) -> QueueView:
    """One queue at `now` (float seconds). Raises StoreUnavailable."""
    [end] = listing.queue_ends(redis, [name])
    return replace(_seen(name, end, now), is_paused=name in paused_queues.paused(redis))


def _seen(name: str, end: tuple[int, bytes | None] | None, now: float) -> QueueView:
    if end is None:
        return QueueView(name, 0, 0.0, is_list=False)
    size, payload = end
    since = found(payload).since if payload else None
    return QueueView(name, size, max(0.0, now - since) if since is not None else 0.0)


SCHEDULE: SetName = keys.SCHEDULE
RETRY: SetName = keys.RETRY
DEAD: SetName = keys.DEAD
