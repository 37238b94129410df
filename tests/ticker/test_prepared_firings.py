import json
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from operator import is_
from typing import Any

import pytest
from redis import Redis

from clock import client_middleware
from clock.store.ledger.decision import Decision, Verdicts
from clock.store.ledger.ledger import RedisLedger
from clock.testing import FakeClock
from clock.ticker import Signature, Ticker
from clock.timetable import Event, Timetable

SIX = datetime(2026, 11, 24, 6, tzinfo=UTC)
THREE = """
every().day.at("06:00").do(FetchNewsJob, "first").named("first")
every().day.at("06:00").do(lambda: FetchNewsJob.perform_async("second")).named("second")
every().day.at("06:00").do(FetchNewsJob, "third").named("third")
"""


@pytest.fixture(autouse=True)
def _middleware_as_it_was() -> Iterator[None]:
    entries = client_middleware.entries
    yield
    client_middleware.entries = entries


def pushed(redis: Redis) -> list[dict[str, Any]]:
    rows: Any = redis.lrange("queue:default", 0, -1)
    redis.delete("queue:default")
    return [json.loads(row) for row in reversed(rows)]


def fire(timetable: Timetable, redis: Redis, clock: FakeClock, **how: Any) -> list[dict[str, Any]]:
    """What a clock pushes at six, whose ledger is empty."""
    redis.flushdb()
    clock.travel_to(SIX - timedelta(seconds=10))
    signature = Signature("web1", "v1")
    ticker = Ticker(timetable, ledger=RedisLedger(redis), clock=clock, signature=signature, **how)
    ticker.tick()
    clock.travel_to(SIX + timedelta(milliseconds=7))
    ticker.tick()
    return pushed(redis)


def test_what_is_known_beforehand_is_pushed_as_an_action_that_is_called_pushes_it(
    declare: Callable[..., Timetable], redis: Redis, fake_clock: FakeClock
) -> None:
    timetable = declare(THREE)

    plain = fire(timetable, redis, fake_clock)
    records = [*RedisLedger(redis).history("first"), *RedisLedger(redis).history("third")]
    called = fire(timetable, redis, fake_clock, act=lambda *firing: Event.run(*firing))

    assert plain == called
    assert [payload["args"] for payload in plain] == [["first"], ["second"], ["third"]]
    assert records == [*RedisLedger(redis).history("first"), *RedisLedger(redis).history("third")]


def test_a_middleware_that_is_added_later_has_its_say(
    declare: Callable[..., Timetable], redis: Redis, fake_clock: FakeClock
) -> None:
    def mark(job: object, payload: dict[str, object], queue: str) -> None:
        payload["marked"] = True

    timetable = declare(THREE)
    fire(timetable, redis, fake_clock)
    client_middleware.add(mark)

    payloads = fire(timetable, redis, fake_clock)

    assert [payload.get("marked") for payload in payloads] == [True, True, True]


class RestlessClock(FakeClock):
    """Time passes as soon as somebody waits."""

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        self.advance(timedelta(seconds=seconds))
        return stop.is_set()


class WatchedLedger(RedisLedger):
    """Tells what is made ready and what is begun; at the first it calls `on_ready`."""

    def __init__(self, redis: Redis, on_ready: Callable[[], object] = lambda: None) -> None:
        super().__init__(redis)
        self._on_ready = on_ready
        self.ready: list[Decision] = []
        self.begun: list[Decision] = []

    def make_ready(self, decisions: Sequence[Decision]) -> None:
        super().make_ready(decisions)
        self.ready += decisions
        self._on_ready()

    def begin(self, decisions: Sequence[Decision]) -> Verdicts:
        self.begun += decisions
        return super().begin(decisions)


def run_past_six(timetable: Timetable, ledger: RedisLedger, clock: FakeClock) -> None:
    ticker = Ticker(
        timetable,
        ledger=ledger,
        clock=clock,
        signature=Signature("web1", "v1"),
        on_decision=lambda _: ticker.stop(),
    )
    ticker.run()


TWO = """
every().day.at("06:00").do(FetchNewsJob, "first").named("first")
every().day.at("06:00").do(FetchNewsJob, "third").named("third")
"""


def test_what_comes_due_is_made_ready_before_and_then_only_sent(
    declare: Callable[..., Timetable], redis: Redis
) -> None:
    timetable, ledger = declare(TWO), WatchedLedger(redis)

    run_past_six(timetable, ledger, RestlessClock(SIX - timedelta(seconds=10)))
    pushed_ahead = pushed(redis)

    assert len(ledger.begun) == 2
    assert all(map(is_, ledger.begun, ledger.ready))
    assert {payload["enqueued_at"] for payload in pushed_ahead} == {SIX.timestamp()}
    assert [decision.detail["late_ms"] for decision in ledger.begun] == [0, 0]
    assert [payload["args"] for payload in pushed_ahead] == [["first"], ["third"]]


def test_what_was_made_ready_is_made_anew_where_the_clock_comes_late_to_it(
    declare: Callable[..., Timetable], redis: Redis
) -> None:
    clock = RestlessClock(SIX - timedelta(seconds=10))
    ledger = WatchedLedger(redis, lambda: clock.advance(timedelta(milliseconds=8)))

    run_past_six(declare(TWO), ledger, clock)

    assert [decision.detail["late_ms"] for decision in ledger.begun] == [5, 5]
    late = SIX + timedelta(milliseconds=5)
    assert {payload["enqueued_at"] for payload in pushed(redis)} == {late.timestamp()}


def test_what_was_made_ready_is_made_anew_where_a_middleware_is_added_meanwhile(
    declare: Callable[..., Timetable], redis: Redis
) -> None:
    def mark(job: object, payload: dict[str, object], queue: str) -> None:
        payload["marked"] = True

    run_past_six(
        declare(TWO),
        WatchedLedger(redis, lambda: client_middleware.add(mark)),
        RestlessClock(SIX - timedelta(seconds=10)),
    )

    assert [payload.get("marked") for payload in pushed(redis)] == [True, True]
