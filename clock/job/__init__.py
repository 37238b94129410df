from clock.job.by_name import aenqueue, enqueue
from clock.job.context import Context
from clock.job.iteration import IterableJob
from clock.job.job import Job
from clock.job.middleware.defaults import client_middleware, log_tags, server_middleware
from clock.job.middleware.expiry import drop_stale, note_expiry
from clock.job.middleware.time_limit import limit_time
from clock.job.push.job_methods import Setter

__all__ = [
    "Context",
    "IterableJob",
    "Job",
    "Setter",
    "aenqueue",
    "client_middleware",
    "drop_stale",
    "enqueue",
    "limit_time",
    "log_tags",
    "note_expiry",
    "server_middleware",
]
