"""The duties of a worker with each heartbeat. If one fails, the others still run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import islice

from clock.clocks import Clock
from clock.errors import StoreUnavailable
from clock.problems import ENTRY_SECONDS, Part, Problems, skewed
from clock.store import Redis
from clock.store.jobs import cancellations
from clock.store.jobs.flow import batches, limit_holders, rates, unique_locks
from clock.store.jobs.flow.batches import Correction
from clock.store.ledger import next_due
from clock.store.server.connection import SKEW_SECONDS, server_time
from clock.store.wrong_type import wrong_keys
from clock.worker.fetching.handoff import Slot

REMIND_SECONDS = 60.0  # how often the error of a late clock is logged again
RATES_SECONDS = 0.2  # of a look at rates: heartbeats wait for it
CHILDREN_EVERY_SECONDS = 60.0  # between two looks at jobs of batches
CHILDREN_SECONDS = 0.5  # of one look: heartbeats wait for it
MOST_CHILDREN = 1_000  # pending jobs of one look

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
            self._at, _ = rates.forget(self._redis, self._at, within=RATES_SECONDS)


class LostChildren:
    """Ends jobs of batches that another program has removed: their batches would wait for them for ever.

    One worker looks, once a minute, at some of the pending jobs. A job counts as lost if two looks did not find
    it: a worker of Sidekiq reports its jobs late.
    """

    def __init__(self, redis: Redis, identity: str, *, clock: Clock) -> None:
        self._redis = redis
        self._identity = identity
        self._clock = clock
        self._looked_at = clock.monotonic()
        self._after = ""  # the start of the next check
        self._missing: set[tuple[str, str]] = set()  # by the looks of the latest round

    def look(self) -> None:
        """Look once a minute, if no other worker does. Raises StoreUnavailable."""
        now = self._clock.monotonic()
        if now - self._looked_at < CHILDREN_EVERY_SECONDS:
            return
        self._looked_at = now
        if batches.claim_check(self._redis, self._identity, seconds=2.5 * CHILDREN_EVERY_SECONDS):
            self.check(self._clock.now())

    def check(self, now: datetime) -> int:
        """Look at the next part of the pending jobs; how many were corrected. Raises StoreUnavailable."""
        rows = list(islice(batches.pending(self._redis, self._after), MOST_CHILDREN))
        self._after = rows[-1][0] if len(rows) == MOST_CHILDREN else ""
        some = [(bid, jid) for _, bid, jid in rows]
        gone = unique_locks.gone(self._redis, [jid for _, jid in some], now=now, within=CHILDREN_SECONDS)
        missing = {pair for pair in some if pair[1] in gone}
        twice = missing & self._missing
        self._missing = self._missing - set(some) | missing - twice
        if not twice:
            return 0
        count = batches.correct(self._redis, [Correction(*pair, "", "lost") for pair in twice], now=now)
        batches.note_lost(self._redis, count)
        named = ", ".join(sorted(f"{jid} of {bid}" for bid, jid in twice)[:10])
        logger.warning("Ended %d jobs of batches that another program removed: %s", count, named)
        return count


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
