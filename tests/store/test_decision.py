"""The kinds of decisions, and decisions as the fire scripts take them.

Each column holds one value a decision, or the places of some.
"""

import json
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from clock.store.jobs.flow.unique_locks import Lock
from clock.store.ledger.decision import MISSED_KEPT_MS, Decision, DecisionKind, fire_arguments, plain_arguments
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


@pytest.mark.parametrize(
    "other",
    [
        {"pushes": ()},
        {"pushes": [Push("{1}", "low"), Push("{2}", "low")]},
        {"pushes": [Push("{1}", "low", 7.5)]},
        {"pushes": [Push("{1}", "low", None, Lock("key", "jid"))]},
        {"declaration": ""},
        {"watched": ["jid"]},
        {"counted": "5"},
        {"joins": True},
        {"batches": [HeldBatch("0a", "{}", "", 0)]},
    ],
    ids=lambda other: next(iter(other)),
)
@pytest.mark.parametrize("is_first", [True, False])
def test_decisions_are_not_plain_if_one_of_them_is_not(other: dict[str, Any], is_first: bool) -> None:
    decisions = [replace(PLAIN, **other), OTHER]

    assert plain_arguments(decisions if is_first else decisions[::-1]) is None


def test_the_columns_of_all_decisions_are_their_values_and_those_of_their_jobs() -> None:
    lock = Lock("key", "jid", 500, "replace", bid="0b")
    batch = HeldBatch("0a", "{text}", "0c", 9, is_sealed=True)
    many = replace(
        OTHER,
        after_ms=5,
        pushes=[Push("{2}", "high", 7.5), Push("{3}", "low", None, lock)],
        batches=[batch, HeldBatch("0d", "{}", "", 9)],
    )

    found = fire_arguments([PLAIN, many])

    assert columns(found.arguments[0]) == [
        ["feed", "mail"],
        ["daily", "daily"],
        ["0", "5"],
        ["1000", "1000"],
        ['{"decision":"fired","due":1000}'] * 2,
        [1, 2],
        ["{1}", "{2}", "{3}"],
        [1, 2, 1],
        ["low", "high"],
        {2: 7.5},
        {},
        {},
        {},
        {3: ["key", "jid", "500", "replace", "0b"]},
        {2: [["0a", "{text}", "0c", "1", "9"], ["0d", "{}", "", "0", "9"]]},
        {},
        {},
    ]
    assert found.keys[-4:] == ["queue:low", "queue:high", "clock:history:feed", "clock:history:mail"]


def test_a_script_receives_the_further_keys_of_some_decisions() -> None:
    watched = replace(PLAIN, watched=["jid"])
    missed = replace(OTHER, kind=DecisionKind.MISSED)
    backfilled = replace(OTHER, kind=DecisionKind.BACKFILLED, detail={"at": 9})

    assert fire_arguments([watched]).keys[-1] == "clock:watched:feed"
    assert fire_arguments([missed, watched]).keys[-2:] == ["clock:watched:feed", "clock:missed"]
    assert fire_arguments([backfilled]).keys[-1] == "clock:backfilled"


def test_a_text_that_utf_8_cannot_hold_is_escaped_in_the_record() -> None:
    [record] = columns(fire_arguments([replace(PLAIN, detail={"reason": "caf\udce9"})]).arguments[0])[4]

    assert json.loads(record) == {"decision": "fired", "due": 1000, "reason": "caf\udce9"}
    assert record.isascii()


def test_what_only_some_decisions_have_stands_under_their_places() -> None:
    joined = replace(OTHER, counted="5", joins=True, watched=["jid"])

    missed = replace(OTHER, kind=DecisionKind.MISSED, due_ms=MISSED_KEPT_MS + 7)
    backfilled = replace(OTHER, kind=DecisionKind.BACKFILLED, detail={"at": 9})

    packed = columns(fire_arguments([PLAIN, joined, missed, backfilled]).arguments[0])

    assert packed[10:13] == [{2: ["jid"]}, {2: "5"}, {2: 1}]
    assert packed[-2:] == [{4: "9"}, {3: "7"}]


def test_the_kinds_that_fire_are_those_whose_action_ran_at_its_due_instant() -> None:
    assert [kind for kind in DecisionKind if kind.fires] == ["fired", "caught_up"]


def test_each_kind_has_words_and_colours_of_its_own() -> None:
    assert len({kind.words for kind in DecisionKind}) == len(DecisionKind)
    assert len({colour for kind in DecisionKind for colour in kind.colours}) == 2 * len(DecisionKind)
