"""Side tasks of a clock: they run on threads, so no due instant waits for them.

The clock records its file once it leads, and counts how late runs start, for the dashboard. It also pushes jobs
that a lock without a job kept out of firings. The fire script does not search the job of a lock, as other firings
must not wait. If another program removed that job, its lock would keep out all later firings.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from clock.clocks import Clock, to_ms
from clock.errors import StoreError
from clock.gc_pause import return_memory
from clock.store import Redis
from clock.store.jobs.flow.unique_locks import LockedPush
from clock.store.ledger import timetable_changes
from clock.store.ledger.decision import Decision
from clock.store.ledger.held_pushes import kept_out
from clock.store.ledger.lateness import Lateness, add
from clock.store.ledger.ledger import RedisLedger
from clock.ticker.identity import ClockIdentity
from clock.timetable import Timetable

CHECK_SECONDS = 5.0  # how often the locks that kept out jobs are checked
MOST = 1_000  # jobs between two checks; a later firing checks the locks of others
RECORD_SECONDS = 2.0  # how often a clock tries to record its clock file until it has done so
WRITE_SECONDS = 10.0  # how often the lateness is written

logger = logging.getLogger("clock.clock")


def repeat(task: Callable[[], bool | None], seconds: float, clock: Clock, ended: threading.Event) -> None:
    """Call `task` every so often, until it returns True or the clock has ended."""
    while not clock.wait(ended, seconds):
        if task():
            return


def record_timetable(redis: Redis, timetable: Timetable, identity: ClockIdentity) -> bool:
    """Record a clock's release and declarations. False: Redis refused, which does not harm the clock."""
    declarations = {event.name: event.declaration for event in timetable.events}
    was = {event.name: event.options.was for event in timetable.events if event.options.was}
    try:
        timetable_changes.note(redis, identity.release.name, identity.about.host, declarations, was)
    except StoreError as error:
        logger.debug("The timetable could not be recorded for the dashboard: %s", error)
        return False
    return_memory(len(declarations))
    return True


class LatenessLog:
    """Collects the lateness of committed firings. Counts since the last `write` are lost with the process."""

    def __init__(self, redis: Redis, *, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock
        self._lock = threading.Lock()
        self._counted = Lateness()  # guarded by _lock

    def note(self, decision: Decision) -> None:
        """Count a decision that the ledger has taken. For the clock's listeners."""
        late_ms = decision.detail.get("late_ms")
        if decision.kind.fires and isinstance(late_ms, int):
            with self._lock:
                self._counted.add(late_ms)

    def write(self) -> None:
        """Write the counts since the last write. They are kept for the next one if Redis refuses."""
        with self._lock:
            counted, self._counted = self._counted, Lateness()
        if not counted.runs:
            return
        try:
            add(self._redis, counted, now=self._clock.now())
        except StoreError as error:
            logger.debug("The lateness of runs could not be written for the dashboard: %s", error)
            with self._lock:
                self._counted.merge(counted)


class KeptOut:
    """Collects the jobs that locks kept out of committed firings, and pushes those whose lock has no job."""

    def __init__(self, ledger: RedisLedger, *, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._lock = threading.Lock()
        self._pushes: list[LockedPush] = []  # guarded by _lock

    def note(self, decision: Decision) -> None:
        """Collect the jobs that locks kept out of a committed decision. For the clock's listeners."""
        if out := kept_out(decision.pushes):
            with self._lock:
                self._pushes += out[: MOST - len(self._pushes)]

    def check(self) -> None:
        """Check the locks that kept out jobs since the last check."""
        with self._lock:
            pushes, self._pushes = self._pushes, []
        self._ledger.push_kept_out(pushes, to_ms(self._clock.now()))
