"""`clock.django.TaskBackend`: Django's Tasks framework on clock.

    TASKS = {"default": {"BACKEND": "clock.django.TaskBackend", "QUEUES": ["default"], "OPTIONS": {"retry": 5}}}

A task becomes a job whose class is the task's path. Its function is registered when its module is imported. Only
registered tasks run. Priorities become queues: a worker takes from the more urgent ones first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from inspect import signature
from typing import Any

from django.apps import apps
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from clock.django.framework import (
    BaseTaskBackend,
    InvalidTask,
    Task,
    TaskResult,
    TaskResultDoesNotExist,
    normalize_json,
    task_enqueued,
)
from clock.django.project import import_jobs_of_applications
from clock.django.task_job import (
    UNFINISHED_SECONDS,
    TaskJob,
    about_task,
    job_of,
    meta,
    result_of,
    task_jobs,
)
from clock.errors import ArgumentsError, JobError
from clock.job.after_commit import django_commit
from clock.job.options import checked
from clock.job.push.setter import Setter
from clock.job.registry import knows
from clock.store.jobs import results
from clock.store.ledger.held_pushes import dropping
from clock.store.server.connection import default

RESULT_SECONDS = 7 * 86_400.0
BANDS = (1, 0, -100)  # the lowest priority of each band, the most urgent first

#: OPTIONS that become options of the jobs.
JOB_OPTIONS = ("retry", "retry_for", "timeout", "expires_in", "backtrace", "dead", "tags")
OPTIONS = (*JOB_OPTIONS, "result_ttl", "priority_bands", "modules", "enqueue_after_commit")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockTask(Task):
    """A task of this backend. It can be an event's action: `every().day.at("06:00").do(task, ...)`."""

    def __str__(self) -> str:
        return str(self.module_path)

    @property
    def wire_name(self) -> str:
        """Its name in payloads."""
        return str(self.module_path)

    def perform_async(self, *args: Any) -> str:
        """Enqueue it; the id of its result."""
        return str(self.enqueue(*args).id)

    def check_arguments(self, *args: Any) -> None:
        """Check that the function takes the arguments and JSON can hold them. Raises ArgumentsError."""
        _check_fit(self, args, {})
        self.get_backend().job(self).check_arguments(list(args), {})

    def prepared_push(self) -> None:
        """None: each firing of an event calls `perform_async`, which also writes the result."""


