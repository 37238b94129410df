"""The job of a task: each task has its own class, named by the task's path, so payloads name it.

A worker finds the class among those that the project's modules have registered. It never imports a name from
Redis.
"""

from __future__ import annotations

import json
import os
import socket
from asyncio import CancelledError
from collections.abc import Callable, Mapping
from inspect import iscoroutinefunction
from traceback import format_exception
from typing import Any, ClassVar

from asgiref.sync import sync_to_async
from django.utils import timezone

from clock.django.framework import (
    TaskContext,
    TaskResult,
    TaskResultStatus,
    normalize_json,
    task_finished,
    task_started,
)
from clock.django.task_results import result_of
from clock.job import Job
from clock.job.context import Context
from clock.job.payload import Payload
from clock.store.jobs import results
from clock.store.server.connection import default
from clock.worker_hooks import death_handler

UNFINISHED_SECONDS = 30 * 86_400.0  # a result is kept for so much longer while its task may still be retried
task_jobs: dict[str, type[TaskJob]] = {}  # path of a task -> its job
FINISHED = (TaskResultStatus.FAILED.value, TaskResultStatus.SUCCESSFUL.value)


class TaskJob(Job):
    """The base class of the jobs of tasks: runs the task, and keeps its result."""

    task: ClassVar[Any]
    backend: ClassVar[Any]  # the class of the task's backend, the sender of signals
    result_seconds: ClassVar[float]  # for how long a result is kept

    def _begin(self) -> TaskResult | None:
        now, number = timezone.now().isoformat(), self.attempt
        fields = {
            "status": TaskResultStatus.RUNNING.value,
            "last_attempted_at": now,
            f"worker:{number}": f"{socket.gethostname()}:{os.getpid()}",
        }
        result = self._write(fields, once={"started_at": now}, seconds=self.result_seconds + UNFINISHED_SECONDS)
        if result:
            task_started.send(sender=self.backend, task_result=result)
        return result

    def _succeed(self, value: object) -> None:
        fields = {"value": json.dumps(value), "status": TaskResultStatus.SUCCESSFUL.value}
        self._end(fields, self.result_seconds)

    def _fail(self, error: BaseException) -> None:
        """Note a failed attempt. The task is ready to be tried again, unless that was the last one."""
        fields = self._noted(error)
        if self.context.payload.get("retry") is False:
            self._end({**fields, "status": TaskResultStatus.FAILED.value}, self.result_seconds)
        else:
            status = {"status": TaskResultStatus.READY.value}
            self._write({**fields, **status}, seconds=self.result_seconds + UNFINISHED_SECONDS)

    def _noted(self, error: BaseException) -> dict[str, str]:
        kind = type(error)
        noted = {
            "exception_class_path": f"{kind.__module__}.{kind.__qualname__}",
            "traceback": "".join(format_exception(error)).encode(errors="backslashreplace").decode(),
        }
        return {f"error:{self.attempt}": json.dumps(noted)}

    def fail_unfinished(self, error: BaseException) -> None:
        """Mark the result as failed, unless an attempt has: the workers were killed, or the payload is invalid."""
        if results.read_task(default(), self.jid).get("status") not in FINISHED:
            self._end({**self._noted(error), "status": TaskResultStatus.FAILED.value}, self.result_seconds)

    def retries_exhausted(self, payload: Payload, error: BaseException) -> object:
        """Called by the worker after the last attempt has failed."""
        self._end({"status": TaskResultStatus.FAILED.value}, self.result_seconds)
        return None

    def _end(self, fields: Mapping[str, str], seconds: float) -> None:
        result = self._write({**fields, "finished_at": timezone.now().isoformat()}, seconds=seconds)
        if result:
            task_finished.send(sender=self.backend, task_result=result)

    def _write(
        self, fields: Mapping[str, str], *, seconds: float, once: Mapping[str, str] | None = None
    ) -> TaskResult | None:
        """Write fields of the result; the whole result. None: what was enqueued is not known any more."""
        found = results.write_task(default(), self.jid, fields, seconds=seconds, once=once)
        return result_of(self.jid, found, self.task) if "task" in found else None

    def _arguments(self, result: TaskResult | None, args: list[Any]) -> list[Any]:
        return [TaskContext(task_result=result), *args] if self.task.takes_context else args


class PlainTaskJob(TaskJob):
    """The job of a task that is a plain function."""

    def perform(self, args: list[Any], kwargs: dict[str, Any]) -> object:
        """Run the task."""
        result = self._begin()
        try:
            value = normalize_json(self.task.func(*self._arguments(result, args), **kwargs))
        except BaseException as error:
            self._fail(error)
            raise
        self._succeed(value)
        return value


class CoroutineTaskJob(TaskJob):
    """The job of a task that is a coroutine function."""

    async def perform(self, args: list[Any], kwargs: dict[str, Any]) -> object:
        """Run the task. Its calls to Redis and the receivers of signals run in a thread."""
        result = await sync_to_async(self._begin)()
        try:
            value = normalize_json(await self.task.func(*self._arguments(result, args), **kwargs))
        except CancelledError:  # the worker stops, and has put the job back
            raise
        except BaseException as error:
            await sync_to_async(self._fail)(error)
            raise
        await sync_to_async(self._succeed)(value)
        return value


@death_handler
def fail_result(payload: dict[str, Any], error: BaseException) -> None:
    """Mark the result of a dead job as failed, if the job is a task's."""
    job = task_jobs.get(str(payload.get("class")))
    if job is not None:
        job.for_context(Context(payload)).fail_unfinished(error)


def job_of(task: Any, *, backend: type, result_seconds: float) -> type[TaskJob]:
    """Make the job class of a task."""
    from_function: Callable[..., object] = task.func
    base = CoroutineTaskJob if iscoroutinefunction(from_function) else PlainTaskJob
    body = {
        "__module__": from_function.__module__,
        "__qualname__": from_function.__qualname__,
        "__doc__": from_function.__doc__,
        "wire_name": task.module_path,
        "task": task,
        "backend": backend,
        "result_seconds": result_seconds,
    }
    return type(from_function.__name__, (base,), body)
