import textwrap
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis

from clock.job.push.client import using_clock
from clock.store.ledger.ledger import RedisLedger
from clock.testing import FakeClock
from clock.ticker import Signature, Ticker
from clock.timetable import Timetable, load

START = datetime(2026, 11, 24, 5, 59, 50, tzinfo=UTC)


@pytest.fixture
def fake_clock() -> Iterator[FakeClock]:
    clock = FakeClock(START)
    with using_clock(clock):
        yield clock


@pytest.fixture
def declare(tmp_path: Path) -> Callable[..., Timetable]:
    """Load a clock file of these lines."""

    def load_lines(*parts: str) -> Timetable:
        path = tmp_path / "clock.py"
        path.write_text(
            "from datetime import timedelta\n"
            "from clock import configure, cron, error_handler, every, handler, on\n"
            "from tests.ticker.jobs import FetchNewsJob, ran\n"
            "configure(tz='UTC')\n" + "".join(map(textwrap.dedent, parts))
        )
        return load(path)

    return load_lines


@pytest.fixture
def start(redis: Redis, fake_clock: FakeClock) -> Callable[..., Ticker]:
    """A clock that has looked once, as at its start."""

    def begin(timetable: Timetable, host: str = "web1") -> Ticker:
        ticker = Ticker(timetable, ledger=RedisLedger(redis), clock=fake_clock, signature=Signature(host, "v1"))
        ticker.tick()
        return ticker

    return begin


class Rounds(FakeClock):
    """A clock for loops without a thread: each wait passes its time, and the loop ends after `rounds`."""

    def __init__(self, rounds: int) -> None:
        super().__init__(START)
        self._rounds = rounds
        self.waits: list[float] = []

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        self.waits.append(seconds)
        self.advance(timedelta(seconds=seconds))
        return stop.is_set() or len(self.waits) > self._rounds