class TaskBackend(BaseTaskBackend):
    """Runs tasks as clock's jobs."""

    task_class = ClockTask
    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self.options = dict(params.get("OPTIONS", {}))
        self._bands = sorted(self.options.get("priority_bands", BANDS), reverse=True)
        self._result_seconds = float(self.options.get("result_ttl", RESULT_SECONDS))
        self._job_options = {name: self.options[name] for name in JOB_OPTIONS if name in self.options}
        try:
            checked(f"TASKS[{alias!r}]['OPTIONS']", self._job_options)
        except JobError as error:
            raise ImproperlyConfigured(str(error)) from error
        self._modules = tuple(self.options.get("modules", ()))
        self._not_installed = f"TASKS[{alias!r}] uses clock, but 'clock.django' is not in INSTALLED_APPS"

    def validate_task(self, task: Any) -> None:
        """Check a task, and register its function for workers. Raises InvalidTask."""
        super().validate_task(task)
        module = task.func.__module__
        if self._modules and not any(module == one or module.startswith(f"{one}.") for one in self._modules):
            raise InvalidTask(f"{module} is not among OPTIONS['modules'] of the backend {self.alias!r}.")
        self.job(task)

    def job(self, task: Any) -> type[TaskJob]:
        """The job class of a task; made once for each function."""
        path = task.module_path
        known = task_jobs.get(path)
        if known is not None and known.task.func is task.func and knows(path):
            return known
        task_jobs[path] = made = job_of(task, backend=type(self), result_seconds=self._result_seconds)
        return made

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> TaskResult:
        """Enqueue a task, after the commit of the transaction that is under way; its result.

        Raises InvalidTask, StoreUnavailable; ArgumentsError for arguments that the function does not accept;
        ImproperlyConfigured if clock.django is missing in INSTALLED_APPS.
        """
        self.validate_task(task)
        _check_fit(task, args, kwargs)
        if not apps.is_installed("clock.django"):
            raise ImproperlyConfigured(f"{self._not_installed}; add it: without it, settings.CLOCK has no effect")
        result = self._push(task, normalize_json(list(args)), normalize_json(dict(kwargs)))
        task_enqueued.send(type(self), task_result=result)
        return result

    def get_result(self, result_id: str) -> TaskResult:
        """The result of that id. Raises TaskResultDoesNotExist if it is unknown, or was kept for long enough."""
        fields = results.read_task(default(), result_id) if result_id else {}
        about = about_task(fields)
        job = _job_of(about["path"]) if about else None
        if about is None or job is None:
            raise TaskResultDoesNotExist(result_id)
        run_after = about["run_after"]
        task = replace(
            job.task,
            priority=about["priority"],
            queue_name=about["queue_name"],
            run_after=datetime.fromisoformat(run_after) if run_after else None,
            backend=about["backend"],
        )
        return result_of(result_id, fields, task)

    def queues_by_urgency(self) -> list[list[str]]:
        """For each band of priorities, the most urgent first, the queues that its tasks go to."""
        return [[_queue_of(queue, bound) for queue in sorted(self.queues)] for bound in self._bands]

    def check(self, **kwargs: Any) -> Sequence[checks.CheckMessage]:
        """The errors in OPTIONS, and a missing application."""
        if not apps.is_installed("clock.django"):
            hint = "Add 'clock.django' to INSTALLED_APPS: without it, settings.CLOCK has no effect."
            return [checks.Error(self._not_installed, hint=hint, id="clock.E004")]
        unknown = sorted(set(self.options) - set(OPTIONS))
        if unknown:
            known = ", ".join(OPTIONS)
            text = f"TASKS[{self.alias!r}]: unknown OPTIONS {', '.join(unknown)}; known are {known}"
            return [checks.Error(text, id="clock.E003")]
        if self._bands[-1] > -100:
            text = f"TASKS[{self.alias!r}]: the last of priority_bands must be -100, the lowest priority"
            return [checks.Error(text, id="clock.E003")]
        return []

    def _push(self, task: Any, args: list[Any], kwargs: dict[str, Any]) -> TaskResult:
        now = timezone.now()
        options: dict[str, Any] = {**self._job_options, "queue": self._queue(task)}
        if task.run_after is not None:
            options["wait_until"] = _aware(task.run_after)
        if "enqueue_after_commit" in self.options:
            asked = self.options["enqueue_after_commit"]
            options["enqueue_after_commit"] = django_commit(None if asked is True else asked) if asked else None
        order: Setter[Any] = Setter.of(self.job(task), options)
        jid = order.perform_async(args, kwargs)
        fields = {"task": meta(task, args, kwargs, now, self.alias)}
        wait = max(0.0, (_aware(task.run_after) - _aware(now)).total_seconds()) if task.run_after else 0.0
        seconds = self._result_seconds + UNFINISHED_SECONDS + wait
        results.write_task(default(), jid, fields, seconds=seconds)
        return result_of(jid, fields, task)

    def _queue(self, task: Any) -> str:
        bound = next((bound for bound in self._bands if task.priority >= bound), self._bands[-1])
        return _queue_of(task.queue_name, bound)


def _queue_of(name: str, bound: int) -> str:
    return name if bound == 0 else f"{name}.p{bound}"


def _check_fit(task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    try:
        signature(task.func).bind(*([None, *args] if task.takes_context else args), **kwargs)
    except TypeError as error:
        raise ArgumentsError(f"{task.module_path}: wrong arguments: {error}") from None


def _job_of(path: str) -> type[TaskJob] | None:
    """The job of a task. This process may not have imported it yet: then all applications' tasks are imported."""
    if path not in task_jobs:
        with dropping():
            import_jobs_of_applications()
    return task_jobs.get(path)


def _aware(instant: datetime) -> datetime:
    """The instant with a time zone: without USE_TZ, Django's times are naive."""
    found: datetime = timezone.make_aware(instant) if timezone.is_naive(instant) else instant
    return found
