"""A decision about a due instant, how the fire scripts take decisions, and the ledger's verdict on them.

A script takes decisions as its keys and one MessagePack argument, in columns.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum, StrEnum
from typing import NamedTuple

import msgspec

from clock.store import keys
from clock.store.jobs.flow.unique_locks import Lock
from clock.store.ledger.held_pushes import HeldBatch, Push

MISSED_KEPT_MS = 7 * 86_400_000  # how long the list of missed runs names a run


class DecisionKind(StrEnum):
    """The outcome of a due instant.

    `words` are for people; `colours` are the dashboard's colours, for a light and a dark page. `fires`: the clock
    ran the event's action at its due instant, and the action did not fail.
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


_KEYS = [
    *(keys.LEDGER_DECIDED, keys.LEDGER_DECLARATION, keys.QUEUES, keys.SCHEDULE, keys.PAUSED, keys.LEASE),
    *(keys.LEDGER_COUNTED, *keys.TAKEN_LOCK_KEYS, *keys.BATCH_KEYS),
]
_PLAIN_KEYS = [keys.LEDGER_DECIDED, keys.LEDGER_DECLARATION, keys.QUEUES, keys.PAUSED, keys.LEASE, keys.NEXT_DUE]


class FireArguments(NamedTuple):
    """Every key that a script touches for some decisions, and its arguments about them."""

    keys: list[str]
    arguments: tuple[bytes | str, ...]


def plain_arguments(decisions: Sequence[Decision]) -> FireArguments | None:
    """The decisions as the script `fire_plain` takes them; None: one of them needs the script `fire`."""
    queue = decisions[0].pushes[0].queue if decisions[0].pushes else ""
    for made in decisions:
        if len(made.pushes) != 1 or not made.declaration:
            return None
        [push] = made.pushes
        if push.at is not None or push.lock or push.queue != queue:
            return None
        if made.watched or made.counted or made.joins or made.batches:
            return None
    columns = (*_columns(decisions), [made.pushes[0].payload for made in decisions])
    names = [*_PLAIN_KEYS, keys.queue(queue), *[keys.HISTORY + made.event for made in decisions]]
    return FireArguments(names, (msgspec.msgpack.encode(columns), queue))


def fire_arguments(decisions: Sequence[Decision]) -> FireArguments:
    """The decisions as the fire script takes them."""
    pushes = [push for made in decisions for push in made.pushes]
    backfilled = {
        place: str(made.detail["at"])
        for place, made in enumerate(decisions, 1)
        if made.kind is DecisionKind.BACKFILLED
    }
    missed = {
        place: str(made.due_ms - MISSED_KEPT_MS)
        for place, made in enumerate(decisions, 1)
        if made.kind is DecisionKind.MISSED
    }
    places = {queue: place for place, queue in enumerate(dict.fromkeys(push.queue for push in pushes), 1)}
    columns = (
        *_columns(decisions),
        [len(made.pushes) for made in decisions],
        [push.payload for push in pushes],
        [places[push.queue] for push in pushes],
        list(places),
        {place: push.at for place, push in enumerate(pushes, 1) if push.at is not None},
        {place: made.watched for place, made in enumerate(decisions, 1) if made.watched},
        {place: made.counted for place, made in enumerate(decisions, 1) if made.counted},
        {place: 1 for place, made in enumerate(decisions, 1) if made.joins},
        {place: _lock(push.lock) for place, push in enumerate(pushes, 1) if push.lock},
        {place: [_batch(one) for one in made.batches] for place, made in enumerate(decisions, 1) if made.batches},
        backfilled,
        missed,
    )
    names = [*_KEYS, *map(keys.queue, places), *(keys.HISTORY + made.event for made in decisions)]
    names += [keys.WATCHED + made.event for made in decisions if made.watched]
    names += [keys.MISSED] if missed else []
    names += [keys.BACKFILLED] if backfilled else []
    return FireArguments(names, (msgspec.msgpack.encode(columns),))


def _columns(decisions: Sequence[Decision]) -> tuple[list[str], ...]:
    """The columns that both scripts have first."""
    return (
        [made.event for made in decisions],
        [made.declaration for made in decisions],
        [str(made.after_ms) for made in decisions],
        [str(made.due_ms) for made in decisions],
        [_record(made) for made in decisions],
    )


def _lock(lock: Lock) -> list[str]:
    return [lock.key, lock.jid, str(lock.window_ms), lock.conflict, lock.bid]


def _batch(batch: HeldBatch) -> list[str]:
    return [batch.bid, batch.text, batch.parent, str(int(batch.is_sealed)), str(batch.now_ms)]


def _record(decision: Decision) -> str:
    record = {"decision": decision.kind, "due": decision.due_ms, **decision.detail}
    try:
        return msgspec.json.encode(record).decode()  # text: the script's MessagePack knows no bytes
    except UnicodeEncodeError:  # it has text that UTF-8 cannot hold, an error's words for instance
        return json.dumps(record)
