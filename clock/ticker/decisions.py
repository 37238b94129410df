"""Decisions as the ledger takes them: what became of a firing, and who decided it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from clock.clocks import to_ms
from clock.store.ledger.decision import Decision, DecisionKind
from clock.store.ledger.held_pushes import Push
from clock.store.ledger.pauses import Pause
from clock.ticker.catch_up import Due, Missed
from clock.timetable import Event

JIDS_KEPT = 100  # of a firing that pushes thousands of jobs, so many jids stand in the history

#: A run of these, of an event that asks its condition again, is one record of the history.
JOINED = (DecisionKind.REFUSED, DecisionKind.PAUSED)

CANCELLED = "it returned CancelJob"  # why an event is paused that asked not to run again

_MS = timedelta(milliseconds=1)


class Outcome(msgspec.Struct, frozen=True):
    """The result of a firing: its kind, the reason, and the jobs that it pushed, with their jids.

    `cancelled` names events that must not run again. `began` is the start of the firing; None: it has just
    ended. `counts`: the due instant uses up the period of Clockwork's form. It does not if the condition refused
    it or failed.
    """

    kind: DecisionKind
    reason: str | None = None
    pushes: tuple[Push, ...] = ()
    jids: tuple[str, ...] = ()
    cancelled: tuple[str, ...] = ()
    began: datetime | None = None
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Signature:
    """Who decides: it goes into the history of each decision."""

    host: str
    release: str

    def record(
        self, late: timedelta | None, *, reason: str | None = None, jids: Sequence[str] = ()
    ) -> dict[str, object]:
        """What the history holds of a decision, besides its kind and due instant: made here for all decisions.

        `late` is how long after its due instant it was decided; None: somebody asked for it.
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
    """What became of a firing that began `late`; None: somebody asked for it."""
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
    )


def missed_decision(event: Event, missed: Missed, *, late: timedelta, signature: Signature) -> Decision:
    """A run of due instants that did not fire, as one decision."""
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
    """The decision of a firing that met a pause only in Redis."""
    record = {**signature.record(None, reason=reason), "late_ms": decision.detail["late_ms"]}
    return replace(
        decision,
        kind=DecisionKind.PAUSED,
        detail=record,
        pushes=(),
        watched=(),
        counted=decision.uncounted,
    )


def pause_after(due: Due) -> Pause:
    """The pause of an event that asked, at this firing, not to run again."""
    return Pause(to_ms(due.at) + 1, by="its function", note=CANCELLED)
