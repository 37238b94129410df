from clock.job.chains import client_middleware, server_middleware
from clock.job.context import Context
from clock.job.job import Job
from clock.job.setter import Setter

__all__ = ["Context", "Job", "Setter", "client_middleware", "server_middleware"]
