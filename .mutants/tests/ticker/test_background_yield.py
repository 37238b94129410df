import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from redis import Redis

from clock.store.ledger.ledger import RedisLedger
from clock.testing import FakeClock
from clock.ticker.background_yield import LONGEST_SECONDS, BackgroundYield
from clock.ticker.firing.own_commits import OwnCommits
from clock.ticker.planning.plan import Plan
from clock.timetable import Timetable
from tests.patience import PATIENCE_SECONDS

BEFORE_SIX = timedelta(seconds=9, milliseconds=990)  # the tests begin ten seconds before six


@pytest.fixture
def plan(declare: Callable[..., Timetable], redis: Redis, fake_clock: FakeClock) -> Plan:
    """A plan with one event, due at six."""
    plan = Plan(RedisLedger(redis), lambda _name: None, OwnCommits())
    plan.read(declare('every().day.at("06:00").do(FetchNewsJob, "x")').events, fake_clock.now())
    return plan


@pytest.fixture
def passed(plan: Plan, fake_clock: FakeClock) -> Callable[[], threading.Event]:
    """Go through an item of work on a thread beside the loop; what is set once that is done."""

    def begin() -> threading.Event:
        courtesy, done = BackgroundYield(plan, threading.Event(), clock=fake_clock), threading.Event()
        courtesy.begin()

        def work() -> None:
            list(courtesy.among([1]))
            done.set()

        threading.Thread(target=work, daemon=True).start()
        return done

    return begin


def test_work_beside_the_loop_goes_on_where_nothing_is_due_soon(passed: Callable[[], threading.Event]) -> None:
    assert passed().wait(PATIENCE_SECONDS)


def test_work_beside_the_loop_waits_until_what_is_due_has_been_taken(
    plan: Plan, passed: Callable[[], threading.Event], fake_clock: FakeClock
) -> None:
    fake_clock.advance(BEFORE_SIX)
    done = passed()
    fake_clock.block_until(1)
    waited = not done.is_set()

    fake_clock.advance(timedelta(milliseconds=10))
    plan.take_due(fake_clock.now())
    plan.to_fire.clear()
    plan.look_ahead()
    while not done.wait(0.01):
        fake_clock.advance(timedelta(milliseconds=5))

    assert waited


def test_work_beside_the_loop_does_not_wait_long_for_a_slow_action(
    passed: Callable[[], threading.Event], fake_clock: FakeClock
) -> None:
    fake_clock.advance(BEFORE_SIX)
    done = passed()
    fake_clock.block_until(1)

    fake_clock.advance(timedelta(seconds=LONGEST_SECONDS))
    while not done.wait(0.01):
        fake_clock.advance(timedelta(milliseconds=5))

    assert done.is_set()
