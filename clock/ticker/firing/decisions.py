"""Builds decisions for the ledger: the outcome of a firing, and the clock that decided it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from clock.clocks import to_ms
from clock.store.ledger.decision import Decision, DecisionKind
from clock.store.ledger.held_pushes import HeldBatch, Push
from clock.store.ledger.pauses import Pause
from clock.ticker.planning.catch_up import Due, Missed
from clock.timetable import Event

JIDS_KEPT = 100  # the most jids in one history record; a firing may push thousands of jobs

#: Consecutive outcomes of these kinds are one history record, for an event that asks its condition again.
JOINED = (DecisionKind.REFUSED, DecisionKind.PAUSED)

CANCELLED = "it returned CancelJob"  # why an event is paused after its own action cancelled it

_MS = timedelta(milliseconds=1)


class Outcome(msgspec.Struct, frozen=True):
    """The result of a firing: its kind, the reason, the jobs that it pushed, with their jids, and their batches.

    `cancelled` names events that must not run again. `began` is the start of the firing; None: it has just
    ended. `counts`: it uses up the period of Clockwork's form; not if the condition refused it or failed.
    """

    kind: DecisionKind
    reason: str | None = None
    pushes: tuple[Push, ...] = ()
    jids: tuple[str, ...] = ()
    cancelled: tuple[str, ...] = ()
    began: datetime | None = None
    counts: bool = True
    batches: tuple[HeldBatch, ...] = ()


@dataclass(frozen=True, slots=True)
class Signature:
    """The clock that decides, for the history."""

    host: str
    release: str

    def record(
        self, late: timedelta | None, *, reason: str | None = None, jids: Sequence[str] = ()
    ) -> dict[str, object]:
        """The history record of a decision, without its kind and due instant.

        `late` is the time from the due instant to the decision; None: a user requested the firing.
        """
        record: dict[str, object] = {} if late is None else {"late_ms": late // _MS}
        record["host"], record["release"] = self.host, self.release
        if reason:
            record["reason"] = reason
        if jids:
            record["jobs"], record["jids"] = len(jids), jids[:JIDS_KEPT]
        return record


def decision_of(
    event: Event, due: Due, outcome: Outcome, *, late: timedelta | None, signature: Signature
) -> Decision:
    """The decision of a firing that started `late` after its due instant; None: a user requested it."""
    return Decision(
        event.name,
        event.declaration,
        to_ms(due.after),
        to_ms(due.at),
        outcome.kind,
        signature.record(late, reason=outcome.reason, jids=outcome.jids),
        outcome.pushes,
        watched=() if event.overlap == "allow" else outcome.jids,
        counted=due.counted[outcome.counts and outcome.kind is not DecisionKind.PAUSED],
        uncounted=due.counted[0],
        joins=due.is_asked_again and outcome.kind in JOINED,
        batches=outcome.batches,
    )


def missed_decision(event: Event, missed: Missed, *, late: timedelta, signature: Signature) -> Decision:
    """The decision for a run of due instants that did not fire."""
    record = signature.record(late, reason=missed.reason)
    record |= {"count": missed.count, "first": to_ms(missed.first)}
    return Decision(
        event.name,
        event.declaration,
        to_ms(missed.after),
        to_ms(missed.at),
        DecisionKind.MISSED,
        record,
        counted=missed.counted,
    )


def paused_decision(decision: Decision, reason: str, signature: Signature) -> Decision:
    """The decision of a firing that Redis refused because of a pause."""
    record = {**signature.record(None, reason=reason), "late_ms": decision.detail["late_ms"]}
    return replace(
        decision,
        kind=DecisionKind.PAUSED,
        detail=record,
        pushes=(),
        watched=(),
        batches=(),
        counted=decision.uncounted,
    )


def pause_after(due: Due) -> Pause:
    """The pause of an event whose action returned CancelJob at this firing."""
    return Pause(due.at + _MS, by="its function", note=CANCELLED)
