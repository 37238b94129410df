"""The worker's clock follows Redis's, and a machine whose clock is off is reported."""

from datetime import datetime, timedelta

import pytest
from redis import Redis

from clock.clocks import SystemClock
from clock.problems import Problems
from clock.store.server.connection import server_time
from clock.testing import FakeClock
from clock.worker.maintenance.duties import follow_redis_time
from tests.worker.conftest import NOW

MINUTES = timedelta(minutes=5)


class Machine(SystemClock):
    """A machine whose wall clock is off by `ahead`."""

    def __init__(self, ahead: timedelta) -> None:
        super().__init__()
        self.ahead = ahead

    def now(self) -> datetime:
        return super().now() + self.ahead


@pytest.mark.parametrize(("ahead", "shown"), [(MINUTES, "+300.0 s"), (-MINUTES, "-300.0 s")])
def test_a_worker_on_a_machine_whose_clock_is_off_has_redis_s_time_and_reports_its_machine(
    redis: Redis, ahead: timedelta, shown: str
) -> None:
    machine, problems = Machine(ahead), Problems(clock=FakeClock(NOW))

    follow_redis_time(redis, clock=machine, part=problems.part("time"))

    assert abs(machine.now() - server_time(redis)) < MINUTES / 2
    [(problem, _)] = problems.lasting
    assert problem.text == (
        f"Local clock differs from Redis by {shown}. The worker uses Redis time, but your own code uses the local "
        "clock. Sync both with NTP (timedatectl)."
    )
    assert problems.blocking == []


def test_a_machine_whose_clock_is_right_is_not_reported(redis: Redis) -> None:
    problems = Problems(clock=FakeClock(NOW))

    follow_redis_time(redis, clock=Machine(timedelta()), part=problems.part("time"))

    assert list(problems.lasting) == []
