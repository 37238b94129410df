"""Running jobs that were cancelled: their marks are read with each heartbeat."""

from __future__ import annotations

from collections.abc import Sequence

from clock.clocks import Clock
from clock.store import Redis
from clock.store.jobs import cancellations
from clock.worker.fetching.handoff import Slot


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
