"""Firing one event now, because somebody asked for it."""

from __future__ import annotations

import logging

from clock.clocks import Clock, to_ms
from clock.errors import ActionFailed, StoreError
from clock.forking import child_ends_here
from clock.store.ledger.decision import Decision, Verdict
from clock.store.ledger.held_pushes import HeldPushes, holding
from clock.store.ledger.ledger import Ledger
from clock.ticker.decision_buffer import JIDS_KEPT, Signature
from clock.timetable import Event

logger = logging.getLogger(__name__)


def fire_by_hand(event: Event, *, ledger: Ledger, clock: Clock, signature: Signature) -> HeldPushes:
    """Run the action of an event with this very second as its due instant, and push its jobs.

    The history records it as `manual`; the ledger does not: the event's own due instants are untouched.
    Its condition is not asked. Raises ActionFailed, StoreUnavailable.
    """
    now = clock.now()
    with holding(event.name, to_ms(now), None) as held:
        try:
            with child_ends_here():
                event.run(now, None)
        except Exception as error:
            logger.debug("The action of %r failed", event.name, exc_info=error)
            raise ActionFailed(event.name, error) from error
    detail = {
        "host": signature.host,
        "release": signature.release,
        "jobs": len(held.jids),
        "jids": held.jids[:JIDS_KEPT],
    }
    [verdict] = ledger.commit([_by_hand(event, to_ms(now), detail, held)])
    if verdict is Verdict.WRONG_TYPE:
        raise StoreError(
            "a key that the jobs go to (queues, schedule or queue:*) has the wrong type in Redis",
            cause="wrong_type",
        )
    return held


def _by_hand(event: Event, now_ms: int, detail: dict[str, object], held: HeldPushes) -> Decision:
    watched = () if event.overlap == "allow" else held.jids
    return Decision(event.name, "", now_ms, now_ms, "manual", detail, held.pushes, watched)
