import json
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from redis import Redis

from clock import client_middleware
from clock.store.ledger.ledger import RedisLedger
from clock.testing import FakeClock
from clock.ticker import ActionMode, Signature, Ticker
from clock.ticker.firing.decisions import decision_of
from clock.ticker.firing.prepared_firings import LOOK, PreparedFirings
from clock.ticker.firing.run_event import carry_out
from clock.ticker.planning.catch_up import Due
from clock.timetable import Event, Timetable

SIX = datetime(2026, 11, 24, 6, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
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


@pytest.mark.parametrize(
    ("lines", "is_included"),
    [
        ("do(FetchNewsJob, 1)", True),
        ("do(print)", False),
        ("do(FetchNewsJob, 1).if_(lambda due: True)", False),
        ("do(FetchNewsJob, 1).overlap('skip')", False),
        ("do(FetchNewsJob, 1).thread()", False),
        ("do(FetchNewsJob, 1)\non('before_run')(print)", False),
        ("do(FetchNewsJob, 1)\non('after_run')(print)", False),
    ],
)
def test_a_firing_is_prepared_only_if_it_runs_no_code_of_the_users(
    declare: Callable[..., Timetable], fake_clock: FakeClock, lines: str, is_included: bool
) -> None:
    timetable, signature = declare(f"every().minute.{lines}\n"), Signature("web1", "v1")

    prepared = PreparedFirings(timetable, clock=fake_clock, signature=signature, mode=ActionMode())

    assert prepared.include(timetable.events[0]) is is_included


def test_a_prepared_decision_is_the_decision_of_a_firing_that_pushes_its_job_now(
    declare: Callable[..., Timetable], fake_clock: FakeClock
) -> None:
    timetable, signature = declare("every().minute.do(FetchNewsJob, 1).named('a')\n"), Signature("web1", "v1")
    prepared = PreparedFirings(timetable, clock=fake_clock, signature=signature, mode=ActionMode())
    due = Due(fake_clock.now(), fake_clock.now() - MINUTE, fake_clock.now() - MINUTE)
    fake_clock.advance(timedelta(milliseconds=7))
    triggered: list[tuple[Event, Due, datetime]] = []

    [made] = prepared.made(deque([(timetable.events[0], due)]), triggered, lambda: True)
    called = decision_of(
        timetable.events[0],
        due,
        carry_out(timetable, timetable.events[0], due),
        late=timedelta(milliseconds=7),
        signature=signature,
    )

    assert (json.loads(made.pushes[0].payload), made.pushes[0].queue) == (
        json.loads(called.pushes[0].payload),
        called.pushes[0].queue,
    )
    assert msgspec.structs.replace(made, pushes=(), detail=dict(made.detail)) == msgspec.structs.replace(
        called, pushes=(), detail=dict(called.detail)
    )
    assert triggered == [(timetable.events[0], due, fake_clock.now())]


def test_a_clock_that_loses_the_lead_builds_no_further_decisions(
    declare: Callable[..., Timetable], fake_clock: FakeClock
) -> None:
    timetable = declare(
        f"for n in range({LOOK + 1}):\n    every().day.at('06:00').do(FetchNewsJob, n).named(str(n))\n"
    )
    prepared = PreparedFirings(timetable, clock=fake_clock, signature=Signature("web1", "v1"), mode=ActionMode())
    due = Due(SIX, None, SIX - timedelta(days=1))
    to_fire, leads = deque((event, due) for event in timetable.events), iter([True, False])

    made = list(prepared.made(to_fire, [], lambda: next(leads)))

    assert [decision.event for decision in made] == [str(n) for n in range(LOOK)]
    assert [event.name for event, _ in to_fire] == [str(LOOK)]
