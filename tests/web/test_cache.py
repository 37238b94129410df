"""Results that the dashboard keeps: how long, and what an error or a change does to them."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from clock.rehearsal.fake_clock import FakeClock
from clock.web.cache import MOST_KEPT, Background, Cached
from tests.patience import PATIENCE_SECONDS, eventually
from tests.web.conftest import NOW


def test_an_old_result_stays_for_its_grace_if_it_cannot_be_refreshed() -> None:
    clock, is_broken, looked = FakeClock(NOW), threading.Event(), list[object]()

    def look() -> int:
        looked.append(None)
        if is_broken.is_set():
            raise RuntimeError("Redis is away")
        return len(looked)

    cached = Cached(look, 5.0, clock=clock, grace_seconds=60.0)
    assert cached() == 1
    is_broken.set()
    clock.advance(timedelta(seconds=10))

    assert cached() == 1
    eventually(lambda: cached._looking is None, "the end of the look")
    assert cached() == 1
    clock.advance(timedelta(seconds=60))
    with pytest.raises(RuntimeError, match="Redis is away"):
        cached()


def test_a_look_that_a_change_has_overtaken_is_thrown_away() -> None:
    clock, goes_on, values = FakeClock(NOW), threading.Event(), ["before", "too old", "after"]
    threads: list[threading.Thread] = []

    def look() -> str:
        value = values.pop(0)
        if value == "too old":
            threads.append(threading.current_thread())
            assert goes_on.wait(PATIENCE_SECONDS)
        return value

    cached = Cached(look, 5.0, clock=clock, grace_seconds=60.0)
    assert cached() == "before"
    clock.advance(timedelta(seconds=10))
    assert cached() == "before"
    eventually(lambda: threads, "the look on a thread")
    cached.forget()

    assert cached() == "after"
    goes_on.set()
    threads[0].join(PATIENCE_SECONDS)
    assert cached() == "after"


def test_an_error_that_is_computed_again_is_not_raised_in_the_meantime() -> None:
    clock, goes_on = FakeClock(NOW), threading.Event()
    goes_on.set()

    def compute(key: str) -> str:
        assert goes_on.wait(PATIENCE_SECONDS)
        raise ValueError(key)

    background = Background(compute, 60.0, clock=clock)
    with pytest.raises(ValueError, match="a"):
        background.get("a", PATIENCE_SECONDS)
    goes_on.clear()
    clock.advance(timedelta(seconds=61))

    assert background.get("a", 0.0) is None
    goes_on.set()


def test_only_the_latest_results_are_kept() -> None:
    computed: list[int] = []

    def compute(key: int) -> int:
        computed.append(key)
        return key

    background = Background(compute, 60.0, clock=FakeClock(NOW))
    for key in range(MOST_KEPT + 1):
        assert background.get(key, PATIENCE_SECONDS) == (key, 0.0)
    for key in (MOST_KEPT, 1, 0):
        assert background.get(key, PATIENCE_SECONDS) == (key, 0.0)

    assert computed == [*range(MOST_KEPT + 1), 0]
