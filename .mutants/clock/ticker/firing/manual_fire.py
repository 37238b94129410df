"""Fires one event now, at a user's request."""

from __future__ import annotations

import logging

from msgspec.structs import replace

from clock.clocks import Clock, to_ms
from clock.errors import ActionFailed, StoreError
from clock.forking import child_ends_here
from clock.store.ledger.decision import DecisionKind, Verdict
from clock.store.ledger.held_pushes import HeldPushes, holding
from clock.store.ledger.ledger import Ledger
from clock.ticker.firing.decisions import Outcome, Signature, decision_of
from clock.ticker.planning.catch_up import Due
from clock.timetable import Event

logger = logging.getLogger("clock.clock")


def fire_manually(event: Event, *, ledger: Ledger, clock: Clock, signature: Signature) -> HeldPushes:
    """Run the action of an event with the present second as its due instant, and push its jobs.

    The history records the run as `manual`. The ledger is unchanged, so the event's own due instants are not
    affected. The condition is not checked. Raises ActionFailed, StoreUnavailable.
    """
    now = clock.now()
    with holding(event.name, to_ms(now), None) as held:
        try:
            with child_ends_here():
                event.run(now)
        except Exception as error:
            logger.debug("The action of %r failed", event.name, exc_info=error)
            raise ActionFailed(event.name, error) from error
    due = Due(now, None, now, caught_up=False)
    pushes, jids, batches = tuple(held.pushes), tuple(held.jids), tuple(held.batches)
    outcome = Outcome(DecisionKind.MANUAL, pushes=pushes, jids=jids, batches=batches)
    decision = decision_of(event, due, outcome, late=None, signature=signature)
    [verdict] = ledger.commit([replace(decision, declaration="")])
    if verdict is Verdict.WRONG_TYPE:
        raise StoreError(
            "a key that the jobs go to (queues, schedule or queue:*) has the wrong type in Redis",
            cause="wrong_type",
        )
    return held
