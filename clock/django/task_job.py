"""The job of a task, and the task's result as Redis holds it and as the Tasks framework shows it.

Each task has its own job class, named by the task's path, so payloads name it. A worker finds the class among
those that the project's modules have registered. It never imports a name from Redis.

Fields of a result: `task` (JSON: what was enqueued), `status`, `started_at`, `last_attempted_at`, `finished_at`
(ISO 8601), `value` (JSON), and for each attempt `worker:<attempt>` and, if it failed, `error:<attempt>` (JSON).
"""

from __future__ import annotations

import json
import os
import socket
import sys
from asyncio import CancelledError
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from inspect import iscoroutinefunction
from traceback import format_exception
from typing import Any, ClassVar

from asgiref.sync import sync_to_async
from django.utils import timezone

from clock.django.framework import (
    TaskContext,
    TaskError,
    TaskResult,
    TaskResultStatus,
    normalize_json,
    task_finished,
    task_started,
)
from clock.job import Job
from clock.job.context import Context
from clock.job.payload import Payload
from clock.store.jobs import results
from clock.store.server.connection import default
from clock.worker_hooks import death_handler

UNFINISHED_SECONDS = 30 * 86_400.0  # a result is kept for so much longer while its task may still be retried
task_jobs: dict[str, type[TaskJob]] = {}  # path of a task -> its job
#: The keys of the value of the field `task`.
META = {"path", "args", "kwargs", "priority", "queue_name", "run_after", "enqueued_at", "backend"}
FINISHED = (TaskResultStatus.FAILED.value, TaskResultStatus.SUCCESSFUL.value)


class TaskJob(Job):
    """The base class of the jobs of tasks: runs the task, and keeps its result."""

    task: ClassVar[Any]
    backend: ClassVar[Any]  # the class of the task's backend, the sender of signals
    result_seconds: ClassVar[float]  # for how long a result is kept

    def _begin(self) -> TaskResult | None:
        now = timezone.now().isoformat()
        fields = {"last_attempted_at": now, f"worker:{self.attempt}": f"{socket.gethostname()}:{os.getpid()}"}
        result = self._write(TaskResultStatus.RUNNING, fields, once={"started_at": now})
        if result:
            task_started.send(sender=self.backend, task_result=result)
        return result

    def _succeed(self, value: object) -> None:
        self._end(TaskResultStatus.SUCCESSFUL, {"value": json.dumps(value)})

    def _fail(self, error: BaseException) -> None:
        """Note a failed attempt. The task is ready to be tried again, unless that was the last one."""
        if self.context.payload.get("retry") is False:
            self._end(TaskResultStatus.FAILED, self._noted(error))
        else:
            self._write(TaskResultStatus.READY, self._noted(error))

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
            self._end(TaskResultStatus.FAILED, self._noted(error))

    def retries_exhausted(self, payload: Payload, error: BaseException) -> object:
        """Called by the worker after the last attempt has failed."""
        self._end(TaskResultStatus.FAILED, {})
        return None

    def _end(self, status: TaskResultStatus, fields: Mapping[str, str]) -> None:
        result = self._write(status, {**fields, "finished_at": timezone.now().isoformat()})
        if result:
            task_finished.send(sender=self.backend, task_result=result)

    def _write(
        self, status: TaskResultStatus, fields: Mapping[str, str], *, once: Mapping[str, str] | None = None
    ) -> TaskResult | None:
        """Write fields of the result; the whole result. None: what was enqueued is not known any more."""
        seconds = self.result_seconds + (0.0 if status.value in FINISHED else UNFINISHED_SECONDS)
        written = {"status": status.value, **fields}
        found = results.write_task(default(), self.jid, written, seconds=seconds, once=once)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredError(TaskError):
    """An error that a worker has noted."""

    @property
    def exception_class(self) -> type[BaseException]:
        """Its class. Raises ValueError if this process has not imported it: a name in Redis imports nothing."""
        module, _, name = self.exception_class_path.rpartition(".")
        found = getattr(sys.modules.get(module), name, None)
        if not (isinstance(found, type) and issubclass(found, BaseException)):
            raise ValueError(f"{self.exception_class_path!r} is not an exception class of an imported module.")
        return found


def meta(task: Any, args: Any, kwargs: Any, enqueued_at: datetime, backend: str) -> str:
    """The value of the field `task`."""
    return json.dumps(
        {
            "path": task.module_path,
            "args": args,
            "kwargs": kwargs,
            "priority": task.priority,
            "queue_name": task.queue_name,
            "run_after": task.run_after and task.run_after.isoformat(),
            "enqueued_at": enqueued_at.isoformat(),
            "backend": backend,
        }
    )


def about_task(fields: Mapping[str, str]) -> dict[str, Any] | None:
    """The dict that `meta` wrote; None if it is missing or not readable."""
    try:
        found = json.loads(fields.get("task", "null"))
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.keys() >= META else None


def result_of(jid: str, fields: Mapping[str, str], task: Any) -> TaskResult:
    """The result in the fields of Redis."""
    about = json.loads(fields["task"])
    result = TaskResult(
        task=task,
        id=jid,
        status=TaskResultStatus(fields.get("status", TaskResultStatus.READY)),
        enqueued_at=_time(about["enqueued_at"]),
        started_at=_time(fields.get("started_at")),
        finished_at=_time(fields.get("finished_at")),
        last_attempted_at=_time(fields.get("last_attempted_at")),
        args=about["args"],
        kwargs=about["kwargs"],
        backend=about["backend"],
        errors=[_error(fields[name]) for name in _numbered(fields, "error")],
        worker_ids=[fields[name] for name in _numbered(fields, "worker")],
    )
    if "value" in fields:
        object.__setattr__(result, "_return_value", json.loads(fields["value"]))
    return result


def _error(text: str) -> StoredError:
    """An error as a worker noted it; an error without details if the note is not readable."""
    try:
        noted = json.loads(text)
        return StoredError(exception_class_path=noted["exception_class_path"], traceback=noted["traceback"])
    except (ValueError, TypeError, KeyError):
        return StoredError(exception_class_path="builtins.Exception", traceback="")


def _numbered(fields: Mapping[str, str], prefix: str) -> list[str]:
    """The names of the fields of all attempts, in their order."""
    names = (name for name in fields if name.startswith(f"{prefix}:"))
    return sorted(names, key=lambda name: int(name.partition(":")[2]))


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
