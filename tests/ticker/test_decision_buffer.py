"""Decisions that wait until Redis has committed them, and a batch that is under way while another is built."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta

import pytest

from clock.clocks import from_ms, to_ms
from clock.errors import StoreUnavailable
from clock.problems import CALM_SECONDS, Problems
from clock.rehearsal.ledger import MemoryLedger
from clock.store.ledger.decision import Decision, DecisionKind, Verdict, Verdicts
from clock.store.ledger.entry import NOTHING, Entry, Origin
from clock.store.ledger.ledger import BATCH
from clock.store.ledger.next_due import Publication
from clock.store.ledger.pauses import Pause
from clock.store.ledger.renames import NO_RENAMES, OldNames
from clock.testing import FakeClock
from clock.ticker import Signature
from clock.ticker.firing.decision_buffer import DecisionBuffer
from clock.ticker.firing.decisions import Outcome
from clock.ticker.lost_writes import OwnCommits
from clock.ticker.planning.catch_up import Due, Missed
from clock.timetable import Timetable
from tests.ticker.conftest import START

Build = Callable[[MemoryLedger], DecisionBuffer]
BufferOf = Callable[..., tuple[DecisionBuffer, Problems]]


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
    begun = len(ledger.decisions)
    buffer.begin(Decision("later", "daily", 0, 1000, DecisionKind.FIRED))

    buffer.drop()

    assert buffer.oldest is None
    assert buffer.commit() is False
    assert (begun, len(ledger.decisions)) == (BATCH, BATCH)


def test_a_dropped_buffer_needs_no_answer(build: Build) -> None:
    buffer = build(LossyLedger(commits=True))

    buffer.drop()

    assert buffer.commit() is False


class AnsweringLedger(MemoryLedger):
    """A ledger that gives these answers to the batches that are committed, and then commits as usual."""

    def __init__(self, *answers: list[Verdict], restores: bool = False) -> None:
        super().__init__()
        self._answers = list(answers)
        self._restores = restores
        self.asked: list[list[Decision]] = []
        self.declared: list[tuple[list[str], int]] = []

    def commit(self, decisions: Sequence[Decision], publication: Publication | None = None) -> list[Verdict]:
        self.asked.append(list(decisions))
        return self._answers.pop(0) if self._answers else [Verdict.COMMITTED] * len(decisions)

    def declare(
        self,
        declarations: Sequence[tuple[str, str]],
        now_ms: int,
        known: Mapping[str, Entry] = NOTHING,
        *,
        was: OldNames = NO_RENAMES,
        names: Collection[str] = (),
    ) -> list[Entry]:
        self.declared.append(([event for event, _ in declarations], now_ms))
        origin = Origin.RESTORED if self._restores else Origin.LEDGER
        return [Entry(0, 0, origin=origin) for _ in declarations]


def decision(event: str, due_ms: int = 1000, after_ms: int = 0) -> Decision:
    return Decision(event, "daily", after_ms, due_ms, DecisionKind.FIRED, {"late_ms": 3})


@pytest.fixture
def buffer_of(fake_clock: FakeClock) -> BufferOf:
    """A buffer of these decisions, and its problems."""

    def buffer_of(ledger: MemoryLedger, *decisions: Decision) -> tuple[DecisionBuffer, Problems]:
        problems = Problems(clock=fake_clock)
        buffer = DecisionBuffer(
            ledger,
            clock=fake_clock,
            signature=Signature("here", "v1"),
            own_commits=OwnCommits(),
            problems=problems,
        )
        for each in decisions:
            buffer.begin(each)
        return buffer, problems

    return buffer_of


def test_the_oldest_decision_is_the_first_by_due_instant(buffer_of: BufferOf) -> None:
    buffer, _ = buffer_of(MemoryLedger(), decision("a", 2000), decision("z", 1000))

    assert buffer.oldest == ("z", 1000)


@pytest.mark.parametrize(
    ("verdict", "must_read"), [(Verdict.OUTRANKED, True), (Verdict.STALE, True), (Verdict.DECIDED_ALREADY, False)]
)
def test_what_another_clock_has_decided_is_dropped_and_the_ledger_read_again(
    buffer_of: BufferOf, verdict: Verdict, must_read: bool
) -> None:
    ledger = AnsweringLedger([verdict, Verdict.COMMITTED])
    buffer, _ = buffer_of(ledger, decision("other"), decision("own"))

    answers = buffer.commit(), buffer.commit()

    assert answers == (must_read, False)
    assert buffer.untaken == {("other", 1000)}
    assert (buffer.oldest, len(ledger.asked)) == (None, 1)


def test_an_entry_that_redis_has_lost_is_written_again_as_of_a_whole_second_and_its_decision_sent_again(
    buffer_of: BufferOf, fake_clock: FakeClock
) -> None:
    fake_clock.advance(timedelta(milliseconds=500))
    ledger = AnsweringLedger([Verdict.COMMITTED, Verdict.STALE, Verdict.STALE], restores=True)
    chain = [decision("lost"), decision("lost", 2000, after_ms=1000)]
    buffer, _ = buffer_of(ledger, decision("own"), *chain)

    must_read = buffer.commit()

    assert must_read  # it may have lost others, too
    assert ledger.declared == [(["lost"], to_ms(START))]
    assert ledger.asked[1:] == [chain]


def test_a_decision_that_does_not_follow_the_entry_of_this_clock_is_dropped(buffer_of: BufferOf) -> None:
    ledger = AnsweringLedger([Verdict.STALE], restores=True)
    buffer, _ = buffer_of(ledger, decision("lost", 2000, after_ms=1000))

    assert buffer.commit() is True
    assert (buffer.oldest, len(ledger.asked)) == (None, 1)


def test_jobs_whose_key_has_the_wrong_type_wait_and_are_one_problem_until_they_are_stored(
    buffer_of: BufferOf, fake_clock: FakeClock
) -> None:
    wrong = Verdict.WRONG_TYPE
    ledger = AnsweringLedger([wrong, wrong, Verdict.STALE, Verdict.COMMITTED])
    buffer, problems = buffer_of(
        ledger, decision("b"), decision("a"), decision("a", 2000, after_ms=1000), decision("own")
    )

    must_read = buffer.commit()
    [(problem, _)] = problems.lasting
    again = ledger.asked[0][:3]
    fake_clock.advance(timedelta(seconds=CALM_SECONDS))
    buffer.commit()
    problems.watch()

    assert not must_read
    assert problem.text.startswith("Jobs of 'a' and 1 more cannot be stored")
    assert problem.is_retried
    assert ledger.asked[1:] == [again]
    assert list(problems.lasting) == []


def test_a_firing_in_a_pause_is_recorded_as_paused_at_once(buffer_of: BufferOf) -> None:
    ledger = AnsweringLedger([Verdict.PAUSED, Verdict.COMMITTED])
    ledger.pause("held", Pause(from_ms(500), by="me", note="repairs"))
    buffer, _ = buffer_of(ledger, decision("held"), decision("own"))

    assert buffer.commit() is False

    [[paused]] = ledger.asked[1:]
    assert (paused.event, paused.kind) == ("held", DecisionKind.PAUSED)
    assert "repairs" in str(paused.detail["reason"])


def test_all_events_that_a_firing_has_cancelled_are_paused_from_then_on(
    buffer_of: BufferOf, declare: Callable[..., Timetable], fake_clock: FakeClock
) -> None:
    [event] = declare('every().day.at("06:00").do(ran.append, 1).named("a")\n').events
    ledger = AnsweringLedger()
    buffer, _ = buffer_of(ledger)
    due = Due(START, None, START)
    fake_clock.advance(timedelta(seconds=2))

    began = buffer.add_outcome(event, due, Outcome(DecisionKind.FIRED, cancelled=("a", "b", "c")))
    buffer.commit()

    assert list(ledger.pauses()) == ["a", "b", "c"]
    assert began == fake_clock.now()
    assert [each.detail["late_ms"] for each in ledger.asked[0]] == [2000]


def test_a_missed_run_is_recorded_with_its_lateness(
    buffer_of: BufferOf, declare: Callable[..., Timetable], fake_clock: FakeClock
) -> None:
    [event] = declare('every().day.at("06:00").do(ran.append, 1).named("a")\n').events
    ledger = AnsweringLedger()
    buffer, _ = buffer_of(ledger)
    fake_clock.advance(timedelta(seconds=2))

    buffer.add_missed(event, Missed(START, START, START, 1, "too late"))
    buffer.commit()

    assert [each.detail["late_ms"] for each in ledger.asked[0]] == [2000]
