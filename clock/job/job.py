"""`Job`: the base class of all jobs."""

from __future__ import annotations

import inspect
import logging
from collections.abc import MutableMapping, Sequence
from datetime import datetime, timedelta
from types import CoroutineType
from typing import Any, ClassVar, Self

from clock.errors import JobCancelled, JobError
from clock.job import registry
from clock.job.class_checks import check_class, check_perform
from clock.job.context import Context, OnCommit, job_logger
from clock.job.flow.batch import OwnBatch, own_batch
from clock.job.flow.limits import Limit, Rate
from clock.job.flow.unique import Unique
from clock.job.middleware.chain import ServerMiddleware, await_inside, run_inside
from clock.job.middleware.defaults import server_middleware_for
from clock.job.options import Order
from clock.job.payload import Payload
from clock.job.push import client
from clock.job.push.job_methods import JobMethods
from clock.log import JobLogContext, fields_of, running_job


class Job(JobMethods):
    """A piece of work that a worker does: subclass it, name it VerbNounsJob and give it `perform`.

    A worker may run it again after a failure or a crash, so a second run must do no harm. Options are class
    attributes, and subclasses inherit them:

    - `queue`: the queue in which it waits; "default" if not given;
    - `retry`: True (25 times, over about 20 days), False, or the number of retries;
    - `retry_for`: seconds (or a timedelta) after the first failure in which it is retried, instead of a number;
    - `retry_queue`: the queue of retries, if it differs from `queue`;
    - `dead`: whether it moves to `dead` when it has failed for good;
    - `backtrace`: True, or the number of lines of the traceback that are stored with a failure;
    - `result_ttl`: seconds (or a timedelta) for which its result is stored, for `JobResult`;
    - `redact`: arguments whose values listings do not show;
    - `unique`: True or `Unique(...)`: of jobs with the same key, only one waits or runs at a time;
    - `limits`: `Limit(...)` or a list: how many jobs with the limit's name run at a time;
    - `rates`: `Rate(...)` or a list: how many jobs with the rate's name start in a period;
    - `encrypt`: True: the last argument, a dict, is encrypted in Redis;
    - `tags`: words shown with it on Sidekiq's web page and in its log lines;
    - `timeout`: seconds (or a timedelta) after which the worker interrupts it, which counts as a failure;
    - `expires_in`: seconds (or a timedelta) in which it must start; if it starts later, the worker drops it;
    - `enqueue_after_commit`: a function that calls another one after the database transaction is committed, such
      as Django's `transaction.on_commit`: the job is pushed then.

    `perform` may be a coroutine function (`async def`).

    >>> class GreetLearnerJob(Job):
    ...     queue = "low"
    ...     def perform(self, name: str) -> None:
    ...         print("Hello", name)
    >>> GreetLearnerJob.perform_inline("Ada")
    Hello Ada
    """

    wire_name: ClassVar[str] = "Job"
    queue: ClassVar[str] = "default"
    retry: ClassVar[bool | int] = True
    retry_for: ClassVar[float | timedelta | None] = None
    retry_queue: ClassVar[str | None] = None
    dead: ClassVar[bool] = True
    backtrace: ClassVar[bool | int] = False
    tags: ClassVar[Sequence[str]] = ()
    redact: ClassVar[Sequence[str]] = ()
    result_ttl: ClassVar[float | timedelta | None] = None
    result_limit: ClassVar[int | None] = None
    encrypt: ClassVar[bool] = False
    unique: ClassVar[bool | Unique | None] = None
    limits: ClassVar[Limit | Sequence[Limit] | None] = None
    rates: ClassVar[Rate | Sequence[Rate] | None] = None
    timeout: ClassVar[float | timedelta | None] = None
    expires_in: ClassVar[float | timedelta | None] = None
    enqueue_after_commit: ClassVar[OnCommit | None] = None
    exactly_once: ClassVar[bool] = False  # only for IterableJob

    #: The worker's data of this run.
    context: Context
    #: Further fields of the lines of `logger`, after jid and class; a middleware may add fields.
    log_fields: dict[str, object]
    #: When the job will be interrupted, in UTC; None: it has no `timeout`.
    deadline: datetime | None = None
    _is_coroutine: ClassVar[bool] = False
    _iterates: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        check_perform(cls)
        if "wire_name" not in cls.__dict__:
            cls.wire_name = cls.__name__
        check_class(cls)
        cls._is_coroutine = inspect.iscoroutinefunction(getattr(cls, "perform", None))
        registry.register(cls)

    @classmethod
    def check_arguments(cls, *args: Any) -> None:
        """Check that `perform` and the rules accept these arguments, and JSON supports them. Raises JobError."""
        client.check(Order(cls), args)

    @classmethod
    def is_coroutine(cls) -> bool:
        """Whether `perform` is a coroutine function: such a job is run by `arun`, any other by `run`."""
        return cls._is_coroutine

    @classmethod
    def run(cls, context: Context, middleware: Sequence[ServerMiddleware] | None = None) -> Any:
        """Run the job of `context.payload` inside the server middleware. Returns the result of `perform`.

        For workers and tests. Raises what `perform` raises, JobTimeout, and Discard for a job to be dropped.
        """
        chain = server_middleware_for(cls, context.payload) if middleware is None else tuple(middleware)
        running = running_job.set(context.payload)  # what `JobLogContext` does, for a third of its time
        try:
            result = run_inside(cls.for_context(context), chain, context.args)
        finally:
            running_job.reset(running)
        if type(result) is CoroutineType:
            result.close()
            raise JobError(
                f"{cls.wire_name}.perform returned a coroutine that is never awaited: a decorator hides that it "
                "is `async def`; write the decorator's own function as `async def`, too"
            )
        return result

    @classmethod
    async def arun(cls, context: Context, middleware: Sequence[ServerMiddleware] | None = None) -> Any:
        """Run the job in the middleware if its `perform` is a coroutine function."""
        chain = server_middleware_for(cls, context.payload) if middleware is None else tuple(middleware)
        with JobLogContext(context.payload):
            return await await_inside(cls.for_context(context), chain, context.args)

    @classmethod
    def for_context(cls, context: Context) -> Self:
        """The job of `context`, as it is while it runs."""
        job = cls()
        job.context = context
        job.log_fields = {}
        return job

    def retry_in(self, count: int, error: BaseException) -> float | timedelta | str | None:
        """Define it to return the seconds until the retry that follows failure number `count` (from 0).

        As in Sidekiq, up to 10 * (count + 1) seconds are added, so jobs that failed together do not come back
        together. "kill" moves the job to `dead` at once, "discard" drops it, None means the usual time.
        """
        return None

    def retries_exhausted(self, payload: Payload, error: BaseException) -> object:
        """Define it to act when the job has failed for good, before it moves to `dead`. "discard" drops it."""
        return None

    @property
    def jid(self) -> str:
        """The id of the job that runs."""
        return self.context.jid

    @property
    def due_at(self) -> datetime | None:
        """The due instant of the firing that pushed this job, in UTC, also on a retry. None: not from a clock."""
        return self.context.instant("due")

    @property
    def previous_due_at(self) -> datetime | None:
        """The event's due instant before `due_at`, in UTC; None for the first one, and without an event."""
        return self.context.instant("previous")

    @property
    def attempt(self) -> int:
        """1 on the first run, 2 on the first retry, and so on."""
        return self.context.attempt

    @property
    def stopping(self) -> bool:
        """Whether the worker is about to stop: a long job may return early, and runs again from its start."""
        return self.context.is_stopping()

    def progress(self, done: float, total: float | None = None, note: str | None = None) -> None:
        """Report how far this run has come: `clock status` and the dashboard show it with the next heartbeat.

        The first 200 characters of `note` are shown. Raises JobError for a `done` or `total` that is not a number.
        """
        self.context.report_progress(done, total, note)

    @property
    def cancelled(self) -> bool:
        """Whether the job was cancelled during this run. The worker notices that at its next heartbeat."""
        return self.context.state.cancelled

    def check(self) -> None:
        """Raise JobCancelled if the job was cancelled: call it at each point at which the job may end."""
        if self.context.state.cancelled:
            raise JobCancelled

    @property
    def batch(self) -> OwnBatch:
        """The job's batch: `with self.batch:` adds the jobs that the block pushes. Raises JobError without it."""
        return own_batch(self.context)

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger whose lines carry this job's jid, class and event. `.set(log_level=...)` sets its level."""
        about = {**fields_of(self.context.payload), "jid": self.jid, "class": self.wire_name}
        return _JobLogger(job_logger(self.context.payload), {**about, **self.log_fields})


class _JobLogger(logging.LoggerAdapter[logging.Logger]):
    """Python's own would forget the `extra` of a call."""

    def process(self, msg: object, kwargs: MutableMapping[str, Any]) -> tuple[object, MutableMapping[str, Any]]:
        kwargs["extra"] = {**(kwargs.get("extra") or {}), **(self.extra or {})}
        return msg, kwargs
