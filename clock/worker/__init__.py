from clock.worker.options import Queue, WorkerOptions
from clock.worker.worker import Worker

__all__ = ["Queue", "Worker", "WorkerOptions"]
