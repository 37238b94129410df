"""Very many events: all due at one instant, one due among a hundred thousand, and their ledger at a take-over.

    python benchmarks/many_events.py [--profile] [COUNT ...]

The clock file is loaded, and the production ticker ticks on a real Valkey, on a clock that the benchmark moves.
What it prints is the time from the look at the due instant to the last job in Redis.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from redis import Redis

from benchmarks.faults.server import quiet_redis
from clock.clocks import SystemClock
from clock.job.push.client import using_clock
from clock.store.ledger.decision import Decision, Verdict, Verdicts
from clock.store.ledger.ledger import RedisLedger
from clock.store.ledger.next_due import Publication
from clock.testing import FakeClock
from clock.ticker import Signature, Ticker
from clock.timetable import Timetable, load

SIX = datetime(2026, 11, 24, 6, tzinfo=UTC)
HEAD = """
from clock import Job, configure, every
class CountJob(Job):
    def perform(self, number): ...
configure(tz="UTC")
"""


def seconds_to_commit(ticker: Ticker, ledger: TimedLedger) -> float:
    """How long it takes from the look to the last job in Redis."""
    started = SystemClock().monotonic()
    ticker.tick()
    return ledger.committed_at - started


DAILY = """
for n in range({count}):
    every().day.at("06:00").do(CountJob, n).named(f"e{{n}}")
"""


class TimedLedger(RedisLedger):
    """A ledger that notes when it has last committed anything."""

    committed_at = 0.0

    def begin(self, decisions: Sequence[Decision], publication: Publication | None = None) -> Verdicts:
        """Commit, and look at the clock when it is done."""
        verdicts = super().begin(decisions, publication)

        def timed() -> list[Verdict]:
            found = verdicts()
            self.committed_at = SystemClock().monotonic()
            return found

        return timed


def ticker_of(timetable: Timetable, ledger: RedisLedger, clock: FakeClock) -> Ticker:
    """A clock that has read its ledger."""
    ticker = Ticker(timetable, ledger=ledger, clock=clock, signature=Signature("here", "v1"))
    ticker.tick()
    return ticker


def all_at_once(folder: Path, redis: Redis, count: int, *, profile: bool) -> float:
    """Seconds until `count` events that are due at one instant are all enqueued."""
    file = folder / "clock.py"
    file.write_text(HEAD + DAILY.format(count=count))
    redis.flushall()
    ledger = TimedLedger(redis)
    clock = FakeClock(SIX - timedelta(seconds=10))
    with using_clock(clock):
        ticker = ticker_of(load(file), ledger, clock)
        clock.travel_to(SIX)
        profiler = cProfile.Profile()
        if profile:
            profiler.enable()
        took = seconds_to_commit(ticker, ledger)
        profiler.disable()
    assert redis.llen("queue:default") == count
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(30)
    return took


def one_of_many(folder: Path, redis: Redis, count: int, rounds: int = 200) -> float:
    """Median of the seconds that one due event takes among `count` declared ones, its push to Redis included."""
    file = folder / "clock.py"
    file.write_text(HEAD + DAILY.format(count=count) + 'every(1).seconds.do(CountJob, 1).named("often")\n')
    redis.flushall()
    ledger = TimedLedger(redis)
    clock = FakeClock(SIX - timedelta(hours=3))
    with using_clock(clock):
        ticker = ticker_of(load(file), ledger, clock)
        took = []
        for _ in range(rounds):
            clock.advance(timedelta(seconds=1))
            took.append(seconds_to_commit(ticker, ledger))
    assert redis.llen("queue:default") == rounds
    return sorted(took)[rounds // 2]


def take_over(folder: Path, redis: Redis, count: int) -> float:
    """Seconds that a clock takes to read the ledger of `count` events, which another clock has declared."""
    file = folder / "clock.py"
    file.write_text(HEAD + DAILY.format(count=count))
    redis.flushall()
    clock = FakeClock(SIX - timedelta(hours=3))
    timetable = load(file)
    ticker_of(timetable, RedisLedger(redis), clock)
    started = SystemClock().monotonic()
    ticker_of(timetable, RedisLedger(redis), clock)
    return SystemClock().monotonic() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, quiet_redis(Path(name)) as redis:
        folder = Path(name)
        for count in options.counts:
            took = all_at_once(folder, redis, count, profile=options.profile)
            print(f"{count:7} events due at one instant: all enqueued after {took * 1000:.0f} ms")
        count = max(options.counts)
        print(f"one due of {count} declared: {one_of_many(folder, redis, count) * 1000:.3f} ms with its push")
        print(f"the ledger of {count} events: read after {take_over(folder, redis, count) * 1000:.0f} ms")


if __name__ == "__main__":
    main()
