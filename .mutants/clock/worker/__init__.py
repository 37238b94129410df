from clock.worker.launcher import Launcher
from clock.worker.options import Queue, WorkerOptions
from clock.worker.worker import Worker

__all__ = ["Launcher", "Queue", "Worker", "WorkerOptions"]
