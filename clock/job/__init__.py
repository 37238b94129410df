"""Jobs. The package itself is also the decorator `job`: `from clock import job` and then `@job(queue="mail")`."""

import sys
from types import ModuleType
from typing import Any

from clock.job.by_name import aenqueue, enqueue
from clock.job.context import Context
from clock.job.flow.batch import Batch
from clock.job.flow.limits import Limit, Rate
from clock.job.flow.unique import Unique
from clock.job.function_jobs import FunctionJob
from clock.job.function_jobs import job as _job
from clock.job.iteration import IterableJob
from clock.job.job import Job
from clock.job.middleware.defaults import client_middleware, drop_stale, log_tags, note_expiry, server_middleware
from clock.job.middleware.time_limit import limit_time
from clock.job.push.setter import Setter
from clock.job.results import JobResult

__all__ = [
    "Batch",
    "Context",
    "FunctionJob",
    "IterableJob",
    "Job",
    "JobResult",
    "Limit",
    "Rate",
    "Setter",
    "Unique",
    "aenqueue",
    "client_middleware",
    "drop_stale",
    "enqueue",
    "limit_time",
    "log_tags",
    "note_expiry",
    "server_middleware",
]


class _JobPackage(ModuleType):
    """This package, which can be called: its name is also that of the decorator."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _job(*args, **kwargs)


sys.modules[__name__].__class__ = _JobPackage
