"""A batch of decisions that is under way while the next one is built."""

from collections.abc import Callable, Sequence

import pytest

from clock.clocks import to_ms
from clock.errors import StoreUnavailable
from clock.problems import Problems
from clock.rehearsal.memory_ledger import MemoryLedger
from clock.store.ledger.decision import Decision, DecisionKind, Verdict, Verdicts
from clock.store.ledger.ledger import BATCH
from clock.testing import FakeClock
from clock.ticker import Signature
from clock.ticker.firing.decision_buffer import DecisionBuffer
from clock.ticker.firing.own_commits import OwnCommits

Build = Callable[[MemoryLedger], DecisionBuffer]


class LossyLedger(MemoryLedger):
    """A ledger whose first answer is lost, after or before the decisions were committed."""

    def __init__(self, *, commits: bool) -> None:
        super().__init__()
        self._commits = commits

    def begin(self, decisions: Sequence[Decision]) -> Verdicts:
        """Commit the decisions, or none, and lose the verdicts."""
        if self._commits:
            self.commit(decisions)

        def lost() -> list[Verdict]:
            raise StoreUnavailable("the connection was closed")

        return lost


@pytest.fixture
def build(fake_clock: FakeClock) -> Build:
    """A buffer that is given a whole batch of decisions, and begins it."""

    def build(ledger: MemoryLedger) -> DecisionBuffer:
        buffer = DecisionBuffer(
            ledger,
            clock=fake_clock,
            signature=Signature("here", "v1"),
            own_commits=OwnCommits(),
            problems=Problems(clock=fake_clock),
        )
        now = to_ms(fake_clock.now())
        names = [f"event {number}" for number in range(BATCH)]
        ledger.declare([(name, "daily") for name in names], now)
        for name in names:
            buffer.begin(Decision(name, "daily", now - 1000, now + 1000, DecisionKind.FIRED))
        return buffer

    return build


@pytest.mark.parametrize("commits", [True, False])
def test_a_batch_whose_answer_is_lost_is_committed_once_in_its_order(build: Build, commits: bool) -> None:
    ledger = LossyLedger(commits=commits)
    buffer = build(ledger)

    with pytest.raises(StoreUnavailable):
        buffer.commit()
    waiting = buffer.oldest
    buffer.commit()

    assert waiting is not None
    assert buffer.oldest is None
    assert [decision.event for decision in ledger.decisions] == [f"event {number}" for number in range(BATCH)]


def test_a_dropped_buffer_forgets_what_waits_and_reads_the_answer_that_is_under_way(build: Build) -> None:
    ledger = MemoryLedger()
    buffer = build(ledger)
    buffer.begin(Decision("later", "daily", 0, 1000, DecisionKind.FIRED))

    buffer.drop()

    assert buffer.oldest is None
    assert buffer.commit() is False
    assert len(ledger.decisions) == BATCH


def test_a_dropped_buffer_needs_no_answer(build: Build) -> None:
    buffer = build(LossyLedger(commits=True))

    buffer.drop()

    assert buffer.commit() is False
