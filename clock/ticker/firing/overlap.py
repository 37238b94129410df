"""The overlap check: a pause, or an earlier run that has not finished, prevents a firing.

A run has not finished while its action runs on a thread, or while one of its jobs is queued, delayed, waiting for
a retry or held by a live worker. Each check reads this from Redis. The check uses no lock, so a long job cannot
outlast a lock and a crash cannot leave one behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from clock.clocks import Clock, to_ms
from clock.store.ledger.decision import DecisionKind
from clock.store.ledger.ledger import Ledger
from clock.store.ledger.pauses import Pause, covering
from clock.ticker.firing.action_threads import ActionThreads
from clock.ticker.firing.decisions import Outcome
from clock.ticker.planning.catch_up import Due
from clock.timetable import Event

#: How many firings of an event may be unfinished when the next one fires.
_UNFINISHED = {
    "skip": (0, "its previous run is still active"),
    "queue_one": (1, "one run is active and one is waiting"),
}


class OverlapCheck:
    """Decides whether a firing may run."""

    def __init__(self, ledger: Ledger, threads: ActionThreads, *, clock: Clock) -> None:
        self._ledger = ledger
        self._threads = threads
        self._clock = clock
        self._pauses: Mapping[str, Pause] = {}

    def look(self, events: Iterable[Event]) -> None:
        """Read the pauses before `events` fire. Raises StoreUnavailable.

        For events that only push jobs the fire script checks the pause, so this reads nothing.
        """
        are_asked = any(not event.enqueues or event.asks_again for event in events)
        self._pauses = self._ledger.pauses() if are_asked else {}

    def outcome(self, event: Event, due: Due) -> Outcome | None:
        """The outcome of a firing that must not run; None: it may run. Raises StoreUnavailable."""
        pause = covering(self._pauses, event.name, due.at) if self._pauses else None
        if pause is not None:
            return Outcome(DecisionKind.PAUSED, str(pause), counts=False)
        if event.overlap == "allow":
            return None
        most, reason = _UNFINISHED[event.overlap]
        unfinished = self._threads.count_running(event.name)
        unfinished += self._ledger.running(event.name, to_ms(self._clock.now()))
        return Outcome(DecisionKind.OVERLAP, reason) if unfinished > most else None
