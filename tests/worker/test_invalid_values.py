"""Odd values in the keys that a worker reads: each affects only its own entry, and everything else goes on."""

import json
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from clock import Job
from clock.clocks import to_ms
from clock.errors import StoreError
from clock.inspection.status import status
from clock.job.middleware.metrics import METRICS
from clock.store import keys
from clock.store.jobs.delayed import Delayed, Nearer
from clock.store.jobs.worker_register import Beat, WorkerRegister
from clock.store.wrong_type import wrong_keys
from clock.testing import FakeClock
from clock.worker.maintenance.duties import ClockWatch
from clock.worker.maintenance.recovery import recover, unpark
from clock.worker.maintenance.scheduled import ScheduledJobs
from tests.examples import few_every_day
from tests.worker import jobs
from tests.worker.conftest import NOW, Bench
from tests.worker.jobs import NoteThingJob

Build = Callable[..., Bench]
MINUTE, DAY = "261124|6:00", "2026-11-24"

WRONG_TYPES: dict[str, Callable[[Redis, str], object]] = {
    "no UTF-8": lambda redis, key: redis.set(key, b"\xff\xfe"),
    "a list": lambda redis, key: redis.rpush(key, "x"),
    "a set": lambda redis, key: redis.sadd(key, "x"),
    "a hash": lambda redis, key: redis.hset(key, "x", "y"),
}
READ_BY_A_WORKER = [
    "stat:processed",
    f"stat:processed:{DAY}",
    "stat:failed",
    f"stat:failed:{DAY}",
    "queues",
    "queue:low",
    "processes",
    "clock:parked",
    "clock:parked:NoteThingJob",
    "clock:parked:Gone",
    "clock:running:dead:2:b",
    "clock:in_progress:dead:1:a",
    "clock:in_progress:evil",
    "clock:running:evil",
    "clock:running:dead:1:a",
    "evil",
    "host:1:abc-signals",
    "host:1:abc:work",
    "host:1:abc:workers",
    "clock:next_due",
    "clock:lease",
    "clock:outcomes:nightly",
    "clock:watched:nightly",
    "clock:history:nightly",
    f"j|{MINUTE}",
    f"j|{MINUTE[:-1]}",
    "h|NoteThingJob-24-6:0",
    "clock:expired",
    "clock:clocks",
    "clock:clock:c",
]


def payload(jid: str, thing: object, **more: object) -> str:
    job = {"class": "NoteThingJob", "args": [thing], "jid": jid, "queue": "default", "retry": True}
    return json.dumps({**job, **more})


@pytest.fixture
def busy(redis: Redis) -> None:
    fill(redis)


def fill(redis: Redis) -> None:
    """A queue with a job of an event, a delayed one, a parked one, and one of each of two dead workers."""
    redis.flushall()
    jobs.ran.clear()
    redis.sadd("queues", "default")
    redis.lpush("queue:default", payload("1", "queued", clock={"event": "nightly", "due": 1, "previous": None}))
    redis.zadd("schedule", {payload("2", "delayed"): NOW.timestamp() - 1})
    redis.sadd("clock:parked", "NoteThingJob")
    redis.lpush("clock:parked:NoteThingJob", payload("3", "parked"))
    for identity in ("dead:1:a", "dead:2:b", "evil"):
        redis.zadd(keys.WORKERS, {identity: to_ms(NOW) - 60_000})
    redis.hset("clock:in_progress:dead:1:a", "1", "default\n" + payload("4", "of the first"))
    redis.hset("clock:in_progress:dead:2:b", "1", "default\n" + payload("5", "of the second"))


def beat() -> Beat:
    info = {"concurrency": 1}
    return Beat(info, 1, NOW.timestamp(), 1, False, 1, {"t": {"queue": "q", "payload": "{}", "run_at": 1}}, 1.0)


