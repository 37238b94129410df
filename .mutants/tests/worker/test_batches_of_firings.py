"""A batch that an event of the clock file opens: written with the firing, run by a worker, each callback once."""

import textwrap
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from clock import Job, Limit, Unique
from clock.job.push.client import using_clock
from clock.store import keys
from clock.store.jobs.delayed import Delayed
from clock.store.jobs.flow import batches
from clock.store.ledger.ledger import RedisLedger
from clock.testing import FakeClock
from clock.ticker import Signature, Ticker
from clock.timetable import load
from tests.job.redis_rows import waiting
from tests.worker import jobs
from tests.worker.conftest import Bench

Build = Callable[..., Bench]
Tick = Callable[[], None]
SIX = datetime(2026, 11, 25, 6, tzinfo=UTC)


class FiredRowJob(Job):
    limits = Limit("rows", 1)

    def perform(self, row: int) -> None:
        jobs.note(self.jid, ("row", row))


class FiredOnceJob(Job):
    unique = Unique()

    def perform(self) -> None:
        jobs.note(self.jid, "once")


class FiredReportJob(Job):
    def perform(self, what: str) -> None:
        jobs.note(self.jid, what)


FILE = """\
from clock import Batch, configure, every
from tests.worker.test_batches_of_firings import FiredOnceJob, FiredReportJob, FiredRowJob

configure(tz="UTC")


def import_rows(parent=None):
    callbacks = {"on_" + name: FiredReportJob.signature(name) for name in ("success", "complete", "death")}
    with Batch(**callbacks, parent=parent, description="import"):
        for row in range(3):
            FiredRowJob.perform_async(row)
        FiredRowJob.set(then=FiredReportJob.signature("then")).perform_in(60, 3)
        FiredOnceJob.perform_async()
        FiredOnceJob.perform_async()


"""


@pytest.fixture
def start(redis: Redis, fake_clock: FakeClock, tmp_path: Path) -> Iterator[Callable[[str], Tick]]:
    """Start two clocks with such an event; the function lets both look."""

    def begin(lines: str) -> Tick:
        path = tmp_path / "clock.py"
        path.write_text(FILE + textwrap.dedent(lines))
        tickers = [
            Ticker(load(path), ledger=RedisLedger(redis), clock=fake_clock, signature=Signature(host, "v1"))
            for host in ("web1", "web2")
        ]

        def tick() -> None:
            for ticker in tickers:
                ticker.tick()

        tick()
        fake_clock.advance(SIX - fake_clock.now())
        return tick

    with using_clock(fake_clock):
        yield begin


def run_everything(worker: Bench, redis: Redis) -> None:
    for _ in range(15):
        rows: Any = redis.zrange(keys.SCHEDULE, 0, -1)
        Delayed(redis).release(keys.SCHEDULE, [(row, "default", row) for row in rows])
        freed: Any = redis.zrange(keys.FREED, 0, -1)
        Delayed(redis).release(keys.FREED, [(row, "default", row) for row in freed])
        worker.fetcher.claim(1)
        while worker.fetcher.handoff:
            worker.processor.process(worker.take())


def reports() -> list[str]:
    return sorted(what for _, what in jobs.ran if isinstance(what, str))


def test_a_firing_pushes_its_batch_and_each_callback_is_pushed_once(
    bench: Build, redis: Redis, start: Callable[[str], Tick]
) -> None:
    tick = start('every().day.at("06:00").do(import_rows).named("nightly")\n')
    tick()
    tick()
    [(bid, opened)] = batches_of(redis)
    assert opened == ("sealed", (5, 0, 0))
    assert {row["bid"] for row in waiting(redis)} == {bid}
    entries: list[Any] = list(RedisLedger(redis).history("nightly"))
    [(kept_out, holder)] = entries[0]["kept_out"].items()
    assert len(entries) == 1
    assert {kept_out, holder} < set(entries[0]["jids"])

    run_everything(bench(), redis)

    assert reports() == ["complete", "once", "success", "then"]
    assert sorted(what[1] for _, what in jobs.ran if isinstance(what, tuple)) == [0, 1, 2, 3]
    assert batches_of(redis)[0][1][0] == "done"
    left = (keys.UNIQUE, "clock:limit_holders", "clock:limit_places", "clock:limit_reserved", keys.BLOCKED)
    assert [key for key in left if redis.exists(key)] == []


def test_a_worker_that_dies_with_jobs_of_a_firing_delays_its_callbacks_only(
    bench: Build, redis: Redis, start: Callable[[str], Tick], fake_clock: FakeClock
) -> None:
    start('every().day.at("06:00").do(import_rows).named("nightly")\n')()
    dying = bench("host:2:def", concurrency=3)
    dying.fetcher.claim(3)
    assert dying.in_progress.all()
    fake_clock.advance(timedelta(minutes=5))

    dying.fetcher.give_back_all()
    run_everything(bench(), redis)

    assert reports() == ["complete", "once", "success", "then"]


def test_a_firing_whose_parent_is_unknown_opens_its_batch_without_it(
    bench: Build, redis: Redis, start: Callable[[str], Tick], caplog: pytest.LogCaptureFixture
) -> None:
    start('every().day.at("06:00").do(lambda: import_rows("nowhere")).named("nightly")\n')()

    run_everything(bench(), redis)

    assert reports() == ["complete", "once", "success", "then"]
    assert "nowhere" in caplog.text


def batches_of(redis: Redis) -> list[tuple[str, tuple[str, tuple[int, ...]]]]:
    found: Any = redis.hkeys(keys.BATCHES)
    bids = [name.decode() for name in found]
    stored = [batches.read(redis, bid) for bid in bids]
    counts = batches.count(redis, bids)
    return [
        (bid, (one.state, tuple(count)))
        for bid, one, count in zip(bids, stored, counts, strict=True)
        if one is not None
    ]
