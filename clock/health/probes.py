"""Whether a process is alive and ready, judged by its work, not by the fact that it answers.

Alive: its loop makes rounds. A process that is not alive should be killed and restarted. Ready: it does its work,
and Redis answers. A process that is alive but not ready waits for something, usually for Redis; a restart would
not help. Every process also reports whether the application's clock decides in time. This is separate: a stuck
clock does not make a worker unready.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from clock.errors import StoreError
from clock.store import Redis
from clock.store.ledger import next_due

LIVE_SECONDS = 300.0  # an action on the clock's own thread may take this long; a stuck loop never ends


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


class ClockSigns(LeaderSigns, Protocol):
    """The part of a clock that is read here; times in seconds."""

    @property
    def problems(self) -> Sequence[str]:
        """The problems that block it, each with cause and cure."""

    @property
    def seconds_since_look(self) -> float:
        """Since its loop made a round, with success or without."""

    @property
    def seconds_since_round(self) -> float:
        """Since its loop made a round and Redis answered."""


class WorkerSigns(Protocol):
    """The part of a worker that is read here, in seconds."""

    @property
    def problems(self) -> Sequence[str]:
        """The problems that block it, each with cause and cure."""

    @property
    def seconds_since_look(self) -> float:
        """Since it looked for work, with success or without."""

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
