"""Queues, and the jobs that wait in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Unpack

from clock.api.conditions import Conditions, where
from clock.api.job_place import JobPlace, OnProgress, named
from clock.api.objects import awaitable, connected, now
from clock.errors import JobError
from clock.inspection.jobs.job_sets import QueueJobs, QueueView, free_locks_of, queues
from clock.inspection.jobs.jobs import FoundJob
from clock.inspection.jobs.pages import Progress, queue_place
from clock.printable import brief, is_utf8
from clock.store import Redis, repairs
from clock.store.jobs import queues as stored
from clock.store.jobs.scanning import Step
from clock.store.server.shards import every


class Queue(JobPlace):
    """The queue `name`. Its methods raise StoreUnavailable.

    Each method that reads Redis has an awaitable twin, whose name starts with `a`. `redis` is a connection of
    `api.connect`; without it the process's own connection is used. A queue need not exist: it is empty then.
    """

    _changed_from = "last"  # from this end, no job is missed

    def __init__(self, name: str = "default", *, redis: Redis | None = None) -> None:
        if not is_utf8(name):
            raise JobError(f"the queue is {brief(name)}; it must be a name, such as 'default'")
        redis = connected(redis)
        super().__init__(redis, queue_place(redis, name))
        self.name = name
        self._jobs = QueueJobs(self._redis, name)

    def __repr__(self) -> str:
        return f"Queue({self.name!r})"

    @staticmethod
    def all(*, redis: Redis | None = None) -> list[QueueView]:
        """All queues that jobs were ever pushed to: name, size, latency."""
        return queues(connected(redis), now())

    def latency(self) -> float:
        """For how many seconds the job that is taken next has waited; 0: the queue is empty."""
        return queues(self._redis, now(), [self.name])[0].latency

    def delete(self, *jobs: FoundJob, progress: OnProgress | None = None, **conditions: Unpack[Conditions]) -> int:
        """Delete jobs for good: those that are passed, or those that meet all conditions. How many.

        `progress` is called with a `Progress` after each bounded step. Jobs that workers have taken are not
        touched. Raises JobError.
        """
        wanted = where(**conditions)
        if named(jobs, wanted, "delete"):
            return self._jobs.delete(jobs)
        return self._change(self._delete, wanted, progress)

    def delete_in_steps(self, cursor: str | None = None, **conditions: Unpack[Conditions]) -> Iterator[Progress]:
        """Delete the jobs that meet all conditions step by step; each item is the `Progress` after one step.

        With its `cursor` another call continues after that step. Raises JobError, InvalidCursor.
        """
        wanted = where(**conditions)
        named((), wanted, "delete_in_steps")
        return self._steps(self._delete, wanted, cursor)

    def _delete(self, jobs: Sequence[FoundJob], step: Step) -> int:
        first = step.begin
        members = [job.member for job in jobs]
        place = every(self._redis)[jobs[0].shard]  # a step reads one shard
        removed = repairs.remove_from_part(place, self.name, first, first + step.read - 1, members)
        return free_locks_of(self._redis, jobs, removed)

    def clear(self) -> int:
        """Delete the queue and all its jobs for good; how many jobs it held."""
        return self._jobs.clear()

    def pause(self) -> bool:
        """Pause the queue: no worker takes jobs from it, Sidekiq Pro's included. False: it was paused already.

        Running jobs continue. Jobs can still be pushed.
        """
        return stored.pause(self._redis, self.name)

    def unpause(self) -> bool:
        """Resume the queue: workers take jobs from it again within about a second. False: it was not paused."""
        return stored.unpause(self._redis, self.name)

    def is_paused(self) -> bool:
        """Whether it is paused."""
        return self.name in stored.paused(self._redis)

    alatency = awaitable(latency)
    adelete = awaitable(delete)
    aclear = awaitable(clear)
    apause = awaitable(pause)
    aunpause = awaitable(unpause)
    ais_paused = awaitable(is_paused)
