import asyncio
import json
import time
from datetime import UTC, date, datetime
from typing import Any

import pytest
from redis import Redis

from clock import api
from clock.api.objects import instant
from clock.errors import JobError
from clock.store.ledger.clock_register import ClockRegister
from tests.api.conftest import Payload

NOW = time.time()


@pytest.fixture
def sidekiq(redis: Redis, payload: Payload) -> str:
    """A process of Sidekiq that runs one job."""
    identity = "web1:42:c0ffee"
    redis.sadd("processes", identity)
    info = {"hostname": "web1", "started_at": NOW, "concurrency": 5, "queues": ["default"], "identity": identity}
    redis.hset(identity, mapping={"info": json.dumps(info), "busy": 1, "beat": NOW, "quiet": "false", "rss": 1000})
    report = {"queue": "default", "payload": payload("busy").decode(), "run_at": int(NOW) - 60}
    redis.hset(f"{identity}:work", mapping={"t1": json.dumps(report), "t2": "no json", "t3": "[]"})
    return identity


def test_workers_tell_which_jobs_run(sidekiq: str) -> None:
    workers = api.Workers()

    [busy] = workers.busy()

    assert [worker.identity for worker in workers] == [sidekiq]
    assert (busy.worker, busy.thread, busy.queue, busy.job.jid) == (sidekiq, "t1", "default", "busy")
    assert busy.since == int(NOW) - 60


@pytest.mark.parametrize(("ask", "signal"), [("quiet", b"TSTP"), ("stop", b"TERM"), ("dump", b"TTIN")])
def test_a_worker_is_asked_by_its_identity_or_with_all_others(
    redis: Redis, sidekiq: str, ask: str, signal: bytes
) -> None:
    workers = api.Workers()

    asked = [getattr(workers, ask)("nobody"), getattr(workers, ask)(sidekiq), getattr(workers, ask)()]

    assert asked == [[], [sidekiq], [sidekiq]]
    assert redis.lrange(f"{sidekiq}-signals", 0, -1) == [signal, signal]


def test_counters_are_told_for_now_and_by_day_and_set_back(redis: Redis, sidekiq: str, payload: Payload) -> None:
    today = time.strftime("%Y-%m-%d", time.gmtime())
    redis.mset({"stat:processed": 30, "stat:failed": 4, f"stat:processed:{today}": 7, f"stat:failed:{today}": 2})
    redis.sadd("queues", "default")
    redis.lpush("queue:default", payload("a", enqueued_at=NOW - 5), payload("b"))
    redis.zadd("dead", {payload("c"): NOW})
    stats = api.Stats()

    now, days = stats.now(), stats.history(3)
    stats.reset("failed")

    assert (now.processed, now.failed, now.enqueued, now.dead, now.busy, now.workers) == (30, 4, 2, 1, 1, 1)
    assert now.latency >= 5
    assert [(day.processed, day.failed) for day in days] == [(7, 2), (0, 0), (0, 0)]
    assert days[0].date.isoformat() == today
    assert (stats.now().processed, stats.now().failed) == (30, 0)
    assert stats.history(1)[0].failed == 2


def test_an_unknown_counter_and_a_span_of_no_days_are_refused(redis: Redis) -> None:
    with pytest.raises(JobError, match="unknown counter 'runs'; known are processed, failed"):
        api.Stats().reset("runs")  # type: ignore[arg-type]
    with pytest.raises(JobError, match=r"unknown counter \[\]; known are processed, failed"):
        api.Stats().reset([])  # type: ignore[arg-type]


WRONG_DAYS: list[tuple[Any, str]] = [(0, "0"), ("x", "'x'"), (1.5, "1.5"), (True, "True")]


@pytest.mark.parametrize(("days", "shown"), WRONG_DAYS)
def test_a_wrong_number_of_days_is_refused(redis: Redis, days: Any, shown: str) -> None:
    with pytest.raises(JobError, match=f"days is {shown}; it must be a whole number, 1 to 1830"):
        api.Stats().history(days)


@pytest.mark.parametrize("until", ["2026-11-29", date.min, datetime(2026, 11, 29, tzinfo=UTC)])
def test_a_wrong_last_day_is_refused(redis: Redis, until: Any) -> None:
    with pytest.raises(JobError, match=r"until is .*; it must be a date from 1970 on"):
        api.Stats().history(until=until)


def test_clocks_are_listed_with_the_leader_first(redis: Redis) -> None:
    for identity in ("web1:1:a", "web2:1:b"):
        ClockRegister(redis).beat(identity, {"host": identity[:4], "release": "v7"}, now=instant(), seconds=60)
    redis.hset("clock:lease", mapping={"identity": "web2:1:b", "release": "v7"})

    found = list(api.Clocks())

    assert [(clock.identity, clock.leads) for clock in found] == [("web2:1:b", True), ("web1:1:a", False)]
    assert asyncio.run(api.Clocks().aliving()) == found
