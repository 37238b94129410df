"""The worker's end of the channel to its heartbeat process: it starts it, sends signs, and replaces it.

The first heartbeat process is forked before the application is loaded: it shares the interpreter's memory, and no
thread exists yet. A later one is started as a separate program, because a fork of many threads may deadlock.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from clock.clocks import Clock
from clock.forking import close_in_child
from clock.worker.heartbeat.heartbeat_process import BEATEN, REPORT, SIGN, Assignment, detach, main, run_beside

RESTART_SECONDS = 5.0  # between two starts of a heartbeat process
MOST_DESCRIPTORS = 4096  # more than a worker has open before it has loaded the application
_NO_REPORT = (0, float("inf"), float("-inf"))  # no heartbeat; in the form of `REPORT`

logger = logging.getLogger("clock.worker")


class HeartbeatLink:
    """A worker's heartbeat process. Methods may be called from any thread, unless noted otherwise."""

    def __init__(self, channel: socket.socket | None, *, clock: Clock) -> None:
        self._channel = channel  # None: no heartbeat process runs
        self._clock = clock
        self._assignment: Assignment | None = None
        self._started = clock.monotonic()
        self._report: tuple[int, float, float] = _NO_REPORT
        self._rest = b""  # the start of a message
        self._receiving = threading.Lock()

    def assign(self, assignment: Assignment) -> None:
        """Start the work of the heartbeat process. Call it once."""
        self._assignment = assignment
        self._send(assignment.to_line())

    def sign(self) -> None:
        """Show that this interpreter runs."""
        self._send(SIGN)

    def beaten(self) -> None:
        """Report that Redis has a heartbeat of this worker, so the heartbeat process does not send one."""
        self._send(BEATEN)

    def tend(self) -> None:
        """Give a sign, and start another heartbeat process if this one has ended; for one thread, every second."""
        self.sign()
        self._receive()
        now = self._clock.monotonic()
        if self._channel is None and self._assignment and now - self._started > RESTART_SECONDS:
            self._started = now
            try:
                self._channel = _spawned(self._assignment)
            except OSError as error:  # no descriptor, no memory, too many processes
                logger.warning("Could not start a heartbeat process; retrying: %s", error)

    def has_beaten_since(self, moment: float) -> bool:
        """Whether Redis has got heartbeats from `moment` (monotonic seconds) until now, without a gap."""
        self._receive()
        _, first, last = self._report
        valid = self._assignment.expires_seconds if self._assignment else 0.0
        return first - moment <= valid and self._clock.monotonic() - last <= valid

    def close(self) -> None:
        """End the heartbeat process at once, although it may wait for Redis."""
        self._receive()
        pid, _, _ = self._report
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._drop()

    def _send(self, message: bytes) -> None:
        channel = self._channel
        if channel is not None:
            with suppress(OSError):  # it has ended, which `_receive` finds, or does not read now
                channel.send(message)

    def _receive(self) -> None:
        with self._receiving:
            while self._channel is not None:
                try:
                    received = self._channel.recv(4096)
                except BlockingIOError:
                    return
                except OSError:
                    received = b""
                if not received:
                    logger.warning("The heartbeat process of this worker has exited; starting another one")
                    self._drop()
                    return
                self._rest += received
                while len(self._rest) >= REPORT.size:
                    self._report = REPORT.unpack_from(self._rest)
                    self._rest = self._rest[REPORT.size :]

    def _drop(self) -> None:
        channel, self._channel = self._channel, None
        self._report, self._rest = _NO_REPORT, b""
        if channel is not None:
            channel.close()


@contextmanager
def heartbeat_link(*, clock: Clock) -> Iterator[HeartbeatLink]:
    """A heartbeat process for the block; it also ends if this process does.

    To be entered before this process has other threads and before it loads the application.
    """
    link = HeartbeatLink(_forked(), clock=clock)
    try:
        yield link
    finally:
        link.close()


def _forked() -> socket.socket | None:
    ours, its = socket.socketpair()
    worker_pid = os.getpid()
    # A handler must not run in the child.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _become_heartbeat_process(worker_pid, its)
        os.waitpid(pid, 0)
    except OSError as error:  # too many processes
        logger.warning("Could not start a heartbeat process: %s", error)
        ours.close()
        return None
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        its.close()
    ours.setblocking(False)
    close_in_child(ours)
    return ours


def _become_heartbeat_process(worker_pid: int, channel: socket.socket) -> NoReturn:
    try:
        os.closerange(3, channel.fileno())
        os.closerange(channel.fileno() + 1, MOST_DESCRIPTORS)
        if detach():
            run_beside(worker_pid, channel)
    except BaseException as error:  # nothing may return into the worker's code
        logger.critical("Heartbeat process failed: %s", error, exc_info=error)
    finally:
        os._exit(0)


def _spawned(assignment: Assignment) -> socket.socket:
    """Start a heartbeat process as a separate program. Returns the worker's end of its channel. Raises OSError."""
    ours, its = socket.socketpair()
    ours.send(assignment.to_line())  # before the start: then a job may take the interpreter lock
    words = f"import sys; sys.path[:] = {sys.path!r}; from {main.__module__} import main; main({os.getpid()})"
    try:
        with its:
            subprocess.run([sys.executable, "-c", words], stdin=its.fileno(), check=False)  # noqa: S603  # our own program
    except OSError:
        ours.close()
        raise
    ours.setblocking(False)
    close_in_child(ours)
    return ours
