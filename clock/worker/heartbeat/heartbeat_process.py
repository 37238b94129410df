"""The process that keeps a worker's heartbeat going while the worker's interpreter is busy.

A job may hold Python's interpreter lock (the GIL) for minutes, so no thread of the worker runs. If the worker's
heartbeat is late, this process sends it, while the worker's process exists and is not stopped (SIGSTOP, a
debugger). It loads no application, and is connected to Redis only while it sends heartbeats.

The worker gives a sign every second, and after each of its heartbeats. If none arrives for `frozen_seconds`, this
process kills the worker. When the worker's process has ended, this one reports that to Redis and ends. It ignores
the signals to the whole group: the worker may still finish its jobs.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import select
import signal
import socket
import struct
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from clock.clocks import Clock, SystemClock
from clock.errors import StoreError
from clock.log import configure_logging
from clock.store import Redis
from clock.store.jobs.worker_register import End, WorkerRegister
from clock.store.server.client import client, push_limits
from clock.worker.heartbeat.process_state import OtherProcess
from clock.worker.options import MISSED_BEATS

LOOK_SECONDS = 1.0  # how often the worker's signs are counted, and a failed heartbeat is repeated
MOST_COUNTED_SECONDS = 5.0  # of one look: a machine that was suspended does not make the worker frozen
QUIET_SECONDS = 2.0  # without a sign, until the process state is read
SOCKET_SECONDS = 3.0  # for an answer of Redis: the end of the worker must be noticed soon
ABORT_SECONDS = 2.0  # for a traceback of a frozen worker, until it is killed
LAST_SECONDS = 5.0  # for the worker's process to end once it has closed the channel, and for reporting its end
LATE_BEATS = 1.5  # after so many heartbeats' time without one of the worker, this process sends them

SIGN, BEATEN = b".", b"b"  # what the worker sends: it runs; Redis has its heartbeat

#: Sent to the worker at the start and after each heartbeat: the id of this process; the first and the last of its
#: heartbeats without a gap, in monotonic seconds.
REPORT = struct.Struct("qdd")
IGNORED = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)  # Windows lacks most of them: no worker runs there, but this is imported
]

logger = logging.getLogger("clock.worker")


@dataclass(frozen=True, slots=True)
class Assignment:
    """The worker to send heartbeats for. `frozen_seconds` 0: a frozen worker is never killed."""

    identity: str
    redis_url: str
    beat_seconds: float
    frozen_seconds: float
    log_format: str = "text"
    log_level: str = "info"
    namespace: str = ""

    @property
    def expires_seconds(self) -> float:
        """How long a heartbeat is valid."""
        return MISSED_BEATS * self.beat_seconds

    @property
    def late_seconds(self) -> float:
        """How long the worker may be without a heartbeat until another process sends one for it."""
        return LATE_BEATS * self.beat_seconds

    @property
    def kill_seconds(self) -> float:
        """How long a worker may be frozen. It gives a sign with each heartbeat at least."""
        return max(self.frozen_seconds, self.expires_seconds)

    def to_line(self) -> bytes:
        """The line that `from_line` reads."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Assignment:
        """The assignment in a line of JSON."""
        return cls(**json.loads(line))


