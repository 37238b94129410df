"""The places of waiting jobs: queues and the sets `schedule`, `retry` and `dead`, with their actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from clock.inspection.jobs.jobs import FoundJob, found
from clock.job.flow.unique import lock_pair
from clock.job.payload import encode_again, queue_of
from clock.store import Redis, keys, listing, repairs
from clock.store.jobs import queues as stored
from clock.store.jobs.dead import DEFAULT_LIMITS, DeadLimits, Trimmed, trim
from clock.store.jobs.delayed import Delayed
from clock.store.jobs.flow import unique_locks
from clock.store.server.shards import by_place, every

SetName = Literal["schedule", "retry", "dead"]


@dataclass(frozen=True, slots=True)
class WaitingSet:
    """One of the sorted sets of jobs. Each method raises StoreUnavailable."""

    redis: Redis
    name: SetName

    def enqueue(self, jobs: Sequence[FoundJob], now: float) -> int:
        """Put jobs into their queues now; how many were still here. This try is extra, as in Sidekiq."""
        return sum(
            Delayed(place).release(self.name, [_enqueued(job, now) for job in some])
            for place, some in by_place(self.redis, jobs)
        )

    def bury(self, jobs: Sequence[FoundJob], now: float) -> int:
        """Move jobs to `dead`; how many were still here."""
        buried = self._each(jobs, lambda place, members: repairs.bury(place, self.name, members, now))
        return free_locks_of(self.redis, jobs, buried)

    def delete(self, jobs: Sequence[FoundJob], how: str = repairs.DELETED) -> int:
        """Delete jobs; how many were still here. `how` is what their batches call it."""
        removed = self._each(jobs, lambda place, members: repairs.remove_waiting(place, self.name, members, how))
        return free_locks_of(self.redis, jobs, removed)

    def reschedule(self, jobs: Sequence[FoundJob], at: float) -> int:
        """Set the due time of jobs to `at` (float seconds), dead jobs move to `schedule`; how many were here."""
        if self.name == DEAD:
            return self._each(jobs, lambda place, members: repairs.schedule_dead(place, members, at))
        return self._each(jobs, lambda place, members: repairs.reschedule(place, self.name, members, at))

    def _each(self, jobs: Sequence[FoundJob], act: Callable[[Redis, list[bytes]], int]) -> int:
        return sum(act(place, [job.member for job in some]) for place, some in by_place(self.redis, jobs))

    def clear(self) -> int:
        """Delete all its jobs; how many there were."""
        return repairs.clear_waiting(self.redis, self.name)

    def size(self) -> int:
        """How many jobs it holds."""
        return listing.size(self.redis, self.name)


def trim_dead(redis: Redis, now: float, limits: DeadLimits = DEFAULT_LIMITS) -> str:
    """Remove the dead jobs that the limits do not keep; how many, in words ('': none). Raises StoreUnavailable."""
    removed = [trim(place, limits, now) for place in every(redis)]
    return limits.words(sum(removed, Trimmed()))


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

    def delete(self, jobs: Sequence[FoundJob], how: str = repairs.DELETED) -> int:
        """Delete jobs; how many were still here. `how` is what their batches call it."""
        removed = sum(
            repairs.remove_queued(place, self.name, [job.member for job in some], how)
            for place, some in by_place(self.redis, jobs)
        )
        return free_locks_of(self.redis, jobs, removed)

    def clear(self) -> int:
        """Delete all its jobs, and the queue; how many there were."""
        return repairs.clear_queue(self.redis, self.name)


@dataclass(frozen=True, slots=True)
class QueueView:
    """A queue's size, and its latency: for how many seconds the job that is taken next has waited."""

    name: str
    size: int
    latency: float
    is_list: bool = True
    is_paused: bool = False  # workers take no jobs from it

    @property
    def problem(self) -> str | None:
        """The problem in words, or None."""
        if self.is_list:
            return None
        key = keys.queue(self.name)
        return f"no worker can process the queue {self.name!r}: another program's {key!r} is not a list"


def queues(redis: Redis, now: float, names: Sequence[str] | None = None) -> list[QueueView]:
    """The queues of these names (None: all) at `now` (float seconds). Raises StoreUnavailable."""
    paused = stored.paused(redis)
    names = sorted({*listing.queue_names(redis), *paused}) if names is None else names
    ends = [listing.queue_ends(place, names) for place in every(redis)]
    each = zip(names, zip(*ends, strict=True), strict=True)
    return [_view(name, of_name, now, is_paused=name in paused) for name, of_name in each]


def _view(name: str, ends: Sequence[tuple[int, bytes | None] | None], now: float, *, is_paused: bool) -> QueueView:
    """A queue over all shards: in each its size and its next payload, or None if its key holds no list."""
    lists = [end for end in ends if end is not None]
    since = [found(payload).since for _, payload in lists if payload]
    latency = max([0.0, *(now - at for at in since if at is not None)])
    return QueueView(name, sum(size for size, _ in lists), latency, len(lists) == len(ends), is_paused)


SCHEDULE: SetName = keys.SCHEDULE
RETRY: SetName = keys.RETRY
DEAD: SetName = keys.DEAD
