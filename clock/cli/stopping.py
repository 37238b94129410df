"""Stopping a running command: in order at the first signal, at once at the second, always within a limit."""

from __future__ import annotations

import logging
import math
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

from clock.clocks import Clock

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

DOUBLED_SECONDS = 0.01  # GNU timeout sends its signal to the process and to its group: that is one request
EXIT_SECONDS = 4.0  # for the rest, after running work has ended or its time is over; then the process is killed
Stop = Callable[[], object]

logger = logging.getLogger("clock.cli")


class Stopping:
    """Counts the requests to stop. `stop` is called at the first one, `stop_now` at the second.

    `patience_seconds`: how long `stop` may wait for running work; infinite: until the child processes end.
    `exit_seconds`: limit for the rest after that, or after the second signal. With `by_launcher` only QUIT stops
    at once: a process of a launcher receives other signals twice, if the sender signals the whole process group.
    """

    def __init__(
        self,
        stop: Stop,
        stop_now: Stop,
        *,
        clock: Clock,
        patience_seconds: float = math.inf,
        exit_seconds: float = EXIT_SECONDS,
        by_launcher: bool = False,
    ) -> None:
        self._parts = [(stop, stop_now)]
        self._patience_seconds = patience_seconds
        self._exit_seconds = exit_seconds
        self._clock = clock
        self._by_launcher = by_launcher
        self._first: float | None = None  # monotonic seconds, after the first request; used on one thread
        self._is_hurried = False

    def add(self, stop: Stop, stop_now: Stop) -> None:
        """Stop one more part of the process, too."""
        self._parts.append((stop, stop_now))

    def handlers(self) -> Mapping[signal.Signals, Stop]:
        """The action of each signal, for `handling`."""
        return {
            signal.SIGTERM: self.ask,
            signal.SIGINT: self.ask,
            signal.SIGHUP: self._hang_up,
            signal.SIGQUIT: self.ask_now,
        }

    def ask(self) -> None:
        """Stop in order; at the second call, at once."""
        if self._first is None:
            self._end_within(self._patience_seconds)
            for stop, _ in self._parts:
                stop()
            self._first = self._clock.monotonic()
        elif self._clock.monotonic() - self._first >= DOUBLED_SECONDS and not self._by_launcher:
            self.ask_now()

    def ask_now(self) -> None:
        """Stop at once. May be called twice."""
        if self._is_hurried:
            return
        self._is_hurried = True
        logger.info("Stopping now: interrupting running work")
        self._end_within(0)
        for _, stop_now in self._parts:
            stop_now()

    def _hang_up(self) -> None:
        if self._first is None:  # a supervisor may send HUP right after TERM, as systemd can
            self.ask()

    def _end_within(self, patience_seconds: float) -> None:
        if math.isinf(self._patience_seconds):
            return
        seconds = patience_seconds + self._exit_seconds

        def end() -> None:
            self._clock.wait(threading.Event(), seconds)
            logger.error("The process did not exit within %g s of the signal; killing it", seconds)
            leave()

        threading.Thread(target=end, name="exit", daemon=True).start()


def end_processes() -> None:
    """Terminate processes of `multiprocessing` that still run; Python would wait for them at its exit."""
    left = [process for process in _children() if not process.daemon]
    if left:
        logger.warning("Terminating %d processes left running by jobs or actions", len(left))
    for process in left:
        process.terminate()


def leave(exit_code: int = 0) -> NoReturn:
    """End the process and its processes of `multiprocessing`, even if threads still run."""
    for process in _children():
        process.terminate()
    logging.shutdown()
    sys.stdout.flush()
    os._exit(exit_code)


def _children() -> Sequence[BaseProcess]:
    room = sys.modules.get("multiprocessing")  # not imported: no such process exists
    return room.active_children() if room else []
