"""A clock process and a job worker: every due instant enqueued exactly once, no job lost.

PYTEST_DONT_REWRITE: pytest, to which a plugin of ours is known, would warn if this is imported before it.
"""

from clock import import_path  # noqa: F401  # first: it keeps the modules imported below from being hidden
from clock.errors import ClockError, Discard, JobTimeout
from clock.job import IterableJob, Job, aenqueue, client_middleware, enqueue, server_middleware
from clock.timetable import (
    DUE_AT,
    CancelJob,
    cancel_job,
    clear,
    configure,
    cron,
    error_handler,
    every,
    get_jobs,
    handler,
    on,
    repeat,
    sync_events,
)
from clock.worker_hooks import death_handler, worker_error_handler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from clock.job.function_jobs import job as job
else:
    from clock import job  # the package, which can be called as the decorator

__version__ = "0.1.0"

__all__ = [
    "DUE_AT",
    "CancelJob",
    "ClockError",
    "Discard",
    "IterableJob",
    "Job",
    "JobTimeout",
    "aenqueue",
    "cancel_job",
    "clear",
    "client_middleware",
    "configure",
    "cron",
    "death_handler",
    "enqueue",
    "error_handler",
    "every",
    "get_jobs",
    "handler",
    "job",
    "on",
    "repeat",
    "server_middleware",
    "sync_events",
    "worker_error_handler",
]
