"""Whether a process is alive and ready, told from what it has done and not from the fact that it answers.

Alive: its loop comes round. A process that is not should be killed and started again. Ready: it does its work, and
Redis answers it. A process that is alive and not ready waits for something, most likely for Redis; to kill it
would not help. Whether the application's clock decides in time is told by every process, and apart: a worker is
no less ready because the clock is stuck.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from clock.errors import StoreError
from clock.store import Redis
from clock.store.ledger import overdue

LIVE_SECONDS = 300.0  # an action in the clock's own thread may take this long; a loop that is stuck takes for ever


@dataclass(frozen=True, slots=True)
class Vitals:
    """What is wrong with the process; empty: nothing. Not alive is not ready either."""

    not_live: tuple[str, ...] = ()
    not_ready: tuple[str, ...] = ()


class LeaderSigns(Protocol):
    """What a metric tells of a clock."""

    @property
    def leads(self) -> bool:
        """Whether it works, or stands by."""

    @property
    def seconds_overdue(self) -> float:
        """How long the oldest due instant that nobody has decided is past; 0: none is."""


class ClockSigns(LeaderSigns, Protocol):
    """What is asked of a clock here; times in seconds."""

    @property
    def problems(self) -> Sequence[str]:
        """What keeps it from working, each with its cause and cure."""

    @property
    def seconds_since_look(self) -> float:
        """Since its loop came round, with success or without."""

    @property
    def seconds_since_round(self) -> float:
        """Since its loop came round and Redis answered."""


class WorkerSigns(Protocol):
    """What is asked of a worker here, in seconds."""

    @property
    def problems(self) -> Sequence[str]:
        """What keeps it from working, each with its cause and cure."""

    @property
    def seconds_since_look(self) -> float:
        """Since it looked for work, with success or without."""

    @property
    def seconds_since_fetch(self) -> float:
        """Since Redis answered a fetch; 0 while all threads are busy."""


def complaints(clock: ClockSigns | None, worker: WorkerSigns | None, overdue_seconds: float) -> Vitals:
    """What is wrong with a process that is a clock, a worker, or both; what is so late makes it unready."""
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


def clock_complaints(redis: Redis, overdue_seconds: float) -> tuple[str, ...]:
    """What is wrong with the application's clock, whichever process it is, read from Redis; empty: nothing."""
    try:
        found = overdue.look(redis)
    except StoreError as error:
        return (str(error),)
    problem = found.problem(overdue_seconds)
    return (f"{problem}; the limit is {overdue_seconds:g} s",) if problem else ()


def _late(what: str, seconds: float, limit: float) -> Iterator[str]:
    if seconds > limit:
        yield f"{what} {seconds:.0f} s ago; the limit is {limit:g} s"
