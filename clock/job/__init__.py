from clock.job.chains import client_middleware, server_middleware
from clock.job.context import Context
from clock.job.expiry import drop_stale, note_expiry
from clock.job.job import Job
from clock.job.metrics import measure
from clock.job.setter import Setter
from clock.job.tags import log_tags
from clock.job.time_limit import limit_time

__all__ = [
    "Context",
    "Job",
    "Setter",
    # Middleware: the chains, and the package's own in them.
    "client_middleware",
    "drop_stale",
    "limit_time",
    "log_tags",
    "measure",
    "note_expiry",
    "server_middleware",
]
