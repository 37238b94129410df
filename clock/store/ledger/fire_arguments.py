"""Decisions as the fire script takes them: one MessagePack argument, in columns."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from clock.store.ledger.decision import Decision


def packed(decisions: Sequence[Decision]) -> bytes:
    """The decisions as the fire script takes them."""
    pushes = [push for made in decisions for push in made.pushes]
    columns = (
        [made.event for made in decisions],
        [made.declaration for made in decisions],
        [str(made.after_ms) for made in decisions],
        [str(made.due_ms) for made in decisions],
        [_record(made) for made in decisions],
        [len(made.pushes) for made in decisions],
        [push.payload for push in pushes],
        [push.queue for push in pushes],
        {place: push.at for place, push in enumerate(pushes, 1) if push.at is not None},
        {place: made.watched for place, made in enumerate(decisions, 1) if made.watched},
        {place: made.counted for place, made in enumerate(decisions, 1) if made.counted},
        {place: 1 for place, made in enumerate(decisions, 1) if made.joins},
    )
    return msgspec.msgpack.encode(columns)


def _record(decision: Decision) -> str:
    record = {"decision": decision.kind, "due": decision.due_ms, **decision.detail}
    try:
        return msgspec.json.encode(record).decode()  # text: the script's MessagePack knows no bytes
    except UnicodeEncodeError:  # it has text that UTF-8 cannot hold, an error's words for instance
        return json.dumps(record)
