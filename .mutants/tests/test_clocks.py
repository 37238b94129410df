from datetime import UTC, datetime, timedelta

import pytest

from clock.clocks import Correction, ServerClock, SystemClock
from clock.testing import FakeClock

SIX = datetime(2026, 11, 24, 6, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def machine() -> FakeClock:
    return FakeClock(SIX)


@pytest.mark.parametrize("hours", [-1, 1])
def test_setting_the_machines_clock_moves_the_time_nowhere(machine: FakeClock, hours: int) -> None:
    clock = ServerClock(machine)

    machine.travel_to(SIX + timedelta(hours=hours))
    machine.advance(3 * SECOND)

    assert clock.now() == SIX + 3 * SECOND
    assert clock.correct(SIX + 3 * SECOND, clock.monotonic()).skew == timedelta(hours=hours)


def test_the_servers_time_is_taken_over_with_half_of_the_journey_added(machine: FakeClock) -> None:
    clock = ServerClock(machine)
    asked = clock.monotonic()
    machine.advance(timedelta(milliseconds=20))

    correction = clock.correct(SIX + 10 * SECOND, asked)

    assert correction.moved == timedelta(seconds=9, milliseconds=990)
    assert clock.now() == SIX + 10 * SECOND + timedelta(milliseconds=10)


def test_what_the_journey_may_explain_is_no_difference(machine: FakeClock) -> None:
    clock = ServerClock(machine)
    asked = clock.monotonic()
    machine.advance(timedelta(milliseconds=20))

    assert clock.correct(SIX + timedelta(milliseconds=5), asked).moved == timedelta(0)
    assert clock.now() == SIX + timedelta(milliseconds=20)


def test_a_clock_that_was_suspended_is_right_again_after_the_next_look(machine: FakeClock) -> None:
    """While a machine is suspended its monotonic clock stands still."""
    clock = ServerClock(machine)
    machine.travel_to(SIX + timedelta(hours=2))

    correction = clock.correct(SIX + timedelta(hours=2), clock.monotonic())

    assert clock.now() == SIX + timedelta(hours=2)
    assert correction.skew == timedelta(0)


def test_the_system_clock_follows_the_server_by_its_offset() -> None:
    clock = SystemClock()
    ahead = clock.now() + timedelta(hours=1)

    correction = clock.correct(ahead, clock.monotonic())

    assert timedelta(minutes=59) < clock.offset == correction.moved == -correction.skew <= timedelta(hours=1)


def test_a_fake_clock_does_not_follow_the_server(machine: FakeClock) -> None:
    assert machine.correct(SIX + timedelta(hours=1), machine.monotonic()) == Correction()
    assert machine.now() == SIX
