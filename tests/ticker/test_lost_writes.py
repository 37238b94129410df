"""What a clock remembers of its ledger entries, from which it writes lost ones again."""

from clock.store.ledger.decision import Decision, DecisionKind
from clock.store.ledger.entry import Entry
from clock.ticker.lost_writes import OwnCommits

PAIR = ("a", "daily")


def committed(due_ms: int, counted: str = "") -> Decision:
    return Decision("a", "daily", 0, due_ms, DecisionKind.FIRED, counted=counted)


def remembering(entry: Entry, *decisions: Decision) -> OwnCommits:
    own = OwnCommits()
    own.note([PAIR], [entry])
    for decision in decisions:
        own.commit(decision)
    return own


def test_an_entry_is_remembered_as_of_the_last_commit() -> None:
    own = remembering(Entry(1000, 2000, "one"), committed(3000, "two"), committed(4000, "three"))

    assert own.known([PAIR]) == {"a": Entry(1000, 4000, "three")}


def test_a_decision_that_does_not_change_what_a_period_counts_from_leaves_it_as_it_was() -> None:
    assert remembering(Entry(1000, 2000, "one"), committed(3000)).known([PAIR]) == {"a": Entry(1000, 3000, "one")}


def test_an_entry_with_another_declaration_is_not_known() -> None:
    own = remembering(Entry(1000, 2000), committed(3000))

    assert own.known([("a", "hourly"), ("b", "daily")]) == {}


def test_a_ledger_is_behind_if_it_has_decided_less_than_this_clock_committed() -> None:
    own = remembering(Entry(1000, 2000), committed(3000))
    older, same, newer = Entry(1000, 2000), Entry(1000, 3000), Entry(1000, 4000)

    assert own.behind([PAIR], [older]) == {"a": 3000}
    assert (own.behind([PAIR], [same]), own.behind([PAIR], [newer])) == ({}, {})
    assert own.behind([("unknown", "daily")], [older]) == {}


def test_a_deleted_event_is_forgotten() -> None:
    own = remembering(Entry(1000, 2000), committed(3000))

    own.forget(["a", "unknown"])
    own.note([PAIR], [Entry(5000, 5000)])

    assert own.known([PAIR]) == {"a": Entry(5000, 5000)}
