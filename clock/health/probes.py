"""Whether a process is alive and ready, judged by its work, not by the fact that it answers.

Alive: its loop makes rounds. A process that is not alive should be killed and restarted. Ready: it does its work,
and Redis answers. A process that is alive but not ready waits for something, usually for Redis; a restart would
not help. Every process also reports whether the application's clock decides in time. This is separate: a stuck
clock does not make a worker unready.

Several processes may be behind one port: each writes reports of its work, and their parent judges all. The times
in a report are of the machine's monotonic clock, so the report of a process that hangs ages by itself.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

from clock.clocks import Clock
from clock.errors import StoreError
from clock.store import Redis
from clock.store.ledger import next_due

LIVE_SECONDS = 300.0  # an action on the clock's own thread may take this long; a stuck loop never ends
WRITE_SECONDS = 1.0

logger = logging.getLogger("clock.health")


@dataclass(frozen=True, slots=True)
class Vitals:
    """The problems of the process; empty: none. A process that is not alive is not ready either."""

    not_live: tuple[str, ...] = ()
    not_ready: tuple[str, ...] = ()


class LeaderSigns(Protocol):
    """The part of a clock that a metric reads."""

    @property
    def leads(self) -> bool:
        """Whether the clock leads; otherwise it is on standby."""

    @property
    def seconds_overdue(self) -> float:
        """The age of the oldest undecided due instant; 0: none is overdue."""


class ProcessSigns(Protocol):
    """The part of a clock and of a worker that is read here; times in seconds."""

    @property
    def problems(self) -> Sequence[str]:
        """The problems that block it, each with cause and cure."""

    @property
    def seconds_since_look(self) -> float:
        """Since its loop made a round, with success or without."""


class ClockSigns(LeaderSigns, ProcessSigns, Protocol):
    """The part of a clock that is read here."""

    @property
    def seconds_since_round(self) -> float:
        """Since its loop made a round and Redis answered."""


class WorkerSigns(ProcessSigns, Protocol):
    """The part of a worker that is read here."""

    @property
    def seconds_since_fetch(self) -> float:
        """Since Redis answered a fetch; 0 while all threads are busy."""


def complaints(clock: ClockSigns | None, worker: WorkerSigns | None, overdue_seconds: float) -> Vitals:
    """The problems of a process that is a clock, a worker, or both; delays over `late` make it unready."""
    not_live: list[str] = []
    not_ready: list[str] = [*(clock.problems if clock else ()), *(worker.problems if worker else ())]
    if clock:
        not_live += _late("the clock's last tick was", clock.seconds_since_look, LIVE_SECONDS)
        not_ready += _late(
            "the clock's last tick without an error was", clock.seconds_since_round, overdue_seconds
        )
        not_ready += _late("the oldest overdue run was due", clock.seconds_overdue, overdue_seconds)
    if worker:
        not_live += _late("the worker's last fetch was", worker.seconds_since_look, LIVE_SECONDS)
        not_ready += _late("Redis last answered a fetch", worker.seconds_since_fetch, overdue_seconds)
    return Vitals(tuple(not_live), tuple(dict.fromkeys((*not_live, *not_ready))))


def launcher_complaints(seconds_since_look: float) -> Vitals:
    """The problems of a process that starts worker processes, by the age of its last check of them."""
    late = tuple(_late("the last check of the worker processes was", seconds_since_look, LIVE_SECONDS))
    return Vitals(late, late)


def clock_complaints(redis: Redis, overdue_seconds: float) -> tuple[str, ...]:
    """The problems of the application's clock in any process, read from Redis; empty: none."""
    try:
        found = next_due.look(redis)
    except StoreError as error:
        return (str(error),)
    problem = found.problem(overdue_seconds)
    return (f"{problem}; the limit is {overdue_seconds:g} s",) if problem else ()


def _late(what: str, seconds: float, limit: float) -> Iterator[str]:
    if seconds > limit:
        yield f"{what} {seconds:.0f} s ago; the limit is {limit:g} s"


_STARTING = Vitals((), ("it is starting",))


#: The signs in a report.
_OF_WORKER = ("problems", "seconds_since_look", "seconds_since_fetch")
_OF_CLOCK = ("problems", "seconds_since_look", "seconds_since_round", "seconds_overdue", "leads")


class Report:
    """Writes, in a child and in its own thread, what the child has done into a file of `folder`."""

    def __init__(self, folder: Path, worker: WorkerSigns, beside: ClockSigns | None, *, clock: Clock) -> None:
        self._path = folder / f"{os.getpid()}.json"
        self._worker = worker
        self._beside = beside
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)

    def start(self) -> None:
        """Write from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Stop writing."""
        self._stop.set()
        self._thread.join()

    def write(self) -> None:
        """Write once. Raises OSError."""
        seen = {
            "at": self._clock.monotonic(),
            "worker": {name: getattr(self._worker, name) for name in _OF_WORKER},
            "clock": {name: getattr(self._beside, name) for name in _OF_CLOCK} if self._beside else None,
        }
        unfinished = self._path.with_suffix(".new")
        unfinished.write_text(json.dumps(seen))
        unfinished.replace(self._path)

    def _run(self) -> None:
        while True:
            try:
                self.write()
            except OSError as error:  # a full disk: the parent notices that reports are missing
                logger.debug("Health: %s", error)
            if self._clock.wait(self._stop, WRITE_SECONDS):
                return


class Reports:
    """Judges, in the parent, the children that `pids` returns, by their files in `folder`."""

    def __init__(
        self, folder: Path, pids: Callable[[], Sequence[int]], overdue_seconds: float, *, clock: Clock
    ) -> None:
        self._folder = folder
        self._pids = pids
        self._overdue_seconds = overdue_seconds
        self._clock = clock

    def vitals(self) -> Vitals:
        """The problems of all of them."""
        not_live, not_ready = list[str](), list[str]()
        for pid in self._pids():
            read = self._read(pid)
            one = complaints(read[1], read[0], self._overdue_seconds) if read else _STARTING
            not_live += (f"process {pid}: {complaint}" for complaint in one.not_live)
            not_ready += (f"process {pid}: {complaint}" for complaint in one.not_ready)
        return Vitals(tuple(not_live), tuple(not_ready))

    @property
    def leads(self) -> bool:
        """Whether a clock that runs in one of them works."""
        return any(clock.leads for clock in self._clocks())

    @property
    def seconds_overdue(self) -> float:
        """The age of the oldest undecided due instant; 0 if none is past."""
        return max((clock.seconds_overdue for clock in self._clocks()), default=0.0)

    def _clocks(self) -> list[ClockSigns]:
        return [read[1] for read in map(self._read, self._pids()) if read and read[1]]

    def _read(self, pid: int) -> tuple[WorkerSigns, ClockSigns | None] | None:
        """The child's report, aged by the time since; None: no report yet."""
        try:
            seen = json.loads((self._folder / f"{pid}.json").read_text())
        except FileNotFoundError:
            return None
        age = self._clock.monotonic() - seen["at"]
        for signs in (seen["worker"], seen["clock"] or {}):
            for name in signs:
                if name.startswith("seconds_since"):
                    signs[name] += age
        worker: Any = SimpleNamespace(**seen["worker"])
        clock: Any = SimpleNamespace(**seen["clock"]) if seen["clock"] else None
        return worker, clock
