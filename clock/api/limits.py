"""Concurrency limits: what holds them, what they hold back, and their maximum at run time."""

from __future__ import annotations

from collections.abc import Sequence

from clock.api.awaitable import awaitable
from clock.api.connecting import connected
from clock.errors import JobError
from clock.inspection.jobs import limits as found
from clock.inspection.jobs.limits import LimitView
from clock.job.flow.limits import LARGEST, check_name
from clock.printable import brief
from clock.store import Redis
from clock.store.jobs.flow import limit_holders


class Limits:
    """All concurrency limits. Its methods raise StoreUnavailable.

    Each has an awaitable twin, whose name starts with `a`.
    """

    def __init__(self, *, redis: Redis | None = None) -> None:
        self._redis = connected(redis)

    def current(self) -> Sequence[LimitView]:
        """The limits that have holders or blocked jobs, or whose maximum was set, by name."""
        return found.limits(self._redis)

    def set_maximum(self, name: str, maximum: int) -> int:
        """Set the maximum of a limit at once, for all workers, until `reset`. 0 holds back all its jobs.

        Returns how many blocked jobs can run now. Raises JobError.
        """
        check_name("Limit", name)
        if isinstance(maximum, bool) or not isinstance(maximum, int) or not 0 <= maximum <= LARGEST:
            raise JobError(f"maximum is {brief(maximum)}; it must be a whole number, 0 to {LARGEST:,}")
        return limit_holders.set_maximum(self._redis, name, maximum)

    def reset(self, name: str) -> int:
        """Use the maximum in the code again; how many blocked jobs can run now. Raises JobError."""
        check_name("Limit", name)
        return limit_holders.set_maximum(self._redis, name, None)

    acurrent = awaitable(current)
    aset_maximum = awaitable(set_maximum)
    areset = awaitable(reset)
