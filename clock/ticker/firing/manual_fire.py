"""Fires one event now, at a user's request."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from clock.clocks import Clock, to_ms
from clock.errors import ActionFailed, StoreError
from clock.forking import child_ends_here
from clock.store.ledger.decision import DecisionKind, Verdict
from clock.store.ledger.held_pushes import holding, kept_out
from clock.store.ledger.ledger import RedisLedger
from clock.ticker.firing.decisions import Outcome, decision_of
from clock.ticker.identity import signature_here
from clock.ticker.planning.catch_up import Due
from clock.timetable import Event, Timetable, action

logger = logging.getLogger("clock.clock")


@dataclass(frozen=True, slots=True)
class ManualRun:
    """The jids of the jobs that were pushed; and of those that a lock kept out, with the jids of the holders."""

    jids: Sequence[str]
    kept_out: Mapping[str, str]


def fire_manually(timetable: Timetable, event: Event, *, ledger: RedisLedger, clock: Clock) -> ManualRun:
    """Run the action of an event with the present second as its due instant, and push its jobs.

    The history records the run as `manual`. The ledger is unchanged, so the event's own due instants are not
    affected. The condition is not checked. Raises ActionFailed, ConfigurationError, StoreUnavailable; nothing
    after the commit raises.
    """
    now, signature = clock.now(), signature_here(timetable.path, clock)
    with holding(event.name, to_ms(now), None) as held:
        try:
            with action(timetable.scheduler), child_ends_here():  # `schedule.every` is an error, as in a clock
                event.run(now)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # sys.exit() in an action must not end the caller, the dashboard for one
            logger.debug("The action of %r failed", event.name, exc_info=error)
            raise ActionFailed(event.name, error) from error
    due = Due(now, None, now)
    pushes, jids, batches = tuple(held.pushes), tuple(held.jids), tuple(held.batches)
    outcome = Outcome(DecisionKind.MANUAL, pushes=pushes, jids=jids, batches=batches)
    decision = decision_of(event, due, outcome, late=None, signature=signature)
    [verdict] = ledger.commit([replace(decision, declaration="")])
    if verdict is Verdict.WRONG_TYPE:
        raise StoreError(
            "a key that the jobs go to (queues, schedule or queue:*) has the wrong type in Redis",
            cause="wrong_type",
        )
    ledger.push_kept_out(kept_out(pushes), to_ms(now))
    out = {push.lock.jid: push.lock.holder for push in kept_out(pushes)}
    return ManualRun([jid for jid in jids if jid not in out], out)
