"""Several worker processes under one: it starts them, passes signals on to them, and replaces those that die."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Mapping, Sequence

from clock.clocks import Clock
from clock.worker import child as children
from clock.worker.child import Child

LOOK_SECONDS = 1.0  # how often children are looked at, besides at each SIGCHLD
YOUNG_SECONDS = 10.0  # who dies younger is replaced only after `PAUSE_SECONDS`
PAUSE_SECONDS = 1.0
GRACE_SECONDS = 4.25  # after a child's own stop timeout, until it is killed; the child ends itself before
KILLING_SECONDS = 0.1  # how often a child that has not ended by then is looked at

logger = logging.getLogger("clock.worker")


class Launcher:
    """Runs `count` processes of `command` for each of `capsules`, until they are told to stop.

    Their environment is their parent's and `environ`.

    A child that has stopped in order is not replaced: it was asked to, as by Sidekiq's page. One of the first that
    ends before it works, for bad input, ends all: its replacement would find the same.
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
        self._first = [capsule for capsule in capsules for _ in range(count)]
        self._stop_timeout_seconds = stop_timeout_seconds
        self._clock = clock
        self._children: list[Child] = []  # guarded by _lock
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._stop_by = float("inf")  # the monotonic moment from which children are killed
        self._replacing = True
        self._exit_code = 0

    def run(self) -> int:
        """Keep the children running; the exit code, once all have ended."""
        for capsule in self._first:
            self._start(capsule, first=True)
        while self._children:
            self._clock.wait(self._changed, self._seconds_to_look())
            self._changed.clear()
            self._look()
        return self._exit_code

    @property
    def pids(self) -> list[int]:
        """The process ids of the children."""
        with self._lock:
            return [child.process.pid for child in self._children]

    def handlers(self) -> Mapping[signal.Signals, Callable[[], object]]:
        """What each signal does besides those that stop, for `handling`."""
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
        """Let all children take no more jobs."""
        self._replacing = False
        self._pass_on(signal.SIGTSTP)

    def _end_by(self, patience_seconds: float, number: signal.Signals) -> None:
        self._stop_by = min(self._stop_by, self._clock.monotonic() + patience_seconds + GRACE_SECONDS)
        self._replacing = False
        self._changed.set()
        self._pass_on(number)

    def _seconds_to_look(self) -> float:
        return min(LOOK_SECONDS, max(KILLING_SECONDS, self._stop_by - self._clock.monotonic()))

    def _pass_on(self, number: signal.Signals) -> None:
        with self._lock:
            for child in self._children:
                child.process.send_signal(number)

    def _start(self, capsule: str, *, first: bool) -> None:
        with self._lock:
            if self._replacing:
                now = self._clock.monotonic()
                self._children.append(
                    children.start(self._command, self._environ, capsule=capsule, now=now, first=first)
                )

    def _look(self) -> None:
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
        began, stopped, renewed = child.told()
        if renewed and self._replacing:
            logger.info("Worker process %d reached a limit; starting another", child.process.pid)
            self._start(child.capsule, first=False)
        elif stopped or not self._replacing:
            self._exit_code = self._exit_code or max(code, 0)
        elif child.first and not began and code >= 0:
            self._exit_code = code
            self.stop()
        else:
            logger.error("Worker process %d died (%s); starting another", child.process.pid, _told(code))
            if self._clock.monotonic() - child.started < YOUNG_SECONDS:
                self._clock.wait(threading.Event(), PAUSE_SECONDS)
            self._start(child.capsule, first=False)


def _told(code: int) -> str:
    """An exit code in words.

    >>> _told(3), _told(-9), _told(-40)
    ('exit code 3', 'SIGKILL', 'signal 40')
    """
    if code >= 0:
        return f"exit code {code}"
    known = {number.value: number.name for number in signal.Signals}
    return known.get(-code, f"signal {-code}")
