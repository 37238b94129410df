from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import pytest
from redis import Redis

from clock.problems import Problems
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.moves import Claimed
from clock.testing import FakeClock
from clock.worker.fetching.fetcher import Fetcher
from clock.worker.options import Queue, WorkerOptions
from clock.worker.running.job_log import record_outcome
from clock.worker.running.job_moves import JobMoves
from clock.worker.running.processor import Processor
from tests.worker import jobs

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)


@pytest.fixture
def fake_clock() -> FakeClock:
    jobs.ran.clear()
    return FakeClock(NOW)


@dataclass
class Bench:
    """A worker's parts without its threads: `run_all` runs what waits."""

    fetcher: Fetcher
    processor: Processor
    in_progress: InProgress
    moves: JobMoves
    redis: Redis

    def take(self) -> Claimed:
        """The next job, as a thread of the worker gets it."""
        if not self.fetcher.handoff:
            self.fetcher.claim(1)
        job = self.fetcher.take(self.fetcher.slots[0])
        assert job is not None
        return job

    def run_all(self) -> int:
        """How many ran. Jobs that a limit or a rate holds back are left."""
        count = 0
        while self.redis.llen("queue:default") or self.redis.llen("queue:low"):
            if not self.fetcher.handoff:
                self.fetcher.claim(1)
            if not self.fetcher.handoff:
                break
            self.processor.process(self.take())
            count += 1
        self.fetcher.acknowledge()
        return count


@pytest.fixture
def bench(redis: Redis, fake_clock: FakeClock) -> Callable[..., Bench]:
    def build(identity: str = "host:1:abc", concurrency: int = 1) -> Bench:
        options = WorkerOptions((Queue("default"), Queue("low")), concurrency)
        in_progress = InProgress(redis, identity)
        fetcher = Fetcher(in_progress, options=options, clock=fake_clock)
        moves = JobMoves(in_progress, fetcher.claims, clock=fake_clock)
        record = partial(record_outcome, redis, fake_clock, Problems(clock=fake_clock))
        return Bench(
            fetcher,
            Processor(fetcher.slots[0], fetcher, moves, clock=fake_clock, listeners=[record]),
            in_progress,
            moves,
            redis,
        )

    return build
