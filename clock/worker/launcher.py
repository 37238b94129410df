"""Several worker processes under one: it starts them, passes signals on to them, and replaces those that die."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from clock.clocks import Clock

LOOK_SECONDS = 1.0  # how often children are looked at, besides at each SIGCHLD
YOUNG_SECONDS = 10.0  # who dies younger is replaced only after `PAUSE_SECONDS`
PAUSE_SECONDS = 1.0
PARENT_VARIABLE = "CLOCK_PARENT_PID"  # tells a child whose it is: it stops when that process is gone
GRACE_SECONDS = 10.0  # after a child's own stop timeout, until it is killed

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Child:
    """A worker process; `first` if it is none's replacement."""

    process: subprocess.Popen[bytes]
    started: float
    first: bool


class Launcher:
    """Runs `count` processes of `command` until they are told to stop.

    A child that was stopped as asked (exit code 0) is not replaced. One of the first that ends for bad input
    (1 or 2) ends all: its replacement would find the same.
    """

    def __init__(self, command: Sequence[str], count: int, *, stop_timeout_seconds: float, clock: Clock) -> None:
        self._command = command
        self._count = count
        self._stop_timeout_seconds = stop_timeout_seconds
        self._clock = clock
        self._children: list[_Child] = []  # guarded by _lock
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._stop_by: float | None = None
        self._replacing = True
        self._exit_code = 0

    def run(self) -> int:
        """Keep the children running; the exit code, once all have ended."""
        for _ in range(self._count):
            self._start(first=True)
        while self._children:
            self._clock.wait(self._changed, LOOK_SECONDS)
            self._changed.clear()
            self._look()
        return self._exit_code

    def handlers(self) -> Mapping[signal.Signals, Callable[[], object]]:
        """What each signal does, for `handling`."""
        return {
            signal.SIGTERM: lambda: self.stop(signal.SIGTERM),
            signal.SIGHUP: lambda: self.stop(signal.SIGHUP),
            signal.SIGINT: lambda: self.stop(signal.SIGINT),
            signal.SIGTSTP: lambda: self.quiet(),
            signal.SIGTTIN: lambda: self._pass_on(signal.SIGTTIN),
            signal.SIGCHLD: self._changed.set,
        }

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop all children; may be called from any thread, and twice."""
        if self._stop_by is None:
            self._stop_by = self._clock.monotonic() + self._stop_timeout_seconds + GRACE_SECONDS
        self._replacing = False
        self._pass_on(number)

    def quiet(self) -> None:
        """Let all children take no more jobs."""
        self._replacing = False
        self._pass_on(signal.SIGTSTP)

    def _pass_on(self, number: signal.Signals) -> None:
        with self._lock:
            for child in self._children:
                child.process.send_signal(number)

    def _start(self, *, first: bool) -> None:
        with self._lock:
            if self._replacing:
                environ = {**os.environ, PARENT_VARIABLE: str(os.getpid())}
                process = subprocess.Popen(self._command, env=environ)  # noqa: S603  # this program, its own words
                self._children.append(_Child(process, self._clock.monotonic(), first))

    def _look(self) -> None:
        for child in list(self._children):
            code = child.process.poll()
            if code is not None:
                with self._lock:
                    self._children.remove(child)
                self._ended(child, code)
            elif self._stop_by is not None and self._clock.monotonic() > self._stop_by:
                logger.error("Worker process %d does not stop; killing it", child.process.pid)
                child.process.kill()

    def _ended(self, child: _Child, code: int) -> None:
        if code == 0 or not self._replacing:
            self._exit_code = self._exit_code or max(code, 0)
        elif child.first and code in (1, 2):
            self._exit_code = code
            self.stop()
        else:
            logger.error("Worker process %d died (%s); starting another", child.process.pid, _told(code))
            if self._clock.monotonic() - child.started < YOUNG_SECONDS:
                self._clock.wait(threading.Event(), PAUSE_SECONDS)
            self._start(first=False)


def parent_pid() -> int | None:
    """The process id of the launcher that started this process; None: it is nobody's child."""
    pid = os.environ.get(PARENT_VARIABLE, "")
    return int(pid) if pid.isdigit() else None


def _told(code: int) -> str:
    """An exit code in words.

    >>> _told(3), _told(-9)
    ('exit code 3', 'SIGKILL')
    """
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
