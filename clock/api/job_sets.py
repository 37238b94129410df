"""The sorted sets of jobs: scheduled jobs, jobs that wait for a retry, dead jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import ClassVar, Literal, Unpack

from clock.api.conditions import Conditions, where
from clock.api.job_place import JobPlace, OnProgress, named
from clock.api.objects import awaitable, connected, now
from clock.errors import JobError
from clock.inspection.jobs.job_sets import DEAD, RETRY, SCHEDULE, SetName, WaitingSet
from clock.inspection.jobs.jobs import FoundJob
from clock.inspection.jobs.pages import Act, Progress, set_place
from clock.job.payload import Time, due_at
from clock.store import Redis

Action = Literal["delete", "add_to_queue", "kill"]
OnJobs = Callable[[Sequence[FoundJob]], int]  # changes jobs; returns how many were still there


class JobSet(JobPlace):
    """The methods that the three sets share. They raise StoreUnavailable.

    Each method that reads Redis has an awaitable twin, whose name starts with `a`. `redis` is a connection of
    `api.connect`; without it the process's own connection is used.
    """

    name: ClassVar[SetName]

    def __init__(self, *, redis: Redis | None = None) -> None:
        redis = connected(redis)
        super().__init__(redis, set_place(redis, self.name))
        self._jobs = WaitingSet(self._redis, self.name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def delete(self, *jobs: FoundJob, progress: OnProgress | None = None, **conditions: Unpack[Conditions]) -> int:
        """Delete jobs for good: those that are passed, or those that meet all conditions. Returns how many.

        `progress` is called with a `Progress` after each bounded step. A job that has left in the meantime,
        because a worker has it for instance, is not touched. Raises JobError.
        """
        return self._do(self._jobs.delete, "delete", jobs, progress, conditions)

    def add_to_queue(
        self, *jobs: FoundJob, progress: OnProgress | None = None, **conditions: Unpack[Conditions]
    ) -> int:
        """Enqueue jobs now; returns how many. Accepts the arguments of `delete`. Failed jobs keep all retries."""
        return self._do(self._enqueue, "add_to_queue", jobs, progress, conditions)

    def reschedule(
        self,
        at: Time,
        *jobs: FoundJob,
        progress: OnProgress | None = None,
        **conditions: Unpack[Conditions],
    ) -> int:
        """Set the due time of jobs to `at`: an aware datetime, or a timedelta or seconds from now.

        Returns how many changed. It accepts the arguments of `delete`, too. Dead jobs move to the scheduled
        ones. Raises ValueError.
        """
        due = due_at(at, now())
        return self._do(partial(self._jobs.reschedule, at=due), "reschedule", jobs, progress, conditions, but=due)

    def clear(self) -> int:
        """Delete all jobs of the set for good. Returns how many."""
        return self._jobs.clear()

    def steps(
        self, action: Action, cursor: str | None = None, **conditions: Unpack[Conditions]
    ) -> Iterator[Progress]:
        """Do "delete", "add_to_queue" or "kill" step by step, to all jobs without conditions.

        Each item is the `Progress` after one step. With its `cursor` another call continues after that step: for
        example the next request of a page with a progress bar. Raises JobError, InvalidCursor.
        """
        act = self._actions().get(action)
        if act is None:
            raise JobError(f"unknown action {action!r}; known are {', '.join(self._actions())}")
        return self._steps(_ignoring_step(act), where(**conditions), cursor)

    def _actions(self) -> Mapping[str, OnJobs]:
        return {"delete": self._jobs.delete, "add_to_queue": self._enqueue}

    def _do(
        self,
        act: OnJobs,
        method: str,
        jobs: Sequence[FoundJob],
        progress: OnProgress | None,
        conditions: Conditions,
        *,
        but: float | None = None,
    ) -> int:
        wanted = where(**conditions)
        if named(jobs, wanted, method):
            return act(jobs)
        return self._change(_ignoring_step(act), wanted, progress, but=but)

    def _enqueue(self, jobs: Sequence[FoundJob]) -> int:
        return self._jobs.enqueue(jobs, now())

    adelete = awaitable(delete)
    aadd_to_queue = awaitable(add_to_queue)
    areschedule = awaitable(reschedule)
    aclear = awaitable(clear)


def _ignoring_step(act: OnJobs) -> Act:
    return lambda jobs, _: act(jobs)


class _Killable(JobSet):
    """A set whose jobs can be killed: moved to the dead ones."""

    def kill(self, *jobs: FoundJob, progress: OnProgress | None = None, **conditions: Unpack[Conditions]) -> int:
        """Move jobs to the dead ones, without another run; how many. It accepts the arguments of `delete`.

        `dead_max_jobs` and `dead_timeout` limit the dead jobs when a worker adds the next one.
        """
        return self._do(self._kill, "kill", jobs, progress, conditions)

    def _kill(self, jobs: Sequence[FoundJob]) -> int:
        return self._jobs.bury(jobs, now())

    def _actions(self) -> Mapping[str, OnJobs]:
        return {**super()._actions(), "kill": self._kill}

    akill = awaitable(kill)


class _Retryable(JobSet):
    """A set whose jobs have failed."""

    def retry_all(self, *, progress: OnProgress | None = None, **conditions: Unpack[Conditions]) -> int:
        """Enqueue all jobs that meet the conditions, or all, now; how many. Costs a job none of its retries."""
        return self._change(_ignoring_step(self._enqueue), where(**conditions), progress)

    aretry_all = awaitable(retry_all)


class ScheduledSet(_Killable):
    """The jobs that are scheduled for later (`schedule`)."""

    name = SCHEDULE


class RetrySet(_Killable, _Retryable):
    """The jobs that have failed and wait for a retry (`retry`)."""

    name = RETRY


class DeadSet(_Retryable):
    """The jobs that have failed for good (`dead`)."""

    name = DEAD
