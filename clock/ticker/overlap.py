"""What keeps a due instant from firing: a pause, or an earlier firing that still runs.

A firing still runs while its action runs here on a thread, and while one of its jobs is queued, delayed, to be
retried or held by a worker with a heartbeat. That is read from Redis each time; there is no lock that could
time out under a long job, or stay behind after a crash.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from clock.clocks import Clock, to_ms
from clock.errors import StoreError
from clock.store.ledger.decision import DecisionKind
from clock.store.ledger.ledger import Ledger
from clock.store.ledger.pauses import Pause, covering
from clock.ticker.action_threads import ActionThreads
from clock.ticker.catch_up import Due
from clock.ticker.decisions import Outcome
from clock.timetable import Event

logger = logging.getLogger("clock.clock")

#: How many firings of an event may be unfinished for the next one to fire.
_UNFINISHED = {
    "skip": (0, "its previous run is still active"),
    "queue_one": (1, "one run is active and one is waiting"),
}


class OverlapCheck:
    """Says what is to become of a firing that may not go ahead."""

    def __init__(self, ledger: Ledger, threads: ActionThreads, *, clock: Clock) -> None:
        self._ledger = ledger
        self._threads = threads
        self._clock = clock
        self._pauses: Mapping[str, Pause] = {}
        self._unreadable: set[str] = set()  # events whose unfinished jobs cannot be read; each is named once

    def look(self, events: Iterable[Event]) -> None:
        """Learn the pauses before `events` fire. Raises StoreUnavailable.

        Of events that only push jobs the fire script itself sees a pause, so that none is asked for here.
        """
        are_asked = any(not event.enqueues or event.asks_again for event in events)
        self._pauses = self._ledger.pauses() if are_asked else {}

    def outcome(self, event: Event, due: Due) -> Outcome | None:
        """What becomes of the firing instead; None: it may go ahead. Raises StoreUnavailable."""
        pause = covering(self._pauses, event.name, to_ms(due.at)) if self._pauses else None
        if pause is not None:
            return Outcome(DecisionKind.PAUSED, str(pause), counts=False)
        if event.overlap == "allow":
            return None
        most, reason = _UNFINISHED[event.overlap]
        unfinished = self._threads.count_running(event.name)
        unfinished += self._count_unfinished(event.name)
        return Outcome(DecisionKind.OVERLAP, reason) if unfinished > most else None

    def _count_unfinished(self, event: str) -> int:
        """How many firings of the event have a job that has not ended; 0 if a key of another type hides it."""
        try:
            return self._ledger.running(event, to_ms(self._clock.now()))
        except StoreError as error:
            if error.cause != "wrong_type":
                raise
            if event not in self._unreadable:
                logger.error("Running %r without the overlap check: %s", event, error)
            self._unreadable.add(event)
            return 0
