import math
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from clock.store import keys
from clock.store.jobs.delayed import Delayed, Nearer, earliest
from clock.testing import FakeClock
from clock.worker.maintenance.scheduled import ScheduledJobs
from tests.patience import PATIENCE_SECONDS
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
