"""Jobs that leave a trace which no fault of Redis touches: a line in a file."""

import ctypes
import os
import time

from clock import Job

TRACE = os.environ.get("TRACE", "trace")


class TraceRunJob(Job):
    """Writes its number once it has done its work, which takes `seconds`."""

    def perform(self, number: int, seconds: float = 0.0) -> None:
        """Do it."""
        time.sleep(seconds)
        _leave_trace(number)


class HoldLockJob(Job):
    """Writes its number once it has held the interpreter lock for `seconds`."""

    def perform(self, number: int, seconds: float) -> None:
        """Do it."""
        ctypes.PyDLL(None).usleep(int(seconds * 1_000_000))  # it keeps the lock, and needs no processor time
        _leave_trace(number)


def _leave_trace(number: int) -> None:
    trace = os.open(TRACE, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(trace, f"{number}\n".encode())  # a short line is appended whole
    os.close(trace)
