from collections.abc import Callable
from datetime import timedelta

import pytest

from clock.store.server.client import client
from clock.store.server.connection import answers, connect
from clock.testing import FakeClock
from clock.worker.limits import STUCK_SECONDS, Watchdog
from tests.worker.conftest import Bench


@pytest.mark.parametrize(
    ("silent_seconds", "redis_answers", "stopping", "is_stuck"),
    [
        (STUCK_SECONDS - 1, True, False, False),
        (STUCK_SECONDS + 1, True, False, True),
        (STUCK_SECONDS + 1, False, False, False),  # Redis is away for all: that passes
        (STUCK_SECONDS + 1, True, True, False),  # a quiet worker fetches no more
    ],
)
def test_a_worker_is_stuck_when_it_alone_is_cut_off(
    bench: Callable[..., Bench],
    fake_clock: FakeClock,
    silent_seconds: float,
    redis_answers: bool,
    stopping: bool,
    is_stuck: bool,
) -> None:
    fetcher = bench().fetcher
    if stopping:
        fetcher.stop()

    fake_clock.advance(timedelta(seconds=silent_seconds))

    assert Watchdog(fetcher, redis_answers=lambda: redis_answers, clock=fake_clock).is_stuck() is is_stuck


def test_a_round_trip_of_fetching_shows_that_a_worker_is_not_stuck(
    bench: Callable[..., Bench], fake_clock: FakeClock
) -> None:
    fetcher = bench().fetcher
    fake_clock.advance(timedelta(seconds=STUCK_SECONDS + 1))

    fetcher.claim(1)

    assert not Watchdog(fetcher, redis_answers=lambda: True, clock=fake_clock).is_stuck()


def test_a_worker_that_was_stopped_as_a_whole_is_given_its_minute_anew(
    bench: Callable[..., Bench], fake_clock: FakeClock
) -> None:
    watchdog = Watchdog(bench().fetcher, redis_answers=lambda: True, clock=fake_clock)
    assert not watchdog.is_stuck()

    fake_clock.advance(timedelta(seconds=STUCK_SECONDS + 1))
    assert not watchdog.is_stuck()

    for _ in range(round(STUCK_SECONDS)):
        fake_clock.advance(timedelta(seconds=1))
        assert not watchdog.is_stuck()
    fake_clock.advance(timedelta(seconds=1))
    assert watchdog.is_stuck()


@pytest.mark.parametrize(("gap", "is_stuck"), [(10, True), (10.5, False)])
def test_a_gap_of_more_than_ten_seconds_means_that_the_process_was_stopped(
    bench: Callable[..., Bench], fake_clock: FakeClock, gap: float, is_stuck: bool
) -> None:
    watchdog = Watchdog(bench().fetcher, redis_answers=lambda: True, clock=fake_clock)

    stuck = []
    for _ in range(7):
        stuck.append(watchdog.is_stuck())
        fake_clock.advance(timedelta(seconds=gap))

    assert stuck[:6] == [False] * 6
    assert watchdog.is_stuck() is is_stuck


def test_redis_is_asked_over_a_connection_of_its_own(redis_url: str) -> None:
    redis = connect(redis_url, max_connections=1)
    held = redis.connection_pool.get_connection()

    try:
        assert answers(redis)
    finally:
        redis.connection_pool.release(held)
        redis.close()


def test_a_server_that_is_away_does_not_answer(free_port: int) -> None:
    redis = client(f"redis://127.0.0.1:{free_port}", 1)

    assert not answers(redis)
