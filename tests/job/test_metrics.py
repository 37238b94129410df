from datetime import UTC, datetime
from typing import Any

import pytest
from redis import Redis

from clock import Discard, Job
from clock.errors import StoreError
from clock.job import Context
from clock.job.context import JobRun, Outcome
from clock.job.middleware.metrics import METRICS
from clock.testing import FakeClock

NOW = datetime(2026, 11, 24, 0, 7, tzinfo=UTC)


class BakeBreadJob(Job):
    def perform(self, outcome: str) -> None:
        if outcome == "burnt":
            raise RuntimeError(outcome)
        if outcome == "cancelled":
            raise Discard(outcome)


def bake(outcome: Outcome, ms: int) -> None:
    METRICS.note(JobRun({"class": "BakeBreadJob"}, "default", outcome, ms / 1000))


def counters(redis: Redis, key: str) -> list[int]:
    words = [word for bucket in range(26) for word in ("GET", "u16", f"#{bucket}")]
    found: Any = redis.execute_command("BITFIELD", key, *words)  # type: ignore[no-untyped-call]  # untyped there
    return list(found)


def test_runs_are_flushed_as_sidekiq_writes_them(redis: Redis) -> None:
    runs: list[tuple[Outcome, int]] = [
        ("done", 10),
        ("done", 19),
        ("done", 20),
        ("failed", 500),
        ("dropped", 5),
        ("unfit", 5),
    ]
    for outcome, ms in runs:
        bake(outcome, ms)

    METRICS.flush(redis, NOW)

    figures = {b"BakeBreadJob|p": b"4", b"BakeBreadJob|f": b"1", b"BakeBreadJob|ms": b"49"}
    assert redis.hgetall("j|261124|0:07") == figures
    assert redis.hgetall("j|261124|0:0") == figures
    assert redis.ttl("j|261124|0:07") == 28_800
    assert redis.ttl("j|261124|0:0") == 259_200
    assert counters(redis, "h|BakeBreadJob-24-0:7") == [2, 1] + [0] * 24
    assert redis.ttl("h|BakeBreadJob-24-0:7") == 28_800


def test_figures_add_up_and_begin_anew_after_each_flush(redis: Redis) -> None:
    for _ in range(2):
        bake("done", 10)
        METRICS.flush(redis, NOW)
    METRICS.flush(redis, NOW)

    assert redis.hget("j|261124|0:07", "BakeBreadJob|p") == b"2"


def test_figures_are_kept_while_redis_is_away(redis: Redis, redis_away: Redis) -> None:
    bake("done", 400_000)

    with pytest.raises(StoreError):
        METRICS.flush(redis_away, NOW)
    METRICS.flush(redis, NOW)

    assert redis.hget("j|261124|0:07", "BakeBreadJob|ms") == b"400000"
    assert counters(redis, "h|BakeBreadJob-24-0:7")[-1] == 1


def test_expired_jobs_are_counted_by_class(redis: Redis) -> None:
    with pytest.raises(Discard):
        BakeBreadJob.run(Context({"args": ["fine"], "expires_at": 1.0}, clock=FakeClock(NOW)))

    METRICS.flush(redis, NOW)

    assert redis.hgetall("clock:expired") == {b"BakeBreadJob": b"1"}
    assert redis.keys("j|*") == []
