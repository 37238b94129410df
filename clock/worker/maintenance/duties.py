"""The duties of a worker with each heartbeat. If one fails, the others still run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from clock.clocks import Clock
from clock.errors import StoreUnavailable
from clock.problems import ENTRY_SECONDS, Part, Problems, skewed
from clock.store import Redis
from clock.store.jobs import cancellations
from clock.store.jobs.flow import limit_holders, rates
from clock.store.ledger import next_due
from clock.store.server.connection import SKEW_SECONDS, server_time
from clock.store.wrong_type import wrong_keys
from clock.worker.fetching.handoff import Slot

REMIND_SECONDS = 60.0  # how often the error of a late clock is logged again
WITHIN_SECONDS = 0.2  # of a look at rates: heartbeats wait for it

logger = logging.getLogger("clock.worker")


class Duties:
    """Does its duties one after the other, and names keys of a wrong type in the log once a minute."""

    def __init__(
        self,
        redis: Redis,
        duties: Mapping[str, Callable[[], object]],
        *,
        problems: Problems,
        clock: Clock,
    ) -> None:
        self._redis = redis
        named = {**duties, "keys": self._name_wrong_keys}
        self._duties = [(problems.part(name), duty) for name, duty in named.items()]
        self._problems = problems
        self._clock = clock
        self._named_at = float("-inf")  # monotonic

    def do(self) -> None:
        """Do each duty once. Raises StoreUnavailable."""
        for part, duty in self._duties:
            try:
                duty()
            except StoreUnavailable:
                raise
            except Exception as error:  # noqa: BLE001  # a key of a wrong type, or a bug: the other duties go on
                part.failed(error)
            else:
                part.works()

    def _name_wrong_keys(self) -> None:
        now = self._clock.monotonic()
        if now - self._named_at < ENTRY_SECONDS:
            return
        self._named_at = now
        for wrong in wrong_keys(self._redis):
            self._problems.entry("In Redis, %s: another program wrote it; rename or delete it", wrong)


class ClockWatch:
    """Reports a clock that is stuck or gone, which cannot report it itself: a due instant is long undecided."""

    def __init__(self, redis: Redis, *, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock
        self._due: datetime | None = None  # what was overdue when it was last logged
        self._logged_at = float("-inf")

    def look(self) -> bool:
        """Look once, and log it if the clock is behind: True. Raises StoreUnavailable."""
        found = next_due.look(self._redis)
        problem = found.problem(next_due.OVERDUE_SECONDS)
        if problem is None:
            if self._due is not None:
                logger.info("The clock is on time again")
            self._due = None
            return False
        now = self._clock.monotonic()
        if found.due != self._due or now - self._logged_at >= REMIND_SECONDS:
            self._due, self._logged_at = found.due, now
            logger.error("The clock is late: %s", problem)
        return True


class LimitChecks:
    """Once a minute one worker frees places of limits without a job, and removes rates that are as good as new."""

    def __init__(self, redis: Redis, *, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock
        self._at = rates.START  # of the next look at rates

    def look(self) -> None:
        """Look at limits and rates, if no other worker did so lately. Raises StoreUnavailable."""
        limit_holders.heal(self._redis, now=self._clock.now())
        if rates.claim_check(self._redis):
            self._at, _ = rates.forget(self._redis, self._at, within=WITHIN_SECONDS)


def cancel_running(redis: Redis, slots: Sequence[Slot], *, clock: Clock) -> None:
    """Notify running jobs that were cancelled, and keep their marks while they run. Raises StoreUnavailable."""
    running = {state.jid: state for slot in slots if slot.job and (state := slot.state)}
    if not running:
        return
    now = clock.now()
    found = cancellations.marked(redis, now=now) & running.keys()
    for jid in found:
        running[jid].cancel()
    if found:
        cancellations.mark(redis, found, now=now)


def follow_redis_time(redis: Redis, *, clock: Clock, part: Part) -> None:
    """Set the worker's clock by Redis's, by which other workers decide that this one is dead.

    Jobs read the machine's own clock, so a machine whose clock is off is reported. Raises StoreUnavailable.
    """
    asked = clock.monotonic()
    skew = clock.correct(server_time(redis), asked).skew.total_seconds()
    is_skewed = abs(skew) > SKEW_SECONDS
    part.found(*([skewed(skew, "The worker uses", blocks=False)] if is_skewed else []))