class HeartbeatProcess:
    """Sends the heartbeat of one worker, whose end of `channel` gives the signs."""

    def __init__(
        self,
        assignment: Assignment,
        worker: OtherProcess,
        channel: socket.socket,
        redis: Redis,
        *,
        clock: Clock,
    ) -> None:
        self._assignment = assignment
        self._worker = worker
        self._channel = channel
        self._redis = redis
        self._register = WorkerRegister(redis)
        self._clock = clock
        self._looked = clock.monotonic()
        self._next_beat = self._looked + assignment.late_seconds
        self._silent = 0.0  # seconds since the last sign, without those in which the process was stopped
        self._warned = False
        self._since, self._last = float("inf"), float("-inf")  # the heartbeats without a gap: the first, the last
        self._end = End.ENDED

    def run(self, *, is_replacement: bool = False) -> None:
        """Send heartbeats until the worker has ended, and report its end; or until it has closed the channel.

        The worker may have been frozen since the predecessor of a replacement ended, so a replacement sends its
        first heartbeat at once.
        """
        if is_replacement:
            self._next_beat = self._looked
        self._report()
        while not self._worker.has_ended():
            if not self.turn() and not self._ends_now():
                return
        self.report_end()

    def turn(self) -> bool:
        """Wait for a sign or the next check, then do the due work. False: the worker has closed the channel."""
        is_open, given = self._listen(), self._assignment
        if self._silent > QUIET_SECONDS and self._worker.is_stopped():
            self._silent = QUIET_SECONDS
            self._next_beat = self._clock.monotonic() + LOOK_SECONDS
        elif given.frozen_seconds and self._silent > given.kill_seconds:
            self._kill()
        elif self._clock.monotonic() >= self._next_beat:
            self._beat()
            self._warn_once()
        return is_open

    def report_end(self) -> None:
        """Report that the worker's process is gone. Gives up if Redis does not answer within 5 s."""
        signal.alarm(int(LAST_SECONDS))  # ends this process
        try:
            self._register.note_end(self._assignment.identity, self._end)
        except StoreError as error:
            logger.debug("Could not report the end of worker %s: %s", self._assignment.identity, error)

    def _listen(self) -> bool:
        """Count how long the worker is silent. False: it has closed the channel."""
        seconds = min(LOOK_SECONDS, max(0.0, self._next_beat - self._clock.monotonic()))
        watched: list[socket.socket | int] = [self._channel]
        if self._worker.descriptor is not None:
            watched.append(self._worker.descriptor)
        readable, _, _ = select.select(watched, [], [], seconds)
        now = self._clock.monotonic()
        self._silent += min(now - self._looked, MOST_COUNTED_SECONDS)
        self._looked = now
        if self._channel not in readable:
            return True
        self._silent = 0.0
        self._warned = False
        try:
            received = self._channel.recv(4096)
        except OSError:  # the worker has gone
            received = b""
        if BEATEN in received:
            self._next_beat = now + self._assignment.late_seconds
            self._redis.connection_pool.disconnect()
        return bool(received)

    def _ends_now(self) -> bool:
        """Whether the worker's process, which has closed the channel, ends; it takes the kernel a moment."""
        deadline = self._clock.monotonic() + LAST_SECONDS
        while not (ended := self._worker.has_ended()) and self._clock.monotonic() < deadline:
            select.select([], [], [], LOOK_SECONDS / 50)
        return ended

    def _warn_once(self) -> None:
        given = self._assignment
        if self._warned or self._silent <= given.expires_seconds:
            return
        self._warned = True
        text = (
            f"Worker {given.identity} has been frozen for {self._silent:.0f} s: a job holds the interpreter lock "
            "(GIL). The heartbeat continues."
        )
        if given.frozen_seconds:
            text += f" The worker is killed after {given.kill_seconds:g} s (frozen_timeout)."
        _log(logging.WARNING, text)

    def _beat(self) -> None:
        given = self._assignment
        self._next_beat = self._clock.monotonic() + min(LOOK_SECONDS, given.beat_seconds)
        frozen = self._silent if self._silent > QUIET_SECONDS else 0.0
        try:
            self._register.extend(given.identity, given.expires_seconds, frozen=frozen)
        except StoreError as error:
            logger.debug("Could not send the heartbeat of worker %s: %s", given.identity, error)
            self._redis.connection_pool.disconnect()  # the next one looks the address up again
        else:
            now = self._clock.monotonic()
            if now - self._last > given.expires_seconds:
                self._since = now
            self._last = now
            self._next_beat = now + given.beat_seconds
            self._report()

    def _report(self) -> None:
        with suppress(OSError):  # the worker is gone, or has not read for hours
            self._channel.send(REPORT.pack(os.getpid(), self._since, self._last), socket.MSG_DONTWAIT)

    def _kill(self) -> None:
        given = self._assignment
        self._end = End.FROZEN
        _log(
            logging.ERROR,
            f"Killing worker {given.identity}: it has been frozen for {self._silent:.0f} s (frozen_timeout). "
            "A job holds the interpreter lock (GIL). Its jobs are put back. The tracebacks of its threads follow.",
        )
        self._worker.send(signal.SIGABRT)  # makes faulthandler write the tracebacks
        if self._worker.descriptor is not None:
            select.select([self._worker.descriptor], [], [], ABORT_SECONDS)
        self._worker.send(signal.SIGKILL)
        self._silent = 0.0


def run_beside(worker_pid: int, channel: socket.socket, *, is_replacement: bool = False) -> None:
    """Wait for the assignment on `channel`, then send heartbeats until the worker has ended."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _name_process()
    worker = OtherProcess(worker_pid)
    assignment = _assignment(channel, worker)
    if assignment is None:
        return
    configure_logging(assignment.log_format, assignment.log_level)
    redis = client(assignment.redis_url, 1, push_limits(SOCKET_SECONDS), namespace=assignment.namespace)
    process = HeartbeatProcess(assignment, worker, channel, redis, clock=SystemClock())
    process.run(is_replacement=is_replacement)


def detach() -> bool:
    """Fork this process again, so the second process is not a child of the worker. True in the second process.

    A job that waits for all children of its process must not wait for this one.
    """
    if os.fork():
        return False
    gc.freeze()  # the collector would write to memory that is shared with the worker
    return True


def main(worker_pid: int) -> None:
    """Run a heartbeat process, which replaces another one, and whose channel is stdin."""
    if detach():  # pragma: no cover  # tests kill this process
        run_beside(worker_pid, socket.socket(fileno=os.dup(0)), is_replacement=True)


def _assignment(channel: socket.socket, worker: OtherProcess) -> Assignment | None:
    """The assignment, which the worker sends before its signs; None if the worker has ended first."""
    line = b""
    while not line.endswith(b"\n"):
        while not select.select([channel], [], [], LOOK_SECONDS)[0]:
            if worker.has_ended():
                return None
        byte = channel.recv(1)  # one, as signs may follow the line
        if not byte:
            return None
        line += byte
    return Assignment.from_line(line)


def _name_process() -> None:
    """Set the name of this process in `top` and `ps -e`, on Linux."""
    with suppress(OSError):
        Path("/proc/self/comm").write_text("clock-heartbeat", encoding="ascii")


def _log(level: int, text: str) -> None:
    """Log, unless the reader of stdout is stuck: then the line would hold up the heartbeat."""
    with suppress(OSError, ValueError):
        if select.select([], [sys.stdout], [], 0)[1]:
            logger.log(level, "%s", text)
