import math
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from clock.errors import StoreUnavailable
from clock.store import keys
from clock.store.jobs.delayed import LOOK_SECONDS, STUCK_SECONDS, WAITING, Delayed, Nearer, earliest
from clock.testing import FakeClock
from clock.worker.maintenance.scheduled import BUSY_SECONDS, ScheduledJobs
from tests.patience import PATIENCE_SECONDS
from tests.worker.conftest import NOW
from tests.worker.jobs import NoteThingJob

FOREVER_SECONDS = 10 * PATIENCE_SECONDS


@pytest.fixture
def sleeper(redis: Redis) -> Iterator[threading.Thread]:
    """A poller's thread that has slept for a moment, and would sleep for long."""
    nearer = Nearer(redis)
    nearer.wait(0)
    thread = threading.Thread(target=nearer.wait, args=(FOREVER_SECONDS,), daemon=True)
    thread.start()
    yield thread
    redis.publish("clock:nearer", "")


def test_a_job_that_is_due_sooner_than_a_poller_looks_wakes_it(sleeper: threading.Thread) -> None:
    NoteThingJob.perform_in(0.2, 1)

    sleeper.join(PATIENCE_SECONDS)

    assert not sleeper.is_alive()


def test_of_bulk_the_nearest_counts(sleeper: threading.Thread) -> None:
    NoteThingJob.perform_bulk([[1], [2], [3]], spread_interval=0.2)

    sleeper.join(PATIENCE_SECONDS)

    assert not sleeper.is_alive()


def test_one_that_is_due_later_does_not(redis: Redis) -> None:
    with redis.pubsub() as words:  # type: ignore[no-untyped-call]  # untyped there
        words.subscribe("clock:nearer")
        words.get_message(timeout=PATIENCE_SECONDS)

        NoteThingJob.perform_in(60, 1)
        NoteThingJob.perform_async(2)

        assert words.get_message(timeout=0.05) is None


def test_a_look_at_which_nothing_is_due_sends_three_commands(redis: Redis, fake_clock: FakeClock) -> None:
    redis.zadd("schedule", {'{"class":"NoteThingJob","args":[1],"jid":"1"}': fake_clock.now().timestamp() + 60})
    poller = ScheduledJobs(Delayed(redis), Nearer(redis), clock=fake_clock)
    redis.config_resetstat()

    poller.poll()

    stats: Any = redis.info("commandstats")
    assert {name: stats[name]["calls"] for name in stats if "config" not in name} == {"cmdstat_zrange": 3}


def test_the_earliest_job_of_all_sets_counts_and_a_key_of_a_wrong_type_does_not(redis: Redis) -> None:
    redis.zadd(keys.SCHEDULE, {"a": 30, "b": 40})
    redis.zadd(keys.RETRY, {"c": 20, "d": 50})
    redis.set(keys.FREED, "of another program")

    firsts = Delayed(redis).first_due()

    assert firsts == {keys.RETRY: 20, keys.SCHEDULE: 30, keys.FREED: -math.inf}
    assert earliest(firsts) == 20
    assert earliest({keys.RETRY: math.inf, keys.FREED: -math.inf}) == math.inf


class NotedNearer(Nearer):
    """Notes for how long a poller waits. After the last wait, the poller stops."""

    def __init__(self, redis: Redis, stop: threading.Event, count: int = 1) -> None:
        super().__init__(redis)
        self.waits: list[float] = []
        self._stop = stop
        self._count = count

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        if len(self.waits) == self._count:
            self._stop.set()


class ScriptedDelayed(Delayed):
    """Finds that a job is due, and then those that the test names: other workers may have moved it."""

    due_jobs: list[list[bytes]]

    def first_due(self) -> dict[str, float]:
        return {**dict.fromkeys(WAITING, math.inf), keys.SCHEDULE: 0.0}

    def due(self, where: str, now: float) -> list[bytes]:
        return self.due_jobs.pop(0)


