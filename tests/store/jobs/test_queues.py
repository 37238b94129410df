"""The commands that push jobs, and queues that are paused."""

from collections.abc import Iterator

import pytest
from redis import Redis

from clock.config import Config
from clock.store import keys
from clock.store.jobs import queues
from clock.store.jobs.queues import Parcel, list_size, push_commands
from clock.store.server.opening import connected
from clock.store.server.shards import every


@pytest.fixture
def home(redis: Redis, redis_url: str) -> Iterator[Redis]:
    """The home of an application with two shards, its own place included."""
    found = connected(Config(redis=redis_url, namespace="shop", shards=2), 3)
    yield found
    for place in every(found):
        place.close()


def test_each_parcel_adds_its_jobs_behind_or_before_those_that_wait() -> None:
    assert push_commands([Parcel("mail", ["a", "b"]), Parcel("low", ["c", "d"], at_front=True)]) == [
        ("SADD", "queues", "mail"),
        ("LPUSH", "queue:mail", "a", "b"),
        ("SADD", "queues", "low"),
        ("RPUSH", "queue:low", "d", "c"),
    ]


@pytest.mark.parametrize("is_near", [True, False])
def test_delayed_jobs_go_to_the_schedule_and_those_due_soon_are_published(is_near: bool) -> None:
    commands = push_commands([Parcel("mail", ["a", "b"], [5.5, 7.25], is_near=is_near)])

    assert commands == [
        ("ZADD", "schedule", 5.5, "a", 7.25, "b"),
        *([("PUBLISH", "clock:nearer", "")] if is_near else []),
    ]


@pytest.mark.parametrize(("durable", "own", "waits"), [(0, 0, None), (1, 0, 1), (1, 2, 2), (0, 3, 3)])
def test_durable_pushes_wait_for_the_most_replicas_that_were_asked_for(
    durable: int, own: int, waits: int | None
) -> None:
    commands = push_commands([Parcel("mail", ["a"], durable=own), Parcel("low", ["b"])], durable)

    assert commands[4:] == ([] if waits is None else [("WAIT", waits, 1_000)])


def test_the_jobs_of_a_list_are_counted(redis: Redis) -> None:
    redis.lpush("queue:mail", "a", "b")

    assert (list_size(redis, "queue:mail"), list_size(redis, "queue:none")) == (2, 0)


def test_a_queue_is_paused_in_all_shards_and_resumed_from_all(home: Redis) -> None:
    second = every(home)[1]
    assert queues.pause(home, "mail")
    assert not queues.pause(home, "mail")
    assert second.smembers(keys.PAUSED_QUEUES) == {b"mail"}
    second.sadd(keys.PAUSED_QUEUES, "low")
    assert queues.paused(home) == {"mail", "low"}

    assert queues.unpause(home, "low")
    assert not queues.unpause(home, "low")
    assert queues.unpause(home, "mail")
    assert queues.paused(home) == set()


def test_a_queue_of_an_application_without_shards_is_paused_and_resumed_once(redis: Redis) -> None:
    assert [queues.pause(redis, "mail") for _ in range(2)] == [True, False]
    assert [queues.unpause(redis, "mail") for _ in range(2)] == [True, False]


def test_a_set_of_paused_queues_of_a_wrong_type_pauses_none(redis: Redis) -> None:
    redis.set(keys.PAUSED_QUEUES, "foreign")

    assert queues.paused(redis) == set()
