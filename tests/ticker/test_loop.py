"""The ticker's loop: how long it waits, what it does while another clock leads or Redis is away, and its end."""

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from clock.clocks import to_ms
from clock.errors import Outranked, StoreUnavailable
from clock.problems import CALM_SECONDS, Problems
from clock.rehearsal.ledger import MemoryLedger
from clock.store.ledger.decision import Decision, Verdict
from clock.store.ledger.entry import Entry
from clock.store.ledger.ledger import RedisLedger
from clock.store.ledger.next_due import Publication
from clock.testing import FakeClock
from clock.ticker import ON_THE_LOOP, Signature, Ticker
from clock.timetable import Timetable
from tests.patience import PATIENCE_SECONDS, eventually
from tests.ticker import jobs
from tests.ticker.conftest import START

Declare = Callable[..., Timetable]
Step = Callable[[], object]
DAILY = 'every().day.at("06:00").do(FetchNewsJob, "news").named("daily")\n'


class Steps(FakeClock):
    """A clock for a ticker's loop: at each wait its time passes and the next step is done; then the loop ends."""

    def __init__(self, *steps: Step) -> None:
        super().__init__(START)
        self._steps = iter(steps)
        self.waits: list[float] = []
        self.ticker: Ticker

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        self.waits.append(round(seconds, 3))
        self.advance(timedelta(seconds=seconds))
        next(self._steps, self.ticker.stop)()
        return True


class FailingLedger(RedisLedger):
    """A ledger that raises `error` when it is read."""

    error: Exception | None = None

    def declare(self, *declared: Any, **more: Any) -> list[Entry]:
        if self.error is not None:
            raise self.error
        return super().declare(*declared, **more)


def ticker_of(timetable: Timetable, redis: Redis, clock: Steps, **options: Any) -> Ticker:
    ledger = options.pop("ledger", RedisLedger(redis))
    clock.ticker = Ticker(timetable, ledger=ledger, clock=clock, signature=Signature("web1", "v1"), **options)
    return clock.ticker


def nothing() -> None:
    """Let time pass."""


def test_a_clock_sleeps_until_the_next_due_instant_and_never_longer_than_a_second(
    declare: Declare, redis: Redis
) -> None:
    clock = Steps(*[nothing] * 11)
    clock.advance(timedelta(milliseconds=600))

    ticker_of(declare(DAILY), redis, clock).run()

    assert clock.waits == [1.0] * 9 + [0.4, 1.0, 1.0]
    assert redis.llen("queue:default") == 1


def test_a_clock_without_events_sleeps_a_second(declare: Declare, redis: Redis) -> None:
    clock = Steps()

    ticker_of(declare(""), redis, clock).run()

    assert clock.waits == [1.0]


def test_a_clock_whose_ledger_another_clock_changed_reads_it_again_at_once(declare: Declare, redis: Redis) -> None:
    def redeclare() -> None:
        RedisLedger(redis).declare([("daily", "another declaration")], to_ms(START))

    clock = Steps(*[nothing] * 9, redeclare)

    ticker_of(declare(DAILY), redis, clock).run()

    assert clock.waits == [1.0] * 10 + [0.0]


def test_while_redis_is_away_a_clock_tries_more_and_more_seldom(declare: Declare, redis: Redis) -> None:
    ledger = FailingLedger(redis)
    ledger.error = away = StoreUnavailable("away")

    def is_back() -> None:
        ledger.error = None

    def is_away() -> None:
        ledger.error = away
        clock.ticker.read_ledger_again()

    clock = Steps(*[nothing] * 4, is_back, is_away, nothing)
    problems = Problems(clock=clock)

    ticker_of(declare(""), redis, clock, ledger=ledger, problems=problems).run()

    assert clock.waits == [1.0, 2.0, 4.0, 8.0, 8.0, 1.0, 1.0, 2.0]
    assert [problem.text for problem, _ in problems.lasting] == ["away"]


def test_a_clock_that_a_newer_release_outranks_stands_by_without_a_problem(declare: Declare, redis: Redis) -> None:
    ledger = FailingLedger(redis)

    def outranked() -> None:
        ledger.error = Outranked()
        ticker.read_ledger_again()

    clock = Steps(outranked, nothing)
    problems = Problems(clock=clock)
    ticker = ticker_of(declare(DAILY), redis, clock, ledger=ledger, problems=problems)

    ticker.run()

    assert clock.waits == [1.0] * 3
    assert (list(ticker.planned), list(problems.lasting)) == ([], [])


