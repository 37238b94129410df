"""Firing an event at a user's request: what an action that ends the program means for the caller."""

from collections.abc import Callable

import pytest
from redis import Redis

from clock.clocks import to_ms
from clock.errors import ActionFailed, StoreError
from clock.store.ledger.held_pushes import jid_of
from clock.store.ledger.ledger import RedisLedger
from clock.testing import FakeClock
from clock.ticker.requested_runs import ManualRun, fire_manually
from clock.timetable import Timetable
from tests.ticker import jobs

ACT = "from tests.ticker.jobs import slow\nevery().minute.do(slow).named('a')\n"
Fire = Callable[[], ManualRun]


@pytest.fixture
def fire(declare: Callable[..., Timetable], redis: Redis, fake_clock: FakeClock) -> Fire:
    timetable = declare(ACT)
    [event] = timetable.events
    return lambda: fire_manually(timetable, event, ledger=RedisLedger(redis), clock=fake_clock)


def raising(error: BaseException) -> Callable[[], object]:
    def fail() -> None:
        jobs.FetchNewsJob.perform_async("half")
        raise error

    return fail


def test_ctrl_c_during_the_action_ends_the_caller(fire: Fire, redis: Redis) -> None:
    jobs.hooks["slow"] = raising(KeyboardInterrupt())

    with pytest.raises(KeyboardInterrupt):
        fire()

    assert not redis.exists("queue:default")


@pytest.mark.parametrize("error", [SystemExit(3), RuntimeError("no network")])
def test_an_action_that_fails_or_exits_ends_the_run_only(fire: Fire, redis: Redis, error: BaseException) -> None:
    jobs.hooks["slow"] = raising(error)

    with pytest.raises(ActionFailed):
        fire()

    assert not redis.exists("queue:default")
    assert list(RedisLedger(redis).history("a")) == []


def test_the_jobs_of_the_action_are_pushed_and_recorded(fire: Fire, redis: Redis, fake_clock: FakeClock) -> None:
    jobs.hooks["slow"] = lambda: jobs.FetchNewsJob.perform_async("news")

    run = fire()

    assert list(run.jids) == [jid_of("a", to_ms(fake_clock.now()), 0)]
    [record] = RedisLedger(redis).history("a")
    assert (record["decision"], record["jids"]) == ("manual", list(run.jids))


def test_a_key_of_another_type_is_an_error(fire: Fire, redis: Redis) -> None:
    redis.set("queue:default", "in the way")
    jobs.hooks["slow"] = lambda: jobs.FetchNewsJob.perform_async("news")

    with pytest.raises(StoreError, match="wrong type"):
        fire()
