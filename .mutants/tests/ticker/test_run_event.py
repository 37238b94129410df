"""What plain firings decided never waits for the user's code, and no connection is kept while that runs."""

import json
from collections.abc import Callable
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from redis import Redis

from clock.store.ledger.ledger import BATCH, RedisLedger
from clock.store.server.connection import connect, using_default
from clock.testing import FakeClock
from clock.ticker import Signature, Ticker
from clock.timetable import Timetable
from tests.patience import PATIENCE_SECONDS
from tests.ticker import jobs

MANY = BATCH + 100  # more than one batch: the first is under way when the callable's turn comes
SLOW = "from tests.ticker.jobs import slow\n"
JOBS = f"""
for number in range({MANY}):
    every().minute.do(FetchNewsJob, number).named(f"job {{number}}")
"""


@pytest.fixture
def only_connection(redis: Redis, redis_url: str) -> Any:
    """The one connection that the ledger and the pushes share here."""
    only = connect(redis_url, max_connections=1)
    with using_default(only):
        yield only
    only.close()


def tick_twice(timetable: Timetable, redis: Redis, clock: FakeClock) -> None:
    ticker = Ticker(timetable, ledger=RedisLedger(redis), clock=clock, signature=Signature("web1", "v1"))
    ticker.tick()
    clock.advance(timedelta(minutes=1))
    ticker.tick()


@pytest.mark.parametrize(
    "slow",
    [
        "every().minute.do(slow).named('slow')",
        "every().minute.if_(lambda due: slow()).do(FetchNewsJob, 'x').named('slow')",
        "every().minute.do(FetchNewsJob, 'x').named('slow').overlap('skip').if_(lambda due: slow())",
    ],
)
def test_all_jobs_due_before_a_callable_are_in_redis_while_it_runs(
    declare: Callable[..., Timetable], only_connection: Redis, redis: Redis, fake_clock: FakeClock, slow: str
) -> None:
    seen: list[int] = []
    jobs.hooks["slow"] = lambda: seen.append(redis.llen("queue:default"))

    tick_twice(declare(SLOW, JOBS, slow), only_connection, fake_clock)

    assert seen == [MANY]


def test_a_push_from_a_thread_of_a_callable_finds_the_connection_free(
    declare: Callable[..., Timetable], only_connection: Redis, redis: Redis, fake_clock: FakeClock
) -> None:
    waits: list[bool] = []

    def push_on_a_thread() -> None:
        thread = Thread(target=jobs.FetchNewsJob.perform_async, args=("by hand",))
        thread.start()
        thread.join(PATIENCE_SECONDS)
        waits.append(thread.is_alive())

    jobs.hooks["slow"] = push_on_a_thread

    tick_twice(declare(SLOW, JOBS, "every().minute.do(slow)\n"), only_connection, fake_clock)

    newest: Any = redis.lindex("queue:default", 0)
    assert (waits, json.loads(newest)["args"]) == ([False], ["by hand"])


def test_a_slow_condition_of_a_job_event_does_not_hold_up_what_fired_before_it(
    declare: Callable[..., Timetable], only_connection: Redis, redis: Redis, fake_clock: FakeClock
) -> None:
    seen: list[int] = []

    def take_a_second() -> bool:
        seen.append(redis.llen("queue:default"))
        fake_clock.advance(timedelta(seconds=1))
        return True

    jobs.hooks["slow"] = take_a_second
    lines = (
        "for n in range(3):\n    every().minute.if_(lambda due: slow()).do(FetchNewsJob, n).named(f'slow {n}')\n"
    )

    tick_twice(declare(SLOW, lines), only_connection, fake_clock)

    assert seen == [0, 1, 2]
