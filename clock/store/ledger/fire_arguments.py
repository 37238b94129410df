"""Decisions as the fire scripts take them: their keys, and one MessagePack argument, in columns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from clock.store import keys
from clock.store.jobs.flow.unique_locks import Lock
from clock.store.ledger.decision import MISSED_KEPT_MS, Decision, DecisionKind
from clock.store.ledger.held_pushes import HeldBatch

_KEYS = [
    keys.LEDGER_DECIDED,
    keys.LEDGER_DECLARATION,
    keys.QUEUES,
    keys.SCHEDULE,
    keys.PAUSED,
    keys.LEASE,
    keys.LEDGER_COUNTED,
    keys.UNIQUE,
    keys.UNIQUE_WINDOWS,
    keys.REPLACED,
    *keys.BATCH_KEYS,
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
