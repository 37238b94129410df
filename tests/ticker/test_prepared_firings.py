import json
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from clock import client_middleware
from clock.store.ledger.ledger import RedisLedger
from clock.testing import FakeClock
from clock.ticker import ActionMode, Signature, Ticker
from clock.ticker.firing.prepared_firings import LOOK, PreparedFirings
from clock.ticker.planning.catch_up import Due
from clock.timetable import Timetable

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
    called = fire(timetable, redis, fake_clock, mode=ActionMode(lambda event: event.action))

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


def test_a_clock_that_loses_the_lead_builds_no_further_decisions(
    declare: Callable[..., Timetable], fake_clock: FakeClock
) -> None:
    timetable = declare(
        f"for n in range({LOOK + 1}):\n    every().day.at('06:00').do(FetchNewsJob, n).named(str(n))\n"
    )
    prepared = PreparedFirings(timetable, clock=fake_clock, signature=Signature("web1", "v1"), mode=ActionMode())
    due = Due(SIX, None, SIX - timedelta(days=1), caught_up=False)
    to_fire, leads = deque((event, due) for event in timetable.events), iter([True, False])

    made = list(prepared.made(to_fire, [], lambda: next(leads)))

    assert [decision.event for decision in made] == [str(n) for n in range(LOOK)]
    assert [event.name for event, _ in to_fire] == [str(LOOK)]
