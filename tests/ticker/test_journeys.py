"""How far a due instant is from Redis: the calls on its way, and the files that they are in.

The numbers keep the code easy to follow. Count again when you add a call; do not raise them.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import Any

import pytest
from redis import Redis

import clock
from clock.clocks import to_ms
from clock.store import keys
from clock.store.ledger.ledger import BATCH, RedisLedger
from clock.store.server import sending
from clock.testing import FakeClock
from clock.ticker import Signature, Ticker, lost_writes
from clock.timetable import Timetable
from tests.ticker import jobs

PACKAGE = clock.__path__[0]
Call = tuple[str, str]


def calls_of_clock(frame: FrameType | None) -> list[Call]:
    """The calls that lead to a frame, from `tick` on: file and function; comprehensions and wrappers aside."""
    found: list[Call] = []
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(PACKAGE) and not code.co_name.startswith("<"):
            found.append((code.co_filename, code.co_name))
        if code.co_name == "tick":
            break
        frame = frame.f_back
    return found[::-1]


@contextmanager
def calls_to_redis(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[list[Call]]]:
    """The calls on the way of each fire script to Redis."""
    ways: list[list[Call]] = []
    real = sending.ask

    def ask(*command: Any) -> Any:
        ways.append([*calls_of_clock(sys._getframe(1)), (sending.__file__, "ask")])
        return real(*command)

    monkeypatch.setattr("clock.store.ledger.ledger.ask", ask)
    yield ways


def tick_twice(timetable: Timetable, redis: Redis, fake_clock: FakeClock) -> None:
    ticker = Ticker(timetable, ledger=RedisLedger(redis), clock=fake_clock, signature=Signature("web1", "v1"))
    ticker.tick()
    fake_clock.advance(timedelta(minutes=1))
    ticker.tick()


@pytest.mark.parametrize("events", [1, BATCH])
def test_a_due_instant_without_user_code_reaches_redis_by_six_calls_in_four_files(
    declare: Callable[..., Timetable],
    redis: Redis,
    fake_clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    events: int,
) -> None:
    lines = f"for n in range({events}):\n    every().minute.do(FetchNewsJob, n).named(str(n))\n"

    with calls_to_redis(monkeypatch) as ways:
        tick_twice(declare(lines), redis, fake_clock)

    way = max(ways, key=len)  # the script is sent twice if Redis does not have it yet
    assert len(way) <= 6, way
    assert len({file for file, _ in way}) <= 4, way


def test_a_due_instant_with_user_code_reaches_redis_by_ten_calls_in_six_files(
    declare: Callable[..., Timetable], redis: Redis, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    code: list[Call] = []
    jobs.hooks["slow"] = lambda: code.extend(calls_of_clock(sys._getframe(1)))

    with calls_to_redis(monkeypatch) as ways:
        tick_twice(declare("from tests.ticker.jobs import slow\n", "every().minute.do(slow)\n"), redis, fake_clock)

    way = max(ways, key=len)  # the script is sent twice if Redis does not have it yet
    calls = [*code, *(call for call in way if call not in code)]
    assert len(calls) <= 10, calls
    assert len({file for file, _ in calls}) <= 6, calls


@pytest.mark.parametrize(
    "schedule",
    [
        "every(1).seconds",
        'cron("* * * * *")',
        'cron("0 6 1 * *")',
        'every().day.at("06:00", "America/New_York").until("2030-01-01")',
        'every().day.at(["06:00", "18:00"]).spread(timedelta(minutes=5))',
        'every().weekday.at("06:00")',
        "every(5).to(10).minutes",
        'every().week.at("Monday 16:20")',
    ],
)
def test_a_tick_with_one_due_event_is_one_round_trip(
    declare: Callable[..., Timetable],
    redis: Redis,
    fake_clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    schedule: str,
) -> None:
    ledger = RedisLedger(redis)
    timetable = declare(f'{schedule}.do(FetchNewsJob, "x")\n')
    ticker = Ticker(timetable, ledger=ledger, clock=fake_clock, signature=Signature("web1", "v1"))
    ticker.tick()
    before = redis.llen("queue:default")
    monkeypatch.setattr(lost_writes, "ASK_SECONDS", float("inf"))  # this check is another round trip

    with calls_to_redis(monkeypatch) as ways:
        for _ in range(3):
            assert ticker.next_due is not None
            fake_clock.advance(ticker.next_due - fake_clock.now())
            ticker.tick()

    assert len(ways) <= 3 + 1  # the script is sent twice if Redis does not have it yet
    assert redis.llen("queue:default") == before + 3
    assert (b"%d" % to_ms(ticker.next_due) if ticker.next_due else b"") == redis.hget(keys.NEXT_DUE, "due")
