"""Decisions: which of them use up the period of Clockwork's form, and what the history shows of them."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from clock.store.ledger.decision import DecisionKind
from clock.ticker import Signature
from clock.ticker.firing.decisions import Outcome, decision_of, pause_after, paused_decision
from clock.ticker.planning.catch_up import Due
from clock.timetable import Event, Timetable
from tests.ticker.conftest import START

SIGNATURE = Signature("web1", "v1")
DUE = Due(START, None, START - timedelta(minutes=1), counted=("before", "after"))


@pytest.fixture
def event(declare: Callable[..., Timetable]) -> Event:
    return declare('every().minute.do(ran.append, 1).named("a")\n').events[0]


@pytest.mark.parametrize(
    ("outcome", "counted"),
    [
        (Outcome(DecisionKind.FIRED), "after"),
        (Outcome(DecisionKind.ERROR), "after"),
        (Outcome(DecisionKind.REFUSED, counts=False), "before"),
        (Outcome(DecisionKind.PAUSED), "before"),
    ],
)
def test_a_due_instant_uses_up_the_period_unless_it_was_refused_or_paused(
    event: Event, outcome: Outcome, counted: str
) -> None:
    assert decision_of(event, DUE, outcome, late=None, signature=SIGNATURE).counted == counted


def test_a_firing_that_redis_refuses_because_of_a_pause_does_not_use_up_the_period(event: Event) -> None:
    made = decision_of(
        event, DUE, Outcome(DecisionKind.FIRED), late=timedelta(milliseconds=7), signature=SIGNATURE
    )

    paused = paused_decision(made, "paused by me", SIGNATURE)

    assert (paused.kind, paused.counted) == (DecisionKind.PAUSED, "before")
    assert paused.detail == {"host": "web1", "release": "v1", "reason": "paused by me", "late_ms": 7}


@pytest.mark.parametrize(
    ("is_asked_again", "kind", "joins"),
    [
        (True, DecisionKind.REFUSED, True),
        (True, DecisionKind.PAUSED, True),
        (True, DecisionKind.FIRED, False),
        (False, DecisionKind.REFUSED, False),
    ],
)
def test_refusals_one_after_the_other_are_one_record_of_the_history(
    event: Event, is_asked_again: bool, kind: DecisionKind, joins: bool
) -> None:
    due = replace(DUE, is_asked_again=is_asked_again)

    assert decision_of(event, due, Outcome(kind), late=None, signature=SIGNATURE).joins is joins


@pytest.mark.parametrize(("overlap", "watched"), [("allow", ()), ("skip", ("jid",))])
def test_the_jobs_of_a_firing_are_watched_if_the_next_firing_must_not_overlap_them(
    declare: Callable[..., Timetable], overlap: str, watched: tuple[str, ...]
) -> None:
    [event] = declare(f"every().minute.do(FetchNewsJob, 1).overlap('{overlap}')\n").events

    made = decision_of(event, DUE, Outcome(DecisionKind.FIRED, jids=("jid",)), late=None, signature=SIGNATURE)

    assert made.watched == watched


def test_an_event_that_cancelled_itself_is_paused_after_that_due_instant() -> None:
    pause = pause_after(DUE)

    assert not pause.covers(DUE.at)
    assert pause.covers(DUE.at + timedelta(seconds=1))
