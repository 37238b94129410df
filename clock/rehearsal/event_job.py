"""The job that an event enqueues."""

from __future__ import annotations

from functools import partial
from types import MethodType
from typing import Any, NamedTuple

from clock.job import Job, Setter
from clock.job.context import JobClass
from clock.timetable import Event
from clock.timetable.naming import shown

#: Methods that push one job, with the number of their arguments before the job's own.
_PUSHES = {"perform_async": 0, "delay": 0, "perform_in": 1, "perform_at": 1}
_PUSHES_BY_LIST = {"apply_async"}  # takes the job's arguments as one list


def job_class_of(event: Event) -> JobClass | None:
    """The class of the job that the event enqueues, also by `.set(...)`; None: it enqueues no known job."""
    job = getattr(event.action, "job", None)
    if isinstance(job, Setter):
        return job.job
    return job if isinstance(job, type) and issubclass(job, Job) else None


def queue_of(event: Event) -> str | None:
    """The queue that the event's job goes to; None: it enqueues no known job."""
    job = getattr(event.action, "job", None)
    if isinstance(job, Setter) and "queue" in job.options:
        return str(job.options["queue"])
    found = job_class_of(event)
    return None if found is None else found.queue


class Push(NamedTuple):
    """A pushing method that an event calls as its function, and the arguments of `do` that replace it."""

    method: str
    instead: str


def push_of(event: Event) -> Push | None:
    """The pushing method of a job that the event calls as its function; None: it calls another function."""
    action: Any = event.action
    function: Any = getattr(action, "function", None)
    args = tuple(getattr(action, "args", ()))
    while isinstance(function, partial):
        function, args = function.func, (*function.args, *args)
    owner = function.__self__ if isinstance(function, MethodType) else None
    name = getattr(function, "__name__", "")
    if not isinstance(owner, Setter) and not (isinstance(owner, type) and issubclass(owner, Job)):
        return None
    if name in _PUSHES:
        args = args[_PUSHES[name] :]
    elif name in _PUSHES_BY_LIST:
        given = action.kwargs.get("args", args[0] if args else ())
        args = tuple(given) if isinstance(given, (list, tuple)) else ()
    else:
        return None
    job = owner.__name__ if isinstance(owner, type) else str(owner)
    return Push(f"{job}.{name}", ", ".join([job, *map(shown, args)]))
