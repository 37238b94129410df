"""The processes that live: workers, Sidekiq's as well, and clocks."""

from __future__ import annotations

from collections.abc import Iterator

from clock.api.objects import awaitable, connected, instant, now
from clock.inspection.jobs.busy import BusyJob, busy_jobs
from clock.inspection.processes import ClockView, WorkerView, clocks, workers
from clock.store import Redis, repairs


class Workers:
    """The workers that live, Sidekiq's as well. Its methods raise StoreUnavailable.

    Each method that reads or writes Redis has an awaitable twin, whose name starts with `a`. `redis` is a
    connection of `api.connect`; without it the process's own connection is used. A worker reports its state
    every 5 s, and reads signals as often.
    """

    def __init__(self, *, redis: Redis | None = None) -> None:
        self._redis = connected(redis)

    def living(self) -> list[WorkerView]:
        """Each worker by its last heartbeat."""
        return workers(self._redis, now())

    def __iter__(self) -> Iterator[WorkerView]:
        return iter(self.living())

    def busy(self) -> list[BusyJob]:
        """The jobs that run now, by their run time, the longest first."""
        return busy_jobs(self._redis)

    def quiet(self, identity: str | None = None) -> list[str]:
        """Ask a worker (None: all) to claim no further jobs. This cannot be undone.

        Returns the identities of these workers.
        """
        return self._signal("TSTP", identity)

    def stop(self, identity: str | None = None) -> list[str]:
        """Ask a worker (None: all) to stop in order, as TERM does. Returns the identities of these workers."""
        return self._signal("TERM", identity)

    def dump(self, identity: str | None = None) -> list[str]:
        """Ask a worker (None: all) to log what its threads do, as TTIN does.

        Returns the identities of these workers.
        """
        return self._signal("TTIN", identity)

    def _signal(self, name: str, identity: str | None) -> list[str]:
        living = [view.identity for view in self.living()]
        meant = [one for one in living if identity in (None, one)]
        for one in meant:
            repairs.signal(self._redis, one, name)
        return meant

    aliving = awaitable(living)
    abusy = awaitable(busy)
    aquiet = awaitable(quiet)
    astop = awaitable(stop)
    adump = awaitable(dump)


class Clocks:
    """The clock processes that live, the leader first. Its methods raise StoreUnavailable."""

    def __init__(self, *, redis: Redis | None = None) -> None:
        self._redis = connected(redis)

    def living(self) -> list[ClockView]:
        """Each clock by its last heartbeat; the clock that leads comes first."""
        return clocks(self._redis, instant())

    def __iter__(self) -> Iterator[ClockView]:
        return iter(self.living())

    aliving = awaitable(living)
