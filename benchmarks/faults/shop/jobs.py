"""A job that leaves a trace which no fault of Redis touches: a line in a file."""

import os
import time

from clock import Job

TRACE = os.environ.get("TRACE", "trace")


class TraceRunJob(Job):
    """Writes its number once it has done its work, which takes `seconds`."""

    def perform(self, number: int, seconds: float = 0.0) -> None:
        """Do it."""
        time.sleep(seconds)
        trace = os.open(TRACE, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(trace, f"{number}\n".encode())  # a short line is appended whole
        os.close(trace)
