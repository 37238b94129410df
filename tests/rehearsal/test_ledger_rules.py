"""One table of rules for the ticker on Redis, the ticker in memory, and rehearsals."""

import json
import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from clock import testing
from clock.clocks import to_ms
from clock.job.push.client import using_clock
from clock.rehearsal.ledger import MemoryLedger
from clock.store.ledger import pauses
from clock.store.ledger.decision import Decision, DecisionKind, Verdict
from clock.store.ledger.ledger import RedisLedger
from clock.store.ledger.pauses import Pause
from clock.testing import FakeClock
from clock.ticker import ON_THE_LOOP, Signature, Ticker
from clock.timetable import Timetable, load

START = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
MINUTES = 12
Case = tuple[Timetable, dict[str, Pause], list["Fired"]]
Fired = tuple[str, float, str, float | None]  # event, minute, what became of it, minute of the due instant before

#: What a clock file declares, which events are paused from and until which minute, and what becomes of them.
CASES: dict[str, tuple[str, dict[str, tuple[int, int]], list[Fired]]] = {
    "the fluent form is due first a minute after it is first seen": (
        'every(5).minutes.do(PostJob, "x").named("e")',
        {},
        [("e", 5, "fired", None), ("e", 10, "fired", 5)],
    ),
    "Clockwork's form is due at once, and that is the one before the second": (
        'every(timedelta(minutes=5), "e")(post)',
        {},
        [("e", 0, "fired", None), ("e", 5, "fired", 0), ("e", 10, "fired", 5)],
    ),
    "with skip_first_run it is not": (
        'every(timedelta(minutes=5), "e", skip_first_run=True)(post)',
        {},
        [("e", 5, "fired", None), ("e", 10, "fired", 5)],
    ),
    "a pause of an event that pushes a job": (
        'every(4).minutes.do(PostJob, "x").named("e")',
        {"e": (3, 6)},
        [("e", 4, "paused", None), ("e", 8, "fired", 4), ("e", 12, "fired", 8)],
    ),
    "a pause of an event that runs a function": (
        "every(4).minutes.do(post, 'e', None).named('e')",
        {"e": (3, 6)},
        [("e", 4, "paused", None), ("e", 8, "fired", 4), ("e", 12, "fired", 8)],
    ),
    "a pause of the whole clock": (
        'every(4).minutes.do(PostJob, "x").named("e")\nevery(6).minutes.do(PostJob, "x").named("f")',
        {"": (0, 9)},
        [
            ("e", 4, "paused", None),
            ("f", 6, "paused", None),
            ("e", 8, "paused", 4),
            ("e", 12, "fired", 8),
            ("f", 12, "fired", 6),
        ],
    ),
    "a condition of the fluent form uses up the period": (
        'every(3).minutes.if_(lambda t: t.minute % 2 == 0).do(PostJob, "x").named("e")',
        {},
        [("e", 3, "refused", None), ("e", 6, "fired", 3), ("e", 9, "refused", 6), ("e", 12, "fired", 9)],
    ),
    "a condition of Clockwork's form does not, and is asked again": (
        'every(timedelta(minutes=3), "e", if_=lambda t: t.minute % 5 == 0)(post)',
        {},
        [
            ("e", 0, "fired", None),
            ("e", 3, "refused", 0),
            ("e", 5, "fired", 0),
            ("e", 8, "refused", 5),
            ("e", 10, "fired", 5),
        ],
    ),
    "nor with at": (
        'every(timedelta(minutes=2), "e", at="06:**", if_=lambda t: t.minute not in (2, 3, 8))(post)',
        {},
        [
            ("e", 0, "fired", None),
            ("e", 2, "refused", 0),
            ("e", 4, "fired", 0),
            ("e", 6, "fired", 4),
            ("e", 8, "refused", 6),
            ("e", 9, "fired", 6),
            ("e", 11, "fired", 9),
        ],
    ),
    "nor with several times, each of which counts for itself": (
        'every(timedelta(minutes=30), "e", at=["06:**", "06:05"], if_=lambda t: t.minute in (4, 5))(post)',
        {},
        [("e", 0, "refused", None), ("e", 4, "fired", None), ("e", 5, "fired", 4)],
    ),
    "a condition that raises is asked again, too": (
        'every(timedelta(minutes=3), "e", if_=lambda t: 1 / (t.minute % 5 == 4))(post)',
        {},
        [
            ("e", 0, "error", None),
            ("e", 1, "error", None),
            ("e", 2, "error", None),
            ("e", 3, "error", None),
            ("e", 4, "fired", None),
            ("e", 7, "error", 4),
            ("e", 8, "error", 4),
            ("e", 9, "fired", 4),
            ("e", 12, "error", 9),
        ],
    ),
    "a pause of an event that asks again": (
        'every(timedelta(minutes=3), "e", if_=lambda t: True)(post)',
        {"e": (2, 5)},
        [
            ("e", 0, "fired", None),
            ("e", 3, "paused", 0),
            ("e", 5, "fired", 0),
            ("e", 8, "fired", 5),
            ("e", 11, "fired", 8),
        ],
    ),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    lines, paused, expected = CASES[request.param]
    path = tmp_path / "clock.py"
    path.write_text(
        textwrap.dedent("""
            from datetime import timedelta
            from clock import Job, configure, every
            configure(tz="UTC")

            class PostJob(Job):
                def perform(self, word): ...

            def post(name, due):
                PostJob.perform_async(name)

            """)
        + lines
    )
    at = {event: Pause(minute(begin), minute(end)) for event, (begin, end) in paused.items()}
    return load(path), at, expected


def minute(number: float) -> datetime:
    return START + timedelta(minutes=number)


def told(decisions: Sequence[Decision]) -> list[Fired]:
    """What was decided; of a run of refusals or pauses that are asked again the first."""
    found: list[Fired] = []
    for decision in decisions:
        before = [last for last in found if last[0] == decision.event]
        if decision.joins and before and before[-1][2] == decision.kind:
            continue
        previous = previous_of(decision, found)
        found.append((decision.event, minute_of(decision.due_ms), decision.kind, previous))
    return sorted(found, key=lambda one: (one[1], one[0]))


def previous_of(decision: Decision, found: list[Fired]) -> float | None:
    """By the job that was pushed; where none was, by what was decided before."""
    if decision.pushes:
        previous = json.loads(decision.pushes[0].payload)["clock"]["previous"]
        return None if previous is None else minute_of(previous)
    asks_again = bool(decision.counted)
    before = [last for last in found if last[0] == decision.event and not (asks_again and last[2] != "fired")]
    return before[-1][1] if before else None


def minute_of(instant_ms: int) -> float:
    return (instant_ms - to_ms(START)) / 60_000


def run_ticker(timetable: Timetable, ledger: RedisLedger | MemoryLedger) -> list[Decision]:
    clock, decisions = FakeClock(START), list[Decision]()
    ticker = Ticker(
        timetable,
        ledger=ledger,
        clock=clock,
        signature=Signature("web1", "v1"),
        mode=ON_THE_LOOP,
    )
    ticker.listen(decisions.append)
    with using_clock(clock):
        ticker.tick()
        for _ in range(MINUTES * 4):
            clock.advance(timedelta(seconds=15))
            ticker.tick()
    return decisions


def test_the_clock_on_redis_decides_so(redis: Redis, case: Case) -> None:
    timetable, paused, expected = case
    for event, pause in paused.items():
        pauses.pause(redis, event, pause)

    assert told(run_ticker(timetable, RedisLedger(redis))) == expected


def test_the_clock_in_memory_decides_so(case: Case) -> None:
    timetable, paused, expected = case
    ledger = MemoryLedger()
    for event, pause in paused.items():
        ledger.pause(event, pause)

    assert told(run_ticker(timetable, ledger)) == expected


HOW: dict[str, Any] = {
    "plain": {},
    "tick_speed": {"tick_speed": timedelta(seconds=15)},
    "max_ticks": {"max_ticks": 1_000},
}


@pytest.mark.parametrize("how", HOW)
def test_a_rehearsal_decides_so(case: Case, how: str) -> None:
    timetable, paused, expected = case
    ledger = MemoryLedger()
    for event, pause in paused.items():
        ledger.pause(event, pause)
    end = START + timedelta(minutes=MINUTES, seconds=1)

    history = testing.run(timetable, start_time=START, end_time=end, execute=True, ledger=ledger, **HOW[how])

    assert told(history.decisions) == expected


def test_the_ledger_in_memory_keeps_no_decision_that_another_one_has_overtaken() -> None:
    ledger = MemoryLedger()
    [entry] = ledger.declare([("e", "hourly")], 0)
    of_another_declaration = Decision("e", "daily", entry.decided_ms, 3_600_000, DecisionKind.FIRED)
    after_another_instant = Decision("e", "hourly", 1_800_000, 3_600_000, DecisionKind.FIRED)

    for decision in (of_another_declaration, after_another_instant):
        assert ledger.commit([decision]) == [Verdict.STALE]

    assert (ledger.decisions, ledger.entry("e")) == ([], entry)
