"""A clock process and a job worker: every due instant enqueued exactly once, no job lost.

A module is imported when a name of it is first used. So a process that only pushes jobs, such as a web process,
does not load the timetable, and a process without a server does not load the client of Redis.

PYTEST_DONT_REWRITE: pytest, to which a plugin of ours is known, would warn if this is imported before it.
"""

from clock import import_path  # first: it keeps the modules imported below from being hidden

TYPE_CHECKING = False  # no module is imported here that an application may hide
if TYPE_CHECKING:
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
    from clock.worker_hooks import death_handler, worker_error_handler
else:
    import sys

    _NAMES = {
        "clock.errors": "BatchDone ClockError Discard JobCancelled JobFailed JobTimeout NotUnique RateLimited",
        "clock.job": "Batch IterableJob Job JobResult Limit Rate Unique aenqueue client_middleware enqueue job"
        " server_middleware",
        "clock.timetable": "DUE_AT CancelJob cancel_job clear configure cron error_handler every get_jobs handler"
        " on repeat rrule sun sync_events",
        "clock.worker_hooks": "death_handler worker_error_handler",
    }
    _MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}

    def __getattr__(name: str) -> object:
        """Import the module of a public name."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        with import_path.own_imports():
            __import__(_MODULES[name])
        if name not in globals():  # `job` is there now: the package `clock.job` is itself the decorator
            globals()[name] = getattr(sys.modules[_MODULES[name]], name)
        return globals()[name]

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__version__ = "1.0.0"

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