def go_round(redis: Redis, build: Build) -> set[object]:
    """Do once all that a worker does; the things that its jobs noted."""
    processes, worker, fake_clock = WorkerRegister(redis), build(), FakeClock(NOW)
    processes.beat("host:1:abc", now=NOW, seconds=20)
    with suppress(StoreError):  # only what is shown of this worker is missing
        processes.describe("host:1:abc", beat())
    recover(redis, clock=fake_clock)
    unpark(Delayed(redis))
    ScheduledJobs(Delayed(redis), Nearer(redis), clock=fake_clock).poll()
    ClockWatch(redis, clock=fake_clock).look()
    while any(_length(redis, queue) for queue in ("queue:default", "queue:low")):
        worker.processor.process(worker.take())
    worker.fetcher.acknowledge()
    METRICS.flush(redis, NOW)
    assert redis.keys("clock:in_progress:host*") == []
    assert "the key" in seen(redis) or not wrong_keys(redis)
    processes.leave("host:1:abc")
    return {thing for _, thing in jobs.ran}


def seen(redis: Redis) -> str:
    """What `status` says is wrong."""
    try:
        return "\n".join(status(redis, NOW).problems)
    except StoreError as error:
        return str(error)


def _length(redis: Redis, key: str) -> int:
    try:
        return int(redis.llen(key))
    except ResponseError:
        return 0


THINGS = {"queued", "delayed", "parked", "of the first", "of the second"}
#: What is lost with the key itself, since another value was written over it.
OVERWRITTEN = {
    "clock:parked": {"parked"},
    "clock:parked:NoteThingJob": {"parked"},
    "clock:in_progress:dead:1:a": {"of the first"},
}


@pytest.mark.parametrize("key", few_every_day(READ_BY_A_WORKER, 5))
def test_a_key_of_a_wrong_type_stops_nothing_else(
    bench: Build, redis: Redis, fake_clock: FakeClock, key: str
) -> None:
    for kind, write in WRONG_TYPES.items():
        fill(redis)
        redis.delete(key)
        write(redis, key)

        assert go_round(redis, bench) >= THINGS - OVERWRITTEN.get(key, set()), kind


