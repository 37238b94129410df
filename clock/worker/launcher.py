"""Several worker processes under one: it starts them, passes signals on to them, and replaces those that die.

An exit code does not distinguish an orderly stop from a job that called `os._exit`, nor bad input from a job that
ended the process. So each child writes into a pipe when it starts to work, and when it has stopped in order.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from clock.clocks import Clock
from clock.errors import HookFailed

LOOK_SECONDS = 1.0  # between two checks of the children, which are also checked at each SIGCHLD
YOUNG_SECONDS = 10.0  # a child that dies younger is replaced only after `PAUSE_SECONDS`
PAUSE_SECONDS = 1.0
GRACE_SECONDS = 4.25  # after a child's own stop timeout, until it is killed; the child ends itself before
KILLING_SECONDS = 0.1  # between two checks of a child that has not ended by then

logger = logging.getLogger("clock.worker")


class Launcher:
    """Runs `count` processes of `command` for each of `capsules`, with `environ`, until `stop` is called.

    A child that stopped in order is not replaced: it was asked to stop, for example on Sidekiq's page. If an
    initial child exits before it works (bad configuration, a startup hook that raises), all stop.
    """

    def __init__(
        self,
        command: Sequence[str],
        count: int,
        *,
        capsules: Sequence[str],
        stop_timeout_seconds: float,
        clock: Clock,
        environ: Mapping[str, str],
    ) -> None:
        self._command = command
        self._environ = environ
        token = secrets.token_hex(6)
        self._first = [(capsule, f"{token}:{number}") for capsule in capsules for number in range(count)]
        self._stop_timeout_seconds = stop_timeout_seconds
        self._clock = clock
        self._children: list[Child] = []  # guarded by _lock
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._stop_by = float("inf")  # the monotonic moment from which children are killed
        self._replacing = True
        self._exit_code = 0
        self._last_look = clock.monotonic()

    def run(self) -> int:
        """Keep the children running. Returns the exit code when all have ended."""
        for capsule, slot in self._first:
            self._start(capsule, slot, is_first=True)
        while self._children:
            left = max(KILLING_SECONDS, self._stop_by - self._clock.monotonic())
            self._clock.wait(self._changed, min(LOOK_SECONDS, left))
            self._changed.clear()
            self._look()
        return self._exit_code

    @property
    def pids(self) -> list[int]:
        """The process ids of the children."""
        with self._lock:
            return [child.process.pid for child in self._children]

    @property
    def seconds_since_look(self) -> float:
        """How long ago it checked its children."""
        return self._clock.monotonic() - self._last_look

    def handlers(self) -> Mapping[signal.Signals, Callable[[], object]]:
        """The handlers of the signals that do not stop the process, for `handling`."""
        return {
            signal.SIGTSTP: lambda: self.quiet(),
            signal.SIGTTIN: lambda: self._pass_on(signal.SIGTTIN),
            signal.SIGCHLD: self._changed.set,
        }

    def stop(self) -> None:
        """Stop all children in order; may be called from any thread, and twice."""
        self._end_by(self._stop_timeout_seconds, signal.SIGTERM)

    def stop_now(self) -> None:
        """Stop all children without waiting for their jobs; may be called from any thread, and twice."""
        self._end_by(0, signal.SIGQUIT)

    def quiet(self) -> None:
        """Make all children stop claiming jobs."""
        self._replacing = False
        self._pass_on(signal.SIGTSTP)

    def _end_by(self, patience_seconds: float, number: signal.Signals) -> None:
        self._stop_by = min(self._stop_by, self._clock.monotonic() + patience_seconds + GRACE_SECONDS)
        self._replacing = False
        self._changed.set()
        self._pass_on(number)

    def _pass_on(self, number: signal.Signals) -> None:
        with self._lock:
            for child in self._children:
                child.process.send_signal(number)

    def _start(self, capsule: str, slot: str, *, is_first: bool = False) -> None:
        with self._lock:
            if self._replacing:
                environ = {**self._environ, CAPSULE_VARIABLE: capsule, SLOT_VARIABLE: slot}
                process, pipe = start(self._command, environ)
                child = Child(process, pipe, self._clock.monotonic(), is_first, capsule, slot)
                self._children.append(child)

    def _look(self) -> None:
        self._last_look = self._clock.monotonic()
        for child in list(self._children):
            code = child.process.poll()
            if code is not None:
                with self._lock:
                    self._children.remove(child)
                self._ended(child, code)
            elif self._clock.monotonic() >= self._stop_by:
                logger.error("Worker process %d did not stop; killing it", child.process.pid)
                child.process.kill()

    def _ended(self, child: Child, code: int) -> None:
        words = _read(child.pipe)
        if _RENEWED in words and self._replacing:
            logger.info("Worker process %d ended to be replaced; starting another", child.process.pid)
            self._start(child.capsule, child.slot)
        elif _STOPPED in words or not self._replacing:
            self._exit_code = self._exit_code or max(code, 0)
        elif child.is_first and code >= 0 and (_BEGAN not in words or _NOT_BEGUN in words):
            self._exit_code = code
            self.stop()
        else:
            logger.error("Worker process %d died (%s); starting another", child.process.pid, _exit_words(code))
            if self._clock.monotonic() - child.started < YOUNG_SECONDS:
                self._clock.wait(threading.Event(), PAUSE_SECONDS)
            self._start(child.capsule, child.slot)


def _exit_words(code: int) -> str:
    """An exit code in words, for the log.

    >>> _exit_words(3), _exit_words(-9), _exit_words(-40)
    ('exit code 3', 'SIGKILL', 'signal 40')
    """
    if code >= 0:
        return f"exit code {code}"
    known = {number.value: number.name for number in signal.Signals}
    return known.get(-code, f"signal {-code}")


PARENT_VARIABLE = "CLOCK_PARENT_PID"  # of the launcher: the child stops when that process is gone
PIPE_VARIABLE = "CLOCK_PARENT_PIPE"  # the pipe's file descriptor in the child
CAPSULE_VARIABLE = "CLOCK_CAPSULE"  # the name of the child's capsule
SLOT_VARIABLE = "CLOCK_SLOT"  # a name that a child has in common with those that replace it
#: A child's messages in its pipe: it works; a startup hook raised; it has stopped in order; it reached a limit.
_BEGAN, _NOT_BEGUN, _STOPPED, _RENEWED = b"b", b"n", b"s", b"r"


@dataclass(frozen=True, slots=True)
class Child:
    """A worker process of a capsule; `is_first` if it replaces no other, `started` in monotonic seconds.

    `slot` is a name that it has in common with the process that replaces it.
    """

    process: subprocess.Popen[bytes]
    pipe: int
    started: float
    is_first: bool
    capsule: str
    slot: str


def start(command: Sequence[str], environ: Mapping[str, str]) -> tuple[subprocess.Popen[bytes], int]:
    """Start a process, with `environ` added to this process's environment. Returns it and our end of its pipe."""
    ours, its = os.pipe()
    os.set_blocking(ours, False)
    whole = {**os.environ, **environ, PARENT_VARIABLE: str(os.getpid()), PIPE_VARIABLE: str(its)}
    # Without handlers TSTP and TTIN would suspend the process for good: they are blocked until it handles them.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTSTP, signal.SIGTTIN])
    try:
        process = subprocess.Popen(command, env=whole, pass_fds=[its])  # noqa: S603  # this program, its own words
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(its)
    return process, ours