def test_a_clock_on_standby_plans_nothing_and_has_no_problem(declare: Declare, redis: Redis) -> None:
    ledger, leads = FailingLedger(redis), [True]
    ledger.error = StoreUnavailable("away")
    clock = Steps(leads.clear, nothing)
    problems = Problems(clock=clock)
    ticker = ticker_of(declare(DAILY), redis, clock, ledger=ledger, problems=problems, leads=lambda: bool(leads))

    ticker.run()

    assert clock.waits == [1.0] * 3
    assert list(ticker.planned) == []
    assert ticker.last_round == 2.0  # it is alive
    clock.advance(timedelta(seconds=CALM_SECONDS))
    problems.watch()
    assert problems.lasting == []


def test_a_clock_that_stops_leading_fires_no_further_event_of_its_tick(declare: Declare, redis: Redis) -> None:
    jobs.ran.clear()
    jobs.ran.append(1)
    lines = "".join(f"every().second.do(ran.clear).named('{name}')\n" for name in "ab")
    clock = Steps(nothing)
    ticker = ticker_of(declare(lines), redis, clock, leads=lambda: bool(jobs.ran))

    ticker.run()

    assert [len(list(RedisLedger(redis).history(name))) for name in "ab"] == [1, 0]


def test_a_clock_that_is_stopped_during_a_tick_fires_no_further_event(declare: Declare, redis: Redis) -> None:
    lines = "".join(f"every().second.do(lambda: slow()).named('{name}')\n" for name in "ab")
    clock = Steps(nothing)
    jobs.hooks["slow"] = lambda: clock.ticker.stop()

    ticker_of(declare("from tests.ticker.jobs import slow\n", lines), redis, clock).run()

    assert [len(list(RedisLedger(redis).history(name))) for name in "ab"] == [1, 0]


