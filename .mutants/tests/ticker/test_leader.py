import logging
import threading
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from clock.clocks import ServerClock, SystemClock
from clock.errors import StoreUnavailable
from clock.store import keys
from clock.store.ledger.lease import Lease, Tenure
from clock.testing import FakeClock
from clock.ticker import Leader
from clock.ticker.leader import LEASE_SECONDS
from tests.patience import PATIENCE_SECONDS

SIX = datetime(2026, 11, 24, 6, tzinfo=UTC)


def leader(redis: Redis, name: str, clock: FakeClock | ServerClock | SystemClock) -> Leader:
    return Leader(Lease(redis, identity=name, release="v1", rank=1), identity=name, clock=clock)


def test_a_clock_leads_for_as_long_as_its_lease_holds(redis: Redis) -> None:
    clock = FakeClock(SIX)
    first, second = leader(redis, "a", clock), leader(redis, "b", clock)
    first.beat()
    second.beat()
    assert (first.leads, second.leads) == (True, False)

    clock.advance(timedelta(seconds=LEASE_SECONDS))

    assert not first.leads


def test_a_clock_that_cannot_reach_redis_leads_until_its_lease_runs_out(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock(SIX)
    first = leader(redis, "a", clock)
    first.beat()

    def fail(self: Lease, ttl_ms: int, *, leave_free: bool) -> Tenure:
        raise StoreUnavailable("away")

    monkeypatch.setattr(Lease, "take", fail)
    clock.advance(timedelta(seconds=LEASE_SECONDS - 1))
    first.beat()
    assert first.leads
    clock.advance(timedelta(seconds=1))
    first.beat()

    assert not first.leads


def test_a_leader_that_stops_wakes_the_next_one(redis: Redis) -> None:
    took_over = threading.Event()
    first = leader(redis, "a", SystemClock())
    lease = Lease(redis, identity="b", release="v1", rank=1)
    second = Leader(lease, identity="b", clock=SystemClock(), on_lead=took_over.set)
    first.start()
    second.start()

    first.stop()

    assert took_over.wait(PATIENCE_SECONDS)
    assert (first.leads, second.leads) == (False, True)
    second.stop()
    assert not redis.exists(keys.LEASE)


def test_every_change_of_the_lead_is_told_on_both_sides(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock(SIX)
    first, second = leader(redis, "a", clock), leader(redis, "b", clock)

    with caplog.at_level(logging.INFO):
        first.beat()
        second.beat()
        clock.advance(timedelta(seconds=LEASE_SECONDS))
        redis.delete(keys.LEASE)
        second.beat()
        first.beat()

    assert [record.getMessage() for record in caplog.records] == [
        "Became leader: a",
        "On standby: the leader is a",
        "Became leader: b",
        "Lost leadership to another clock: b",
    ]


def test_a_lease_that_redis_lost_goes_back_to_its_holder(redis: Redis) -> None:
    clock = FakeClock(SIX)
    first, second = leader(redis, "a", clock), leader(redis, "b", clock)
    first.beat()
    second.beat()

    redis.flushall()
    second.beat()
    first.beat()

    assert (first.leads, second.leads) == (True, False)


def test_a_lease_that_redis_lost_together_with_its_holder_is_taken_when_it_would_have_ended(redis: Redis) -> None:
    clock = FakeClock(SIX)
    first, second = leader(redis, "a", clock), leader(redis, "b", clock)
    first.beat()
    second.beat()

    redis.flushall()
    second.beat()
    clock.advance(timedelta(seconds=LEASE_SECONDS))
    second.beat()

    assert second.leads


def test_the_time_is_redis_s_and_a_machine_that_is_off_is_warned_about_once(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    machine = FakeClock(SIX)  # years away from the server's time
    clock = ServerClock(machine)
    first = leader(redis, "a", clock)
    tenure = Lease(redis, identity="a", release="v1", rank=1).take(60)
    monkeypatch.setattr(
        Lease, "take", lambda *_, **__: tenure
    )  # the server's time stands still, as the machine's does

    with caplog.at_level(logging.WARNING):
        first.beat()
        first.beat()

    assert clock.now() == tenure.server_time
    assert abs(tenure.server_time.timestamp() - redis.time()[0]) < 60
    [error] = caplog.records
    assert (error.levelno, "s. Events use Redis time" in error.getMessage()) == (
        logging.ERROR,
        True,
    )
