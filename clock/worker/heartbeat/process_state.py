"""Another process of this machine, seen from outside: whether it has ended, and whether it is stopped."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

STOPPED = ("T", "t")  # by SIGSTOP or SIGTSTP; by a debugger
ENDED = ("", "Z", "X", "x")  # gone; a zombie, which has ended but whose parent has not read its exit code; dead


class OtherProcess:
    """A process, by its id. `descriptor` becomes readable when it ends; None on systems without (macOS)."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.descriptor: int | None = None
        with suppress(AttributeError, OSError):  # another system; an old kernel, a sandbox; it has ended
            self.descriptor = os.pidfd_open(pid)

    def has_ended(self) -> bool:
        """True if the process is gone or a zombie."""
        if self.descriptor is not None:
            return bool(select.select([self.descriptor], [], [], 0)[0])
        return _state(self._pid) in ENDED

    def is_stopped(self) -> bool:
        """True if the process exists and does not run, because of SIGSTOP or a debugger."""
        return _state(self._pid) in STOPPED

    def send(self, number: signal.Signals) -> None:
        """Send a signal; does nothing if the process has ended."""
        with suppress(ProcessLookupError):
            if self.descriptor is not None:
                signal.pidfd_send_signal(self.descriptor, number)
            else:
                os.kill(self._pid, number)


def _state(pid: int) -> str:
    """The letter that `ps` shows; "" if the process is gone."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "" if Path("/proc/self/stat").exists() else _state_by_ps(pid)
    return status.rpartition(")")[2].strip()[:1]


def _state_by_ps(pid: int) -> str:
    command = ["ps", "-o", "state=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()[:1]  # noqa: S603  # a number