class PublishingLedger(MemoryLedger):
    """A ledger that notes how many decisions it was given at once, and how the next due marker was published."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.published: list[tuple[str, str | None]] = []

    def commit(self, decisions: Sequence[Decision], publication: Publication | None = None) -> list[Verdict]:
        self.batches.append(len(decisions))
        if publication is not None:
            publication.before = super().mark_next_due(publication.event, publication.due_ms)
            self.published.append(("commit", publication.event))
        return super().commit(decisions, publication)

    def mark_next_due(self, event: str | None, due_ms: int) -> tuple[str | None, int]:
        self.published.append(("marker", event))
        return super().mark_next_due(event, due_ms)


def every_minute(name: str, options: str = "", action: str = "FetchNewsJob, 1") -> str:
    return f"every().minute.at(':00'){options}.do({action}).named('{name}')\n"


@pytest.mark.parametrize(
    ("lines", "published"),
    [
        (every_minute("job"), [("commit", "job")]),
        (every_minute("job") + every_minute("second"), [("marker", "job")]),
        (every_minute("job", ".except_on('2030-01-01')"), [("marker", "job")]),
        (every_minute("job", ".until('2026-11-24 06:00:30')"), [("marker", None)]),
        (every_minute("callable", action="print"), [("marker", "callable")]),
    ],
)
def test_the_commit_of_one_job_that_is_planned_quickly_publishes_the_next_due_instant(
    declare: Declare, fake_clock: FakeClock, lines: str, published: list[tuple[str, str]]
) -> None:
    ledger = PublishingLedger()
    ticker = Ticker(declare(lines), ledger=ledger, clock=fake_clock, signature=Signature("web1", "v1"))
    fake_clock.advance(timedelta(seconds=9))
    ticker.tick()
    ledger.published.clear()

    fake_clock.advance(timedelta(seconds=1))
    ticker.tick()

    assert ledger.published == published


def test_a_callable_that_is_due_after_a_job_does_not_wait_for_the_marker(
    declare: Declare, fake_clock: FakeClock
) -> None:
    ledger = PublishingLedger()
    lines = every_minute("job") + "every().minute.at(':30').do(print).named('callable')\n"
    ticker = Ticker(declare(lines), ledger=ledger, clock=fake_clock, signature=Signature("web1", "v1"))
    ticker.tick()

    for _ in range(2):
        fake_clock.advance(timedelta(seconds=30))
        ledger.published.clear()
        ticker.tick()

    assert ledger.published == [("marker", "job")]


def test_of_very_many_jobs_that_are_due_at_once_parts_are_committed_between(
    declare: Declare, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clock.ticker.ticker.AT_ONCE", 2)
    ledger = PublishingLedger()
    ticker = Ticker(
        declare("".join(map(every_minute, "abcde"))),
        ledger=ledger,
        clock=fake_clock,
        signature=Signature("web1", "v1"),
    )
    ticker.tick()

    fake_clock.advance(timedelta(seconds=10))
    ticker.tick()

    assert ledger.batches == [2, 2, 1]


def test_a_tick_with_slow_actions_commits_between_them(declare: Declare, fake_clock: FakeClock) -> None:
    jobs.hooks["slow"] = lambda: fake_clock.advance(timedelta(seconds=0.03))
    ledger = PublishingLedger()
    lines = "".join(every_minute(name, action="slow") for name in "abcde")
    timetable = declare("from tests.ticker.jobs import slow\n", lines)
    ticker = Ticker(timetable, ledger=ledger, clock=fake_clock, signature=Signature("web1", "v1"))
    ticker.tick()

    fake_clock.advance(timedelta(seconds=10))
    ticker.tick()

    assert ledger.batches == [2, 2, 1]


def test_actions_that_do_not_end_in_time_are_abandoned_at_once_if_the_time_is_over(
    declare: Declare, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    may_end = threading.Event()
    jobs.hooks["slow"] = lambda: may_end.wait(PATIENCE_SECONDS)

    def stop_late() -> None:
        clock.ticker.stop(1)
        clock.advance(timedelta(seconds=2))

    clock = Steps(nothing, stop_late)
    slow = "from tests.ticker.jobs import slow\nevery().second.do(slow).named('slow').thread()\n"

    ticker_of(declare(slow), redis, clock).run()
    may_end.set()

    assert "Abandoned 1 actions still running after 0 s" in caplog.text


@pytest.mark.parametrize("patience", [(0.01, 9.0), (9.0, 0.01)])
def test_at_the_end_actions_on_threads_get_the_shorter_patience(
    declare: Declare, redis: Redis, caplog: pytest.LogCaptureFixture, patience: tuple[float, float]
) -> None:
    may_end = threading.Event()
    jobs.hooks["slow"] = lambda: may_end.wait(PATIENCE_SECONDS)

    def stop() -> None:
        for seconds in patience:
            clock.ticker.stop(seconds)

    clock = Steps(nothing, stop)
    slow = "from tests.ticker.jobs import slow\nevery().second.do(slow).named('slow').thread()\n"

    all_ended = ticker_of(declare(slow), redis, clock).run()
    may_end.set()

    assert not all_ended
    assert "Abandoned 1 actions still running after 0.01 s" in caplog.text


def test_a_run_that_redis_did_not_accept_at_the_end_is_named(
    declare: Declare, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    class Ledger(RedisLedger):
        def commit(self, *_: object, **__: object) -> Any:
            raise StoreUnavailable("Redis is away.")

    clock = Steps(nothing)
    ledger = Ledger(redis)

    all_ended = ticker_of(declare("every().second.do(print).named('a')\n"), redis, clock, ledger=ledger).run()

    assert all_ended
    assert "Redis is away. The last run is not recorded and will run again at the next start." in caplog.text


@pytest.mark.parametrize("mode", [ON_THE_LOOP, None])
def test_the_rows_of_a_database_are_read_on_a_thread_except_in_rehearsals(
    declare: Declare, redis: Redis, mode: Any
) -> None:
    readers: list[str] = []

    def load() -> list[object]:
        readers.append(threading.current_thread().name)
        return []

    jobs.hooks["slow"] = load
    source = "from clock import sync_events\nfrom tests.ticker.jobs import slow\n"
    source += "sync_events(slow, every=timedelta(minutes=1), do=FetchNewsJob)\n"
    options = {} if mode is None else {"mode": mode}

    ticker_of(declare(source), redis, Steps(), **options).run()
    eventually(lambda: readers, "that the rows are read")

    assert set(readers) == {threading.current_thread().name if mode else "database events"}
