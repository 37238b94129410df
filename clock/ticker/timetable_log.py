"""Records the clock file of a clock that leads, for the dashboard's page of changes.

It works on its own thread, once, so no due instant waits for it. It tries again after a failure, which is never a
problem of the clock.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from clock.clocks import Clock
from clock.errors import StoreError
from clock.gc_pause import return_memory
from clock.store import Redis
from clock.store.ledger import timetable_changes
from clock.ticker.identity import ClockIdentity
from clock.timetable import Timetable

LOOK_SECONDS = 2.0

logger = logging.getLogger("clock.clock")


class TimetableLog:
    """Records the release and the declarations of its timetable when the clock has started to lead."""

    def __init__(
        self,
        redis: Redis,
        timetable: Timetable,
        identity: ClockIdentity,
        *,
        leads: Callable[[], bool],
        clock: Clock,
    ) -> None:
        self._redis = redis
        self._timetable = timetable
        self._identity = identity
        self._leads = leads
        self._clock = clock

    def run(self, ended: threading.Event) -> None:
        """Wait until this clock leads, record its timetable, and return; return early if the clock has ended."""
        while not self._clock.wait(ended, LOOK_SECONDS):
            if self._leads() and self.note():
                return_memory(len(self._timetable.events))
                return

    def note(self) -> bool:
        """Record the timetable. True: it is recorded; False: Redis refused, try again."""
        events = self._timetable.events
        declarations = {event.name: event.declaration for event in events}
        was = {event.name: event.was for event in events if event.was}
        release, host = self._identity.release.name, self._identity.about.host
        try:
            timetable_changes.note(self._redis, release, host, declarations, was)
        except StoreError as error:
            logger.debug("The timetable could not be recorded for the dashboard: %s", error)
            return False
        return True
