import threading
from datetime import UTC, datetime, timedelta

import pytest

from clock.testing import FakeClock
from tests.patience import PATIENCE_SECONDS

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def waiting(clock: FakeClock, seconds: float, woken: list[float]) -> threading.Thread:
    """A thread that waits on the clock and notes when it woke."""

    def wait() -> None:
        clock.wait(threading.Event(), seconds)
        woken.append(clock.monotonic())

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_time_passes_only_when_it_is_told_to() -> None:
    clock = FakeClock(NOON)

    clock.advance(timedelta(seconds=90))

    assert (clock.now(), clock.monotonic()) == (NOON + timedelta(seconds=90), 90.0)


def test_a_waiter_wakes_when_its_time_has_come_and_not_before() -> None:
    clock = FakeClock(NOON)
    woken: list[float] = []
    late, early = waiting(clock, 5, woken), waiting(clock, 1, woken)
    clock.block_until(2)

    clock.advance(timedelta(seconds=2))
    early.join(PATIENCE_SECONDS)
    assert (woken, late.is_alive()) == ([2.0], True)

    clock.advance(timedelta(seconds=4))
    late.join(PATIENCE_SECONDS)
    assert woken == [2.0, 6.0]


@pytest.mark.parametrize("seconds", [3.1234564, 1.1, 0.1 + 0.2, 1e-7])
def test_running_stops_where_somebody_waits_for_no_whole_microsecond(seconds: float) -> None:
    clock = FakeClock(NOON)
    woken: list[float] = []
    thread = waiting(clock, seconds, woken)
    clock.block_until(1)

    clock.run_for(timedelta(seconds=10))
    thread.join(PATIENCE_SECONDS)

    assert len(woken) == 1
    assert clock.monotonic() == 10.0


def test_who_waits_wakes_when_just_that_time_has_passed() -> None:
    for tenths in range(1, 100):
        clock = FakeClock(NOON)
        clock.advance(timedelta(seconds=tenths / 7))
        thread = waiting(clock, tenths / 10, [])
        clock.block_until(1)

        clock.advance(timedelta(seconds=tenths / 10))
        thread.join(PATIENCE_SECONDS)

        assert not thread.is_alive()


def test_time_does_not_pass_backwards() -> None:
    clock = FakeClock(NOON)

    for let_pass in (clock.advance, clock.run_for):
        with pytest.raises(ValueError, match="time cannot go back by"):
            let_pass(timedelta(seconds=-1))
    assert (clock.now(), clock.monotonic()) == (NOON, 0.0)


def test_a_set_stop_ends_a_wait() -> None:
    stop = threading.Event()
    stop.set()

    assert FakeClock(NOON).wait(stop, 3600)


def test_setting_the_wall_clock_shortens_no_wait() -> None:
    clock = FakeClock(NOON)

    clock.travel_to(NOON + timedelta(days=1))

    assert clock.now() == NOON + timedelta(days=1)
    assert clock.monotonic() == 0.0


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="has no zone"):
        FakeClock(datetime(2026, 11, 24))
    with pytest.raises(ValueError, match="has no zone"):
        FakeClock(NOON).travel_to(datetime(2026, 11, 24))


def test_a_test_that_waits_for_a_waiter_that_never_comes_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clock.rehearsal.fake_clock._PATIENCE_SECONDS", 0.01)

    with pytest.raises(TimeoutError, match="0 callers wait on the clock, not 1"):
        FakeClock(NOON).block_until(1)
