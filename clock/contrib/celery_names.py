"""Celery's names for call sites that come from Celery: `@shared_task`, `.delay()`, `.apply_async()`.

They are jobs of clock in every other way. Change the import, and then the call sites one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Concatenate, Generic, Literal, ParamSpec, TypeVar, overload

from clock.errors import JobError
from clock.job import Job
from clock.job.function_jobs import FunctionJob, made

P = ParamSpec("P")
R = TypeVar("R")

#: Options of Celery's tasks that have another name here.
_NAMES = {"max_retries": "retry", "time_limit": "timeout", "soft_time_limit": "timeout", "expires": "expires_in"}
#: Options that describe what every job here does, with that value.
_ALWAYS = {"ignore_result": True, "acks_late": True, "track_started": True}
_INSTEAD = {
    "autoretry_for": "every failure is retried; for others use base= with a class that defines retry_in",
    "retry_backoff": "the pauses grow by themselves; use base= with a class that defines retry_in",
    "default_retry_delay": "use base= with a class that defines retry_in",
    "rate_limit": "use rates=Rate(name, 100, per=60), which counts in all workers together",
}


class CeleryTask(FunctionJob[P, R], Generic[P, R]):
    """A job with its own methods and Celery's names. These return the jid, not an AsyncResult."""

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Push the job, as `perform_async`. Raises ArgumentsError, StoreUnavailable."""
        return self.perform_async(*args, **kwargs)

    def apply_async(
        self,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        countdown: float | None = None,
        eta: datetime | None = None,
        expires: float | timedelta | None = None,
        queue: str | None = None,
        task_id: str | None = None,
    ) -> str:
        """Push the job to run in `countdown` seconds or at `eta` (aware); `expires` is in seconds or a timedelta.

        Raises JobError, ArgumentsError, ValueError for a naive `eta`, StoreUnavailable.
        """
        if countdown is not None and eta is not None:
            raise JobError(f"{self}.apply_async: pass countdown or eta, not both")
        if isinstance(expires, datetime):
            raise JobError(f"{self}.apply_async: expires is a datetime; pass seconds or a timedelta from now")
        given = {"expires_in": expires, "queue": queue, "jid": task_id}
        options: Any = {name: value for name, value in given.items() if value is not None}
        order: Any = self.set(**options) if options else self
        when = eta if eta is not None else countdown
        if when is None:
            return str(order.perform_async(*args, **(kwargs or {})))
        push = order.perform_at if eta is not None else order.perform_in
        return str(push(when, *args, **(kwargs or {})))


@overload
def shared_task(function: Callable[P, R], /) -> CeleryTask[P, R]: ...


@overload
def shared_task(
    *, bind: Literal[True], name: str | None = None, base: type[Job] = Job, **options: Any
) -> Callable[[Callable[Concatenate[Any, P], R]], CeleryTask[P, R]]: ...


@overload
def shared_task(
    *, bind: Literal[False] = False, name: str | None = None, base: type[Job] = Job, **options: Any
) -> Callable[[Callable[P, R]], CeleryTask[P, R]]: ...


def shared_task(
    function: Any = None,
    /,
    *,
    bind: bool = False,
    name: str | None = None,
    base: type[Job] = Job,
    **options: Any,
) -> Any:
    """Make a function a job with Celery's names. Accepts the options of `@job` and some of Celery's.

    `max_retries`, `time_limit` and `expires` are `retry`, `timeout` and `expires_in`. Raises JobError for an
    option without a counterpart, with what to write instead.
    """
    make = partial(made, CeleryTask, bind=bind, wire_name=name, base=base, options=_translated(options))
    return make if function is None else make(function)


def _translated(options: Mapping[str, Any]) -> dict[str, Any]:
    for option, instead in _INSTEAD.items():
        if option in options:
            raise JobError(f"shared_task: unsupported option {option!r}; {instead}")
    if options.get("ignore_result") is False:
        raise JobError("shared_task: unsupported option 'ignore_result=False'; use result_ttl=3600, and JobResult")
    for option, value in _ALWAYS.items():
        if options.get(option, value) != value:
            raise JobError(f"shared_task: {option} can only be {value} here; leave it out")
    return {_NAMES.get(option, option): value for option, value in options.items() if option not in _ALWAYS}
