"""`before_tick` and `after_tick`: when they are called, and what an error in them changes."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from clock.testing import FakeClock
from clock.ticker.firing.tick_callbacks import TickCallbacks
from clock.timetable import Timetable
from tests.ticker import jobs
from tests.ticker.conftest import START

Declare = Callable[..., Timetable]
SECOND = timedelta(seconds=1)
BOTH = """
configure(sleep_timeout=5)
@on("before_tick")
def before(): ran.append("before")
@on("after_tick")
def after(): ran.append("after")
"""


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    jobs.ran.clear()


def tick_each_second(callbacks: TickCallbacks, clock: FakeClock, seconds: int) -> list[bool]:
    """Whether the clock may fire, at each second from now on."""
    answers = []
    for _ in range(seconds):
        answers.append(callbacks.begin(clock.now()))
        callbacks.end()
        clock.advance(SECOND)
    return answers


def test_both_are_called_at_the_start_and_then_every_sleep_timeout(
    declare: Declare, fake_clock: FakeClock
) -> None:
    callbacks = TickCallbacks(declare(BOTH))
    fake_clock.advance(timedelta(milliseconds=700))

    answers = tick_each_second(callbacks, fake_clock, 10)

    assert answers == [True] * 10
    assert jobs.ran == ["before", "after"] * 2
    assert callbacks.next_at == START + 10 * SECOND


def test_after_tick_alone_is_called_as_often(declare: Declare, fake_clock: FakeClock) -> None:
    callbacks = TickCallbacks(
        declare('configure(sleep_timeout=2)\n@on("after_tick")\ndef after(): ran.append("after")\n')
    )

    tick_each_second(callbacks, fake_clock, 6)

    assert jobs.ran == ["after"] * 3


def test_a_clock_without_them_fires_at_any_time_and_waits_for_none(
    declare: Declare, fake_clock: FakeClock
) -> None:
    callbacks = TickCallbacks(declare(""))

    assert tick_each_second(callbacks, fake_clock, 2) == [True, True]
    assert callbacks.next_at is None


def test_an_error_in_one_goes_to_the_error_handlers_and_changes_nothing_else(
    declare: Declare, fake_clock: FakeClock
) -> None:
    lines = """
        configure(sleep_timeout=5)
        @error_handler
        def report(error): ran.append(str(error))
        @on("before_tick")
        def before():
            if len(ran) > 2: raise RuntimeError("broken before")
            return False
        @on("after_tick")
        def after(): raise SystemExit("broken after")
        @on("after_tick")
        def second(): ran.append("second")
    """
    callbacks = TickCallbacks(declare(lines))

    answers = tick_each_second(callbacks, fake_clock, 11)

    assert answers == [False] * 11  # the last answer holds
    assert jobs.ran == ["broken after", "second"] * 2 + ["broken before", "broken after", "second"]
