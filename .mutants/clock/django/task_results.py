"""A task's result as Redis holds it, and as the Tasks framework shows it.

Fields: `task` (JSON: what was enqueued), `status`, `started_at`, `last_attempted_at`, `finished_at` (ISO 8601),
`value` (JSON), and for each attempt `worker:<attempt>` and, if it failed, `error:<attempt>` (JSON).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clock.django.framework import TaskError, TaskResult, TaskResultStatus


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
        errors=[StoredError(**json.loads(fields[name])) for name in _numbered(fields, "error")],
        worker_ids=[fields[name] for name in _numbered(fields, "worker")],
    )
    if "value" in fields:
        object.__setattr__(result, "_return_value", json.loads(fields["value"]))
    return result


def _numbered(fields: Mapping[str, str], prefix: str) -> list[str]:
    """The names of the fields of all attempts, in their order."""
    names = (name for name in fields if name.startswith(f"{prefix}:"))
    return sorted(names, key=lambda name: int(name.partition(":")[2]))


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
