"""A worker process and the launcher that started it: what one tells the other.

An exit code does not tell an orderly stop from a job that called `os._exit`, nor bad input from a job that ended
the process. So the child writes into a pipe when it begins to work, and when it has stopped in order.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple

from clock.config.capsules import DEFAULT

PARENT_VARIABLE = "CLOCK_PARENT_PID"  # tells a child whose it is: it stops when that process is gone
PIPE_VARIABLE = "CLOCK_PARENT_PIPE"  # the pipe's file descriptor in the child
CAPSULE_VARIABLE = "CLOCK_CAPSULE"  # tells a child which capsule it works
_BEGAN, _STOPPED, _RENEWED = b"b", b"s", b"r"


class Told(NamedTuple):
    """Whether a process started to work, stopped in order, and ended because of a limit."""

    began: bool
    stopped: bool
    renewed: bool


@dataclass(frozen=True, slots=True)
class Child:
    """A worker process; `first` if it is none's replacement, `started` in monotonic seconds.

    `capsule` names the capsule that it works.
    """

    process: subprocess.Popen[bytes]
    pipe: int
    started: float
    first: bool
    capsule: str

    def told(self) -> Told:
        """Return the messages that it has written into the pipe. Call it once, when the process has ended."""
        try:
            said = os.read(self.pipe, 2)
        except BlockingIOError:  # nothing, and a process that it has forked holds the pipe
            said = b""
        os.close(self.pipe)
        return Told(_BEGAN in said, _STOPPED in said, _RENEWED in said)


def start(
    command: Sequence[str], environ: Mapping[str, str], *, capsule: str = DEFAULT, now: float, first: bool
) -> Child:
    """Start a worker process of this one for a capsule, with `environ` besides its own environment."""
    ours, its = os.pipe()
    os.set_blocking(ours, False)
    ours_to_it = {PARENT_VARIABLE: str(os.getpid()), PIPE_VARIABLE: str(its), CAPSULE_VARIABLE: capsule}
    whole = {**os.environ, **environ, **ours_to_it}
    try:
        with _held_back():
            process = subprocess.Popen(command, env=whole, pass_fds=[its])  # noqa: S603  # this program, its own words
    finally:
        os.close(its)
    return Child(process, ours, now, first, capsule)


@contextmanager
def _held_back() -> Iterator[None]:
    """Let a process that is started meanwhile get TSTP and TTIN only when it handles them: `shutdown.handling`.

    Until then they would suspend it for good.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTSTP, signal.SIGTTIN])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def parent_pid() -> int | None:
    """The process id of the launcher that started this process; None: it is nobody's child. To be asked once."""
    pid = os.environ.pop(PARENT_VARIABLE, "")  # what a job starts is not the launcher's child
    return int(pid) if pid.isdigit() else None


def own_capsule() -> str | None:
    """The capsule that this process works; None: no launcher has started it. To be asked once."""
    return os.environ.pop(CAPSULE_VARIABLE, None)


@contextmanager
def telling_parent(is_renewed: Callable[[], bool]) -> Iterator[None]:
    """Report to the launcher, if there is one: this process works; at the end: it stopped in order, or renews."""
    number = os.environ.pop(PIPE_VARIABLE, "")
    if not number.isdigit():
        yield
        return
    pipe = int(number)
    os.set_inheritable(pipe, False)
    with suppress(BrokenPipeError):  # the launcher was killed
        os.write(pipe, _BEGAN)
    yield
    with suppress(BrokenPipeError):
        os.write(pipe, _RENEWED if is_renewed() else _STOPPED)
