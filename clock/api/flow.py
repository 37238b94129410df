"""Batches with their progress and failures; concurrency limits, and their maximum at run time."""

from __future__ import annotations

from collections.abc import Sequence

from clock.api.objects import awaitable, connected, instant
from clock.errors import JobError
from clock.inspection.jobs import batches as found
from clock.inspection.jobs.batches import BatchView
from clock.inspection.jobs.limits import LimitView, limits
from clock.job.flow.limits import check_count, check_name
from clock.printable import brief, is_utf8
from clock.store import Redis
from clock.store.jobs.flow import batches as stored
from clock.store.jobs.flow import limit_holders
from clock.store.jobs.flow.batches import Child


class Batches:
    """All batches. Its methods raise StoreUnavailable. Each has an awaitable twin, whose name starts with `a`."""

    def __init__(self, *, redis: Redis | None = None) -> None:
        self._redis = connected(redis)

    def recent(self) -> Sequence[BatchView]:
        """The batches, the newest first. A batch is kept for a week after its success, else for 180 days."""
        return found.batches(self._redis)

    arecent = awaitable(recent)


class BatchRef:
    """The batch with the id `bid`. Its methods raise StoreUnavailable. Each has an awaitable twin: `aview`."""

    def __init__(self, bid: str, *, redis: Redis | None = None) -> None:
        if not (is_utf8(bid) and bid):
            raise JobError(f"the id of the batch is {brief(bid)}; it must be a text, as batch.bid has it")
        self.bid = bid
        self._redis = connected(redis)

    def __repr__(self) -> str:
        return f"BatchRef({self.bid!r})"

    def view(self) -> BatchView | None:
        """State and progress; None: unknown."""
        return found.batch(self._redis, self.bid)

    def failures(self, limit: int = 100) -> Sequence[Child]:
        """The jobs that have ended without success: `how` is dead, dropped, cancelled, deleted or lost.

        `limit`: how many of them at most. Raises JobError if it is not a whole number, 0 or more.
        """
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
            raise JobError(f"limit is {brief(limit)}; it must be a whole number, 0 or more")
        return found.failures(self._redis, self.bid, limit)

    def seal(self) -> bool:
        """Seal an open batch: it is done when its jobs have ended. False: it was sealed, or is unknown."""
        return stored.seal(self._redis, self.bid, now=instant()) == "open"

    aview = awaitable(view)
    afailures = awaitable(failures)
    aseal = awaitable(seal)


class Limits:
    """All concurrency limits. Its methods raise StoreUnavailable. Each has an awaitable twin, prefixed `a`."""

    def __init__(self, *, redis: Redis | None = None) -> None:
        self._redis = connected(redis)

    def current(self) -> Sequence[LimitView]:
        """The limits that have holders or blocked jobs, or whose maximum was set, by name."""
        return limits(self._redis)

    def set_maximum(self, name: str, maximum: int) -> int:
        """Set the maximum of a limit at once, for all workers, until `reset`. 0 holds back all its jobs.

        Returns how many blocked jobs can run now. Raises JobError.
        """
        check_name("Limit", name)
        check_count("maximum", maximum, least=0)
        return limit_holders.set_maximum(self._redis, name, maximum)

    def reset(self, name: str) -> int:
        """Use the maximum in the code again; how many blocked jobs can run now. Raises JobError."""
        check_name("Limit", name)
        return limit_holders.set_maximum(self._redis, name, None)

    acurrent = awaitable(current)
    aset_maximum = awaitable(set_maximum)
    areset = awaitable(reset)