def delay(redis: Redis, clock: FakeClock, seconds: float) -> None:
    redis.zadd("schedule", {f'{{"class":"NoteThingJob","args":[{seconds}]}}': clock.now().timestamp() + seconds})


@pytest.mark.parametrize(
    ("delays", "moved", "wait"),
    [
        ([], 0, LOOK_SECONDS),
        ([0], 1, LOOK_SECONDS),
        ([0.5], 0, 0.5),
        ([1000], 0, LOOK_SECONDS),
        ([0, -1, 0.5], 2, 0.5),
    ],
)
def test_a_poller_moves_what_is_due_and_sleeps_until_the_next_job(
    redis: Redis, fake_clock: FakeClock, delays: list[float], moved: int, wait: float
) -> None:
    for seconds in delays:
        delay(redis, fake_clock, seconds)
    stop = threading.Event()
    nearer = NotedNearer(redis, stop)

    ScheduledJobs(Delayed(redis), nearer, clock=fake_clock).run(stop)

    assert redis.llen("queue:default") == moved
    assert nearer.waits == [pytest.approx(wait, abs=1e-6)]


@pytest.mark.parametrize(("due", "wait"), [([[]], BUSY_SECONDS), ([[b'{"class":"A","args":[]}'], []], 0.0)])
def test_a_poller_looks_again_at_once_if_it_moved_jobs_and_soon_if_another_worker_did(
    redis: Redis, fake_clock: FakeClock, due: list[list[bytes]], wait: float
) -> None:
    stop = threading.Event()
    redis.zadd("schedule", {b'{"class":"A","args":[]}': 0})
    nearer, delayed = NotedNearer(redis, stop), ScriptedDelayed(redis)
    delayed.due_jobs = due

    ScheduledJobs(delayed, nearer, clock=fake_clock).run(stop)

    assert nearer.waits == [wait]


def test_a_job_whose_queue_is_no_list_is_tried_again_later(redis: Redis, fake_clock: FakeClock) -> None:
    redis.set("queue:default", "a string")
    delay(redis, fake_clock, 0)

    assert ScheduledJobs(Delayed(redis), Nearer(redis), clock=fake_clock).poll() == 0

    rows: Any = redis.zrange("schedule", 0, -1, withscores=True)
    [(_, score)] = rows
    assert score == pytest.approx(fake_clock.now().timestamp() + STUCK_SECONDS)


def test_a_job_without_a_class_is_moved_to_the_queue_default(redis: Redis, fake_clock: FakeClock) -> None:
    redis.zadd("schedule", {"not json": 0, "[1]": 0, '{"queue":"low"}': 0})

    assert ScheduledJobs(Delayed(redis), Nearer(redis), clock=fake_clock).poll() == 3

    assert sorted(redis.lrange("queue:default", 0, -1)) == [b"[1]", b"not json"]
    assert redis.llen("queue:low") == 1


def test_a_poller_that_cannot_reach_redis_reports_no_set(
    redis: Redis, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise StoreUnavailable("away")

    delay(redis, fake_clock, 0)
    monkeypatch.setattr(Delayed, "due", fail)

    with pytest.raises(StoreUnavailable):
        ScheduledJobs(Delayed(redis), Nearer(redis), clock=fake_clock).poll()

    assert caplog.messages == []


class NotedWaits(FakeClock):
    """Notes for how long somebody waits, who stops after the second time."""

    def __init__(self) -> None:
        super().__init__(NOW)
        self.waits: list[float] = []

    def wait(self, stop: threading.Event, seconds: float) -> bool:
        self.waits.append(seconds)
        if len(self.waits) == 2:
            stop.set()
        return stop.is_set()


def test_a_poller_that_fails_looks_again_after_a_second(redis: Redis) -> None:
    class Failing(Delayed):
        def first_due(self) -> dict[str, float]:
            raise StoreUnavailable("away")

    clock = NotedWaits()

    ScheduledJobs(Failing(redis), Nearer(redis), clock=clock).run(threading.Event())

    assert clock.waits == [LOOK_SECONDS] * 2
