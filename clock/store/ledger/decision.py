"""A decision about a due instant, and the ledger's verdict on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum, StrEnum

import msgspec

from clock.store.ledger.held_pushes import HeldBatch, Push

MISSED_KEPT_MS = 7 * 86_400_000  # how long the list of missed runs names a run


class DecisionKind(StrEnum):
    """The outcome of a due instant.

    `words` are for people; `colours` are the dashboard's colours, for a light and a dark page. `fires`: the clock
    ran the event's action at its due instant, and the action did not fail.

    >>> DecisionKind("caught_up").fires, DecisionKind.MISSED.words
    (True, 'did not run: missed')
    """

    words: str
    colours: tuple[str, str]
    fires: bool

    FIRED = "fired", "ran", ("#0b6353", "#2fcf9f"), True
    CAUGHT_UP = "caught_up", "ran late: caught up after the clock was down", ("#123c8f", "#4a9bff"), True
    MISSED = "missed", "did not run: missed", ("#bd4b05", "#e58236")
    REFUSED = "refused", "did not run: refused", ("#616b79", "#b0b9c6")
    PAUSED = "paused", "did not run: paused", ("#8b3fc4", "#d3a4f5")
    OVERLAP = "overlap", "did not run: the previous run was still active", ("#564300", "#f2d95c")
    ERROR = "error", "failed, no jobs pushed", ("#8c0a30", "#f4577f")
    MANUAL = "manual", "fired manually", ("#15191f", "#e9ecf0")
    BACKFILLED = "backfilled", "ran later: backfilled", ("#0c5c75", "#63cbe8")

    def __new__(
        cls, value: str, words: str = "", colours: tuple[str, str] = ("", ""), fires: bool = False
    ) -> DecisionKind:
        """A kind from its value in the history."""
        kind = str.__new__(cls, value)
        kind._value_, kind.words, kind.colours, kind.fires = value, words, colours, fires
        return kind


class Decision(msgspec.Struct, frozen=True):
    """The outcome of a due instant.

    It is valid only if `after_ms` is the last decided instant in the ledger. So the decisions of an event form a
    chain without gaps. `detail` is stored in the history; `pushes` are the jobs that the firing enqueues;
    `watched` are the jids for the overlap check. `counted` is the entry's new value (empty: unchanged),
    `uncounted` its value if the decision is paused. `joins`: the history has one record for it and the decisions
    of its kind just before it. `batches` are opened with the firing.
    """

    event: str
    declaration: str
    after_ms: int
    due_ms: int
    kind: DecisionKind
    detail: Mapping[str, object] = {}
    pushes: Sequence[Push] = ()
    watched: Sequence[str] = ()
    counted: str = ""
    uncounted: str = ""
    joins: bool = False
    batches: Sequence[HeldBatch] = ()


class Verdict(IntEnum):
    """The ledger's answer to a decision. Only COMMITTED decisions are written."""

    COMMITTED = 1
    DECIDED_ALREADY = 0
    WRONG_TYPE = -1  # a key of the jobs has the wrong type
    OUTRANKED = -2  # a newer release leads
    STALE = -3  # the ledger's entry differs from the entry that the decision is built on: read it again
    PAUSED = -4  # the due instant is in a pause, and the decision pushes jobs


#: The answer to a batch that was sent: it waits for the verdicts, one for each decision.
Verdicts = Callable[[], list[Verdict]]
