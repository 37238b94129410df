"""Actions on threads: how many run at once, the order of their outcomes, and what happens to them at the end."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from clock.store.ledger.decision import DecisionKind
from clock.ticker.firing.action_threads import ActionThreads
from clock.ticker.firing.decisions import Outcome
from clock.ticker.planning.catch_up import Due, Missed
from clock.timetable import Event, Timetable
from tests.patience import PATIENCE_SECONDS, eventually
from tests.ticker.conftest import START

FIRED = Outcome(DecisionKind.FIRED)
DUES = [Due(START + timedelta(minutes=n), None, START) for n in range(4)]


@pytest.fixture
def event(declare: Callable[..., Timetable]) -> Event:
    return declare('every().minute.do(ran.append, 1).named("a").thread()\n').events[0]


@pytest.fixture
def may_end() -> Iterator[threading.Event]:
    """The actions of the tests run until it is set."""
    end = threading.Event()
    yield end
    end.set()


@pytest.fixture
def threads() -> ActionThreads:
    return ActionThreads(2, lambda: None)


def until(end: threading.Event) -> Callable[[], Outcome]:
    def run() -> Outcome:
        assert end.wait(PATIENCE_SECONDS)
        return FIRED

    return run


def taken(threads: ActionThreads) -> list[tuple[str, Due | Missed]]:
    return [(event.name, about) for event, about, _ in threads.take()]


def test_the_first_action_that_waits_for_a_thread_is_logged(
    threads: ActionThreads, event: Event, may_end: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    threads.add_decided(event, DUES[0])
    threads.start(event, DUES[1], until(may_end))
    threads.start(event, DUES[2], until(may_end))
    before = list(caplog.messages)

    threads.start(event, DUES[3], until(may_end))

    assert before == []
    assert caplog.messages == ["Threads exhausted (max_threads=2): 'a' is waiting"]
    assert (threads.count_running("a"), threads.count_running("another")) == (3, 0)


def test_outcomes_are_returned_in_the_order_of_the_due_instants_once_the_first_has_ended(
    event: Event, may_end: threading.Event
) -> None:
    ended: list[int] = []
    threads = ActionThreads(2, lambda: ended.append(1))
    threads.start(event, DUES[0], until(may_end))
    threads.start(event, DUES[1], lambda: FIRED)
    threads.add_decided(event, DUES[2], FIRED)
    eventually(lambda: threads.count_running("a") == 1, "the end of the second action")
    before = taken(threads), threads.latest_started("a")

    may_end.set()
    eventually(lambda: len(ended) == 2, "the end of both actions")
    after = taken(threads), threads.latest_started("a")

    assert before == ([], DUES[2])
    assert after == ([("a", due) for due in DUES[:3]], None)


def test_at_the_end_an_action_that_has_not_started_stays_undecided(
    event: Event, may_end: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    threads, began = ActionThreads(1, lambda: None), threading.Event()

    def first() -> Outcome:
        began.set()
        may_end.wait(PATIENCE_SECONDS)
        return FIRED

    threads.start(event, DUES[0], first)
    assert began.wait(PATIENCE_SECONDS)
    threads.start(event, DUES[1], until(may_end))
    caplog.clear()

    has_ended_early = threads.stop(0)
    early = taken(threads)
    may_end.set()
    has_ended = threads.stop(PATIENCE_SECONDS)

    assert (has_ended_early, early, has_ended) == (False, [], True)
    assert taken(threads) == [("a", DUES[0])]
    assert caplog.messages == ["Abandoned 1 actions still running after 0 s"]
