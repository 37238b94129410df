"""A clock process and a job worker: every due instant enqueued exactly once, no job lost.

The names of a clock file are imported when they are first used: a process that only pushes jobs, such as a web
process, does not load the timetable.

PYTEST_DONT_REWRITE: pytest, to which a plugin of ours is known, would warn if this is imported before it.
"""

from clock import import_path  # noqa: F401  # first: it keeps the modules imported below from being hidden
from clock.errors import (
    BatchDone,
    ClockError,
    Discard,
    JobCancelled,
    JobFailed,
    JobTimeout,
    NotUnique,
    RateLimited,
)
from clock.job import (
    Batch,
    IterableJob,
    Job,
    JobResult,
    Limit,
    Rate,
    Unique,
    aenqueue,
    client_middleware,
    enqueue,
    server_middleware,
)
from clock.worker_hooks import death_handler, worker_error_handler

TYPE_CHECKING = False  # no module is imported here that an application may hide
if TYPE_CHECKING:
    from clock.job.function_jobs import job as job
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
        rrule,
        sun,
        sync_events,
    )
else:
    import sys

    from clock import job  # the package, which can be called as the decorator

    def __getattr__(name: str) -> object:
        """Import the timetable for a name of a clock file."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        __import__("clock.timetable")
        globals()[name] = value = getattr(sys.modules["clock.timetable"], name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__version__ = "0.1.0"

__all__ = [
    "DUE_AT",
    "Batch",
    "BatchDone",
    "CancelJob",
    "ClockError",
    "Discard",
    "IterableJob",
    "Job",
    "JobCancelled",
    "JobFailed",
    "JobResult",
    "JobTimeout",
    "Limit",
    "NotUnique",
    "Rate",
    "RateLimited",
    "Unique",
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
    "rrule",
    "server_middleware",
    "sun",
    "sync_events",
    "worker_error_handler",
]
