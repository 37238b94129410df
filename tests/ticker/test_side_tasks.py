"""What a clock does beside its loop: it records its file, counts lateness, and pushes jobs that locks kept out."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from redis import Redis

from clock.clocks import to_ms
from clock.errors import StoreUnavailable
from clock.store.jobs.flow.unique_locks import CHECKED_AFTER_MS, Lock
from clock.store.jobs.job_metrics import slot_of
from clock.store.ledger import lateness, timetable_changes
from clock.store.ledger.clock_register import AboutClock
from clock.store.ledger.decision import Decision, DecisionKind
from clock.store.ledger.held_pushes import Push
from clock.store.ledger.lateness import Lateness
from clock.store.ledger.ledger import RedisLedger
from clock.testing import FakeClock
from clock.ticker import ClockIdentity, Release, side_tasks
from clock.ticker.side_tasks import (
    CHECK_SECONDS,
    MOST,
    WRITE_SECONDS,
    KeptOut,
    LatenessLog,
    record_timetable,
    repeat,
)
from clock.timetable import Timetable
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
        away.setattr(side_tasks, "add", refuse)
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

    repeat(log.write, WRITE_SECONDS, clock, Ended())

    assert runs == [0, 1, 2]
    assert clock.waits == [WRITE_SECONDS] * 3


def firing(jid: str, holder: str = "gone", key: str = "feed") -> Decision:
    lock = Lock(key, jid, holder=holder)
    return Decision(
        "a", "daily", 0, 1000, DecisionKind.FIRED, pushes=(Push('{"jid": "x"}', "default", None, lock),)
    )


def lock_without_job(redis: Redis, clock: FakeClock, key: str = "feed") -> None:
    redis.hset("clock:unique", key, f"gone|{to_ms(clock.now()) - CHECKED_AFTER_MS}|0")


def test_a_job_that_a_lock_without_a_job_kept_out_is_pushed_at_the_next_check(redis: Redis) -> None:
    clock = Rounds(1)
    lock_without_job(redis, clock)
    kept_out = KeptOut(RedisLedger(redis), clock=clock)
    kept_out.note(firing("pushed-already", holder=""))
    kept_out.note(firing("b"))
    before = redis.llen("queue:default")

    repeat(kept_out.check, CHECK_SECONDS, clock, threading.Event())

    assert (before, redis.llen("queue:default")) == (0, 1)
    assert clock.waits == [CHECK_SECONDS] * 2


def test_each_job_is_checked_once_and_of_very_many_only_the_first(redis: Redis, fake_clock: FakeClock) -> None:
    checked: list[list[str]] = []

    class Ledger(RedisLedger):
        def push_kept_out(self, pushes: object, now_ms: int) -> None:
            assert isinstance(pushes, list)
            checked.append([push.lock.jid for push in pushes])

    kept_out = KeptOut(Ledger(redis), clock=fake_clock)
    for number in range(MOST + 2):
        kept_out.note(firing(str(number)))

    kept_out.check()
    kept_out.check()

    assert checked == [[str(number) for number in range(MOST)], []]


LINES = """
every().day.at("06:00").do(FetchNewsJob, "news").named("daily")
every().day.at("07:00").do(FetchNewsJob, "news").named("new", was="old")
"""


@pytest.fixture
def record(declare: Callable[..., Timetable], redis: Redis) -> Callable[[], bool]:
    about = AboutClock("web1", 1, "v1", started_at=0, events=2, skew_ms=0)
    return lambda: record_timetable(redis, declare(LINES), ClockIdentity("web1:1:abc", Release("v1", 1), about))


def test_the_record_of_a_clock_file_has_the_release_its_events_and_renames(
    record: Callable[[], bool], redis: Redis
) -> None:
    timetable_changes.note(redis, "v0", "web0", {"old": "every day at 07:00"}, {})

    is_recorded = record()

    [(_, entry), _] = timetable_changes.read(redis, 10)
    assert is_recorded
    assert (entry["release"], entry["host"], entry["renamed"]) == ("v1", "web1", [["old", "new"]])
    assert set(timetable_changes.declared(redis)) == {"daily", "new"}


def test_a_record_that_redis_refuses_is_no_success(
    record: Callable[[], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bool:
        raise StoreUnavailable("away")

    monkeypatch.setattr(timetable_changes, "note", refuse)

    assert record() is False


def test_a_task_is_repeated_until_it_succeeds() -> None:
    clock, answers = Rounds(9), iter([False, False, True])

    repeat(lambda: next(answers), 2.0, clock, threading.Event())

    assert clock.waits == [2.0] * 3


def test_a_clock_that_ends_before_the_first_time_does_no_side_task() -> None:
    repeat(lambda: pytest.fail("the clock has ended"), 2.0, Rounds(0), threading.Event())
