"""The pid file of a background clock: a pid in it counts only while its process holds a lock on the file.

The kernel drops the lock when the process ends, however it ends. So the pid of a killed clock counts as free, even
if another process has that pid now. The folder may be writable by other users: no link is followed, and only pid
files of this user are written or deleted.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import re
import stat
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from clock.clocks import SystemClock
from clock.errors import ClockError, ConfigurationError

LOOK_SECONDS = 0.05
PATIENCE = 20  # attempts: another command may hold the lock for a moment to test it


@dataclass(frozen=True, slots=True)
class PidFile:
    """A file that holds a process id, locked by that process."""

    path: Path

    def holder(self) -> int | None:
        """The process that the file names and that has its lock, if there is one. Raises ConfigurationError."""
        try:
            file = open_own(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        with file:
            pid = self._pid(file)
            return pid if pid and _is_locked(file) and _has_open(pid, file) else None

    def take(self) -> io.FileIO:
        """Lock the file while the result is open, here or in a child; create it if missing. Raises ClockError."""
        for _ in range(PATIENCE):
            file = open_own(self.path, os.O_RDWR | os.O_CREAT)
            if self._is_taken(file):
                return file
            file.close()
            pid = self.holder()
            if pid is not None:
                raise ClockError(f"A clock is already running: pid {pid} (pid file {self.path})")
            SystemClock().wait(threading.Event(), LOOK_SECONDS)
        raise ClockError(f"Another process has locked the pid file {self.path}; try again after it exits")

    def remove(self, file: io.FileIO) -> None:
        """Delete the file, which is held as `file`. If the path now has another file, nothing happens."""
        if self._is_at_path(file):
            self.path.unlink(missing_ok=True)

    def remove_stale(self) -> None:
        """Delete the file unless a process holds it."""
        with suppress(ClockError, FileNotFoundError), open_own(self.path, os.O_RDWR) as file:
            if self._is_taken(file):
                self.remove(file)

    def _is_taken(self, file: io.FileIO) -> bool:
        """Lock it; False: another process holds the lock, or has replaced or deleted the file."""
        try:
            if os.fstat(file.fileno()).st_uid != os.geteuid():
                raise ConfigurationError(
                    f"The pid file {self.path} belongs to another user; use another --pid-dir"
                )
            self._pid(file)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except ClockError:
            file.close()
            raise
        return self._is_at_path(file)

    def _is_at_path(self, file: io.FileIO) -> bool:
        try:
            return os.path.samestat(self.path.lstat(), os.fstat(file.fileno()))
        except FileNotFoundError:
            return False

    def _pid(self, file: io.FileIO) -> int | None:
        """The pid in the file; None: it is empty. Raises ConfigurationError if the content is not a pid."""
        text = os.pread(file.fileno(), 64, 0)
        if not re.fullmatch(rb"\s*\d{0,19}\s*", text):
            raise ConfigurationError(f"{self.path} is not a pid file; it is not changed. Use another --pid-dir")
        return int(text) if text.strip() else None


def open_own(path: Path, flags: int) -> io.FileIO:
    """Open a regular file that has no other name; no link. Raises ConfigurationError, FileNotFoundError."""
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    except FileNotFoundError:
        raise
    except OSError as error:
        why = "it is a link" if error.errno in (errno.ELOOP, errno.EMLINK) else error.strerror
        raise ConfigurationError(f"{path} cannot be used: {why}; use another --pid-dir or --log-dir") from None
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        os.close(descriptor)
        why = "it is a hard link" if stat.S_ISREG(found.st_mode) else "it is not a regular file"
        raise ConfigurationError(f"{path} cannot be used: {why}; use another --pid-dir or --log-dir")
    return io.FileIO(descriptor, "r+" if flags & os.O_RDWR else "w" if flags & os.O_WRONLY else "r")


def _is_locked(file: io.FileIO) -> bool:
    """Whether a process holds the lock. The test uses a shared lock, so two tests do not interfere."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


def _has_open(pid: int, file: io.FileIO) -> bool:
    """Whether the process has this file open, on systems that report it (Linux); elsewhere True."""
    if not Path("/proc/self/fd").exists():
        return True  # pragma: no cover  # macOS
    wanted = os.fstat(file.fileno())
    try:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # closed at this moment
                if os.path.samestat(descriptor.stat(), wanted):
                    return True
    except PermissionError:
        return True  # a process of another user, which only root may inspect
    except OSError:
        return False
    return False