def _read(pipe: int) -> bytes:
    """Read what a child that has ended has written into its pipe, and close the pipe."""
    try:
        return os.read(pipe, 2)
    except BlockingIOError:  # it wrote nothing, and a process that it forked holds the pipe
        return b""
    finally:
        os.close(pipe)


def parent_pid() -> int | None:
    """The process id of the launcher that started this process, or None without a launcher. Call it once."""
    pid = os.environ.pop(PARENT_VARIABLE, "")  # processes that a job starts are not the launcher's children
    return int(pid) if pid.isdigit() else None


def own_capsule() -> str | None:
    """The name of the capsule of this process, or None without a launcher. Call it once."""
    return os.environ.pop(CAPSULE_VARIABLE, None)


def own_slot() -> str:
    """The name that this process shares with the process that it replaces, or ''. Call it once."""
    return os.environ.pop(SLOT_VARIABLE, "")


@contextmanager
def reporting_to_launcher(is_renewed: Callable[[], bool]) -> Iterator[None]:
    """Report to the launcher, if there is one, that this process works, and how it ended."""
    number = os.environ.pop(PIPE_VARIABLE, "")
    if not number.isdigit():
        yield
        return
    pipe = int(number)
    os.set_inheritable(pipe, False)
    _write(pipe, _BEGAN)
    try:
        yield
    except HookFailed:  # another process would fail in the same way
        _write(pipe, _NOT_BEGUN)
        raise
    _write(pipe, _RENEWED if is_renewed() else _STOPPED)


def _write(pipe: int, word: bytes) -> None:
    with suppress(BrokenPipeError):  # the launcher was killed
        os.write(pipe, word)
