"""A decision about a due instant, and the ledger's verdict on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum

import msgspec

from clock.store.ledger.held_pushes import Push


class Decision(msgspec.Struct, frozen=True):
    """What became of a due instant: `kind` is fired, caught_up, missed, refused, paused, overlap, error or manual.

    It holds only where `after_ms` is what the ledger has decided last: so what is decided is, for each event, a
    chain without gap. `detail` goes into the history as it is; `pushes` are the jobs that the firing enqueues;
    `watched` the jids by which it is found later whether they have ended. `counted` is the entry's from then on
    (empty: as it was), `uncounted` what it is if the decision is paused. `joins`: the history has one entry for it
    and those of its kind just before it.
    """

    event: str
    declaration: str
    after_ms: int
    due_ms: int
    kind: str
    detail: Mapping[str, object] = {}
    pushes: Sequence[Push] = ()
    watched: Sequence[str] = ()
    counted: str = ""
    uncounted: str = ""
    joins: bool = False


class Verdict(IntEnum):
    """What the ledger made of a decision; but for COMMITTED nothing was written."""

    COMMITTED = 1
    DECIDED_ALREADY = 0
    WRONG_TYPE = -1  # a key that the jobs go to holds another type
    OUTRANKED = -2  # a newer release leads
    STALE = -3  # the ledger says something else of the event than the decision is built on: read it anew
    PAUSED = -4  # the due instant lies in a pause, and the decision is one to push jobs


#: The answer to a batch that is under way: it waits for the verdicts, one for each decision.
Verdicts = Callable[[], list[Verdict]]
