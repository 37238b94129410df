"""The health of several processes behind one port: each writes down what it has done, and their parent judges all.

What is written is measured by the machine's monotonic clock, which is one for all its processes. So the words of a
process that hangs, or was stopped, age by themselves.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from clock.clocks import Clock
from clock.health.probes import ClockSigns, Vitals, WorkerSigns, complaints

WRITE_SECONDS = 1.0

logger = logging.getLogger("clock.health")


@dataclass(frozen=True, slots=True)
class _Worker:
    """A worker, as it has written of itself."""

    problems: Sequence[str]
    seconds_since_look: float
    seconds_since_fetch: float


@dataclass(frozen=True, slots=True)
class _Clock:
    """A clock that runs in a worker, from its own report."""

    leads: bool
    problems: Sequence[str]
    seconds_since_look: float
    seconds_since_round: float
    seconds_overdue: float


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
            "worker": _report(_Worker, self._worker),
            "clock": _report(_Clock, self._beside) if self._beside else None,
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


def _report(kind: type[_Worker | _Clock], signs: WorkerSigns | ClockSigns) -> dict[str, object]:
    return {field.name: getattr(signs, field.name) for field in fields(kind)}


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
        found = [(f"process {pid}: ", self._judged(pid)) for pid in self._pids()]
        return Vitals(
            tuple(of + complaint for of, vitals in found for complaint in vitals.not_live),
            tuple(of + complaint for of, vitals in found for complaint in vitals.not_ready),
        )

    def _judged(self, pid: int) -> Vitals:
        read = self._read(pid)
        if read is None:
            return Vitals((), ("it is starting",))
        return complaints(read[1], read[0], self._overdue_seconds)

    @property
    def leads(self) -> bool:
        """Whether a clock that runs in one of them works."""
        return any(clock.leads for clock in self._clocks())

    @property
    def seconds_overdue(self) -> float:
        """The age of the oldest undecided due instant; 0 if none is past."""
        return max((clock.seconds_overdue for clock in self._clocks()), default=0.0)

    def _clocks(self) -> Iterator[_Clock]:
        for pid in self._pids():
            read = self._read(pid)
            if read is not None and read[1] is not None:
                yield read[1]

    def _read(self, pid: int) -> tuple[_Worker, _Clock | None] | None:
        """The child's report, aged by the time since; None: no report yet."""
        try:
            seen = json.loads((self._folder / f"{pid}.json").read_text())
        except FileNotFoundError:
            return None
        age = self._clock.monotonic() - seen["at"]
        worker, beside = seen["worker"], seen["clock"]
        for signs in (worker, beside or {}):
            for name in signs:
                if name.startswith("seconds_since"):
                    signs[name] += age
        return _Worker(**worker), _Clock(**beside) if beside else None
