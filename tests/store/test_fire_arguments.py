"""Decisions as the fire scripts take them: each column holds one value a decision, or the places of some."""

from typing import Any

import msgspec
from msgspec.structs import replace

from clock.store.ledger.decision import MISSED_KEPT_MS, Decision, DecisionKind
from clock.store.ledger.fire_arguments import fire_arguments, plain_arguments
from clock.store.ledger.held_pushes import HeldBatch, Push

PLAIN = Decision("feed", "daily", 0, 1000, DecisionKind.FIRED, {}, [Push("{1}", "low")])
OTHER = replace(PLAIN, event="mail", pushes=[Push("{2}", "low")])


def columns(packed: bytes | str) -> Any:
    assert isinstance(packed, bytes)
    return msgspec.msgpack.decode(packed, strict=False)


def test_firings_of_one_job_each_for_one_queue_are_plain() -> None:
    found = plain_arguments([PLAIN, OTHER])

    assert found is not None
    packed, queue = found.arguments
    assert queue == "low"
    assert columns(packed)[0] == ["feed", "mail"]
    assert columns(packed)[5] == ["{1}", "{2}"]
    assert found.keys[-3:] == ["queue:low", "clock:history:feed", "clock:history:mail"]


def test_a_firing_for_another_queue_or_with_a_batch_is_not_plain() -> None:
    elsewhere = replace(PLAIN, pushes=[Push("{2}", "high")])
    with_batch = replace(PLAIN, batches=[HeldBatch("0a", "{}", "", 0)])

    assert plain_arguments([PLAIN, elsewhere]) is None
    assert plain_arguments([with_batch]) is None


def test_what_only_some_decisions_have_stands_under_their_places() -> None:
    joined = replace(OTHER, counted="5", joins=True, watched=["jid"])

    missed = replace(OTHER, kind=DecisionKind.MISSED, due_ms=MISSED_KEPT_MS + 7)
    backfilled = replace(OTHER, kind=DecisionKind.BACKFILLED, detail={"at": 9})

    packed = columns(fire_arguments([PLAIN, joined, missed, backfilled]).arguments[0])

    assert packed[10:13] == [{2: ["jid"]}, {2: "5"}, {2: 1}]
    assert packed[-2:] == [{4: "9"}, {3: "7"}]
