from clock.job.context import Context
from clock.job.job import Job
from clock.job.setter import Setter

__all__ = ["Context", "Job", "Setter"]