@pytest.mark.usefixtures("busy")
def test_odd_values_everywhere_at_once_stop_nothing_else(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    odd: list[Any] = [
        b"",
        b"abc",
        b"\xff\xfe",
        b"{",
        b"-1",
        b"9" * 400,
        b"1e999",
        b"NaN",
        b'{"a": NaN}',
        b"[" * 5_000,
    ]
    for value in odd:
        redis.hset("clock:in_progress:evil", value, value)
        redis.hset("clock:in_progress:dead:1:a", value, b"default\n" + value)
        redis.hset("clock:running:evil", value, value)
        redis.zadd(keys.WORKERS, {value: -(10**300)})
        redis.zadd("schedule", {value + b"!": float("-inf")})
        redis.zadd("retry", {value + b"?": 1e308})
        redis.sadd("processes", value)
        redis.sadd("queues", value)
        redis.sadd("clock:parked", value)
        redis.lpush("clock:parked:NoteThingJob", value)
        redis.xadd("clock:outcomes:nightly", {value or "x": value})
        redis.hset("clock:watched:nightly", value, value)
    redis.hset("clock:next_due", mapping={"event": b"\xff", "due": "soon"})
    redis.set("stat:processed", "9" * 25)
    redis.set("stat:failed", -(2**63))
    redis.lpush("host:1:abc-signals", b"\xff")

    assert go_round(redis, bench) >= THINGS


@pytest.mark.parametrize("value", ["abc", "9" * 25, "1.5", ""])
def test_a_counter_that_is_no_number_keeps_no_job_from_being_acknowledged_and_is_named(
    bench: Build, redis: Redis, value: str
) -> None:
    redis.set("stat:processed", value)
    NoteThingJob.perform_async(1)

    assert bench().run_all() == 1

    assert redis.keys("clock:in_progress:*") == []
    assert redis.get("stat:processed") == value.encode()
    assert redis.get(f"stat:processed:{DAY}") == b"1"
    [finding] = wrong_keys(redis)
    assert finding.key == "stat:processed"
    assert any("stat:processed" in problem for problem in status(redis, NOW).problems)


@pytest.mark.parametrize("key", ["retry", "dead", "clock:parked:GoneJob"])
def test_a_job_whose_next_place_has_a_wrong_type_stays_in_progress_and_its_thread_goes_on(
    bench: Build, redis: Redis, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    names = {"retry": "BreakThingJob", "clock:parked:GoneJob": "GoneJob"}
    job = {"class": names.get(key, ""), "args": [], "jid": "1", "queue": "default", "retry": True}
    redis.lpush("queue:default", json.dumps(job) if key in names else "no JSON")
    redis.set(key, "abc")
    worker = bench()

    worker.processor.process(worker.take())

    assert worker.fetcher.slots[0].job is None
    assert redis.hlen("clock:in_progress:host:1:abc") == 1
    assert "next steps of jobs" in caplog.text

    redis.delete(key)
    worker.moves.retry_refused()
    assert redis.keys("clock:in_progress:*") == []
    assert redis.exists(key)


def test_a_dead_workers_entry_that_no_worker_has_written_goes_to_dead_and_its_jobs_go_back(
    redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    redis.zadd(keys.WORKERS, {"dead:1:a": 1})
    redis.hset("clock:in_progress:dead:1:a", mapping={"abc": "x", "1": "default\n" + payload("1", 1)})

    assert recover(redis, clock=fake_clock) == 2

    rows: Any = redis.zrange("dead", 0, -1)
    assert [json.loads(row)["error_class"] for row in rows] == ["UnreadablePayload"]
    assert redis.llen("queue:default") == 1
    assert redis.zcard(keys.WORKERS) == 0
    assert "entry of another program" in caplog.text


def test_an_error_that_comes_back_is_logged_once_a_minute(
    redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    poller = ScheduledJobs(Delayed(redis), Nearer(redis), clock=fake_clock)
    redis.set("schedule", "abc")

    for _ in range(5):
        poller.poll()

    assert len(caplog.messages) == 1
    assert "delayed jobs in 'schedule'" in caplog.text


def test_a_page_of_jobs_that_cannot_be_moved_hides_none_behind_it(
    redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    redis.sadd("queue:evil", "x")
    for where in ("schedule", "retry"):
        redis.zadd(where, {payload(f"{where}-{n}", n, queue="evil"): -(10**9) + n for n in range(1_500)})
        redis.zadd(where, {payload(where, where): NOW.timestamp()})
    poller = ScheduledJobs(Delayed(redis), Nearer(redis), clock=fake_clock)

    assert poller.poll() == 2

    assert redis.llen("queue:default") == 2
    assert (redis.zcard("schedule"), redis.zcard("retry")) == (1_500, 1_500)
    assert "'queue:evil'" in caplog.text
    redis.config_resetstat()
    assert poller.poll() == 0  # they are left alone for a minute
    stats: Any = redis.info("commandstats")
    assert "cmdstat_evalsha" not in stats


class AnyJob(Job):
    """Has its own name only so that it can be parked."""

    def perform(self) -> None:
        """Do nothing."""


def test_a_parked_job_that_cannot_be_released_hides_none_behind_it(redis: Redis) -> None:
    redis.set("queue:evil", "abc")
    redis.sadd("clock:parked", "AnyJob")
    redis.lpush("clock:parked:AnyJob", *(json.dumps({"n": n, "queue": "evil"}) for n in range(700)))
    redis.lpush("clock:parked:AnyJob", "no JSON", json.dumps({"class": "AnyJob", "queue": "low"}))

    assert unpark(Delayed(redis)) == 2

    assert redis.llen("clock:parked:AnyJob") == 700
    assert redis.lrange("queue:default", 0, -1) == [b"no JSON"]
    assert redis.llen("queue:low") == 1
