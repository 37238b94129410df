"""Moving a stopped application to a namespace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clock.errors import ClockError
from clock.inspection.processes import clocks, workers
from clock.store import Redis
from clock.store.moving import move_key, own_keys
from clock.store.server.connection import server_time


@dataclass(frozen=True, slots=True)
class Moved:
    """How many keys were moved, and the names of those that both namespaces have and that cannot be joined."""

    count: int
    conflicts: Sequence[str]


def check_stopped(redis: Redis) -> None:
    """Raise ClockError if clocks or workers run on this connection, Sidekiq's as well."""
    now = server_time(redis)
    running = [clock.identity for clock in clocks(redis, now)]
    running += [worker.identity for worker in workers(redis, now.timestamp())]
    if running:
        raise ClockError(
            f"the application runs: {', '.join(running)}. Stop its clocks, workers and web processes first; "
            "a killed process counts for up to a minute"
        )


def keys_to_move(redis: Redis, source: str | None) -> list[str]:
    """The application's keys, in order. `redis` has no namespace."""
    return sorted(own_keys(redis, source))


def move_all(redis: Redis, names: Sequence[str], *, source: str | None, target: str) -> Moved:
    """Move these keys from one namespace to another. `redis` has no namespace. It may be repeated."""
    moved = [name for name in names if move_key(redis, name, source=source, target=target)]
    return Moved(len(moved), [name for name in names if name not in set(moved)])
