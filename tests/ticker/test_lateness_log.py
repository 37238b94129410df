"""The counts of how late runs start: which decisions count, when they are written, and what an error costs."""

import threading
from datetime import timedelta

import pytest
from redis import Redis

from clock.errors import StoreUnavailable
from clock.store.jobs.job_metrics import slot_of
from clock.store.ledger import lateness
from clock.store.ledger.decision import Decision, DecisionKind
from clock.store.ledger.lateness import Lateness
from clock.testing import FakeClock
from clock.ticker import lateness_log
from clock.ticker.lateness_log import WRITE_SECONDS, LatenessLog
from tests.ticker.conftest import START, Rounds


def decision(kind: DecisionKind, **detail: object) -> Decision:
    return Decision("a", "daily", 0, 1000, kind, detail)


def written(redis: Redis) -> Lateness:
    """What is written in the minutes of the tests."""
    first, second = lateness.read(redis, [slot_of(START, 1), slot_of(START + timedelta(minutes=1), 1)])
    first.merge(second)
    return first


def test_only_decisions_that_fired_with_a_lateness_count(redis: Redis, fake_clock: FakeClock) -> None:
    log = LatenessLog(redis, clock=fake_clock)
    for made in (
        decision(DecisionKind.FIRED, late_ms=7),
        decision(DecisionKind.CAUGHT_UP, late_ms=60_000),
        decision(DecisionKind.MISSED, late_ms=90_000),
        decision(DecisionKind.FIRED),
    ):
        log.note(made)

    log.write()

    assert (written(redis).runs, written(redis).max_ms) == (2, 60_000)


def test_without_runs_nothing_is_written(redis: Redis, fake_clock: FakeClock) -> None:
    LatenessLog(redis, clock=fake_clock).write()

    assert not redis.keys()


def test_counts_that_redis_refused_are_written_with_the_next_ones(
    redis: Redis, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        log.note(decision(DecisionKind.FIRED, late_ms=7))  # another run is counted at the same time
        raise StoreUnavailable("away")

    log = LatenessLog(redis, clock=fake_clock)
    log.note(decision(DecisionKind.FIRED, late_ms=7))
    with monkeypatch.context() as away:
        away.setattr(lateness_log, "add", refuse)
        log.write()

    log.write()
    log.write()

    assert (written(redis).runs, written(redis).max_ms) == (2, 7)


def test_it_writes_after_each_interval_until_the_clock_has_ended(redis: Redis) -> None:
    clock, runs = Rounds(2), list[int]()
    log = LatenessLog(redis, clock=clock)

    class Ended(threading.Event):
        """An event that notes what is written whenever the loop asks whether it has ended."""

        def is_set(self) -> bool:
            runs.append(written(redis).runs)
            log.note(decision(DecisionKind.FIRED, late_ms=7))
            return super().is_set()

    log.run(Ended())

    assert runs == [0, 1, 2]
    assert clock.waits == [WRITE_SECONDS] * 3
