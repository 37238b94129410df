"""A worker takes no jobs from a queue that is paused, and costs Redis nothing while it waits."""

import pytest
from redis import Redis

from clock.api import Queue
from clock.clocks import from_ms
from clock.store.jobs.in_progress import InProgress
from tests.patience import eventually, stay
from tests.worker import jobs
from tests.worker.jobs import NoteThingJob
from tests.worker.test_worker import running, worker_of


@pytest.fixture(autouse=True)
def _fresh() -> None:
    jobs.ran.clear()
    jobs.let_go.clear()


def calls(redis: Redis) -> int:
    """How many scripts and waits the server has run."""
    stats = redis.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("evalsha", "blmove"))


def things() -> list[object]:
    return [thing for _, thing in jobs.ran]


@pytest.mark.slow
@pytest.mark.parametrize("queues", [("low", "default"), ("low",)])
def test_jobs_of_a_paused_queue_wait_until_it_is_unpaused(redis: Redis, queues: tuple[str, ...]) -> None:
    low = Queue("low")
    assert (low.pause(), low.pause(), low.is_paused()) == (True, False, True)
    NoteThingJob.set(queue="low").perform_async("paused")
    stop, _ = running(worker_of(redis, *queues))
    try:
        if "default" in queues:
            NoteThingJob.perform_async("free")
            eventually(lambda: things() == ["free"], "the job of the other queue")
        before = calls(redis)
        assert stay(lambda: "paused" not in things(), 1.5)
        assert calls(redis) - before < 40  # a worker that asked at once again would make thousands

        assert (low.unpause(), low.unpause(), low.is_paused()) == (True, False, False)
        eventually(lambda: "paused" in things(), "the job of the queue that was paused")
    finally:
        stop()
    assert redis.llen("queue:low") == 0


@pytest.mark.slow
def test_a_queue_is_paused_while_a_worker_waits_on_it(redis: Redis) -> None:
    stop, _ = running(worker_of(redis, "default"))
    try:
        NoteThingJob.perform_async("first")
        eventually(lambda: things() == ["first"], "the first job")
        Queue().pause()
        NoteThingJob.perform_async("second")
        before = calls(redis)
        assert stay(lambda: things() == ["first"], 1.0)
        assert calls(redis) - before < 40
    finally:
        stop()
    assert redis.llen("queue:default") == 1


def test_a_claim_takes_from_the_queues_that_are_not_paused(redis: Redis) -> None:
    for name in ("a", "b", "c"):
        redis.lpush(f"queue:{name}", "x", "y")
    redis.sadd("paused", "b", "elsewhere")
    in_progress = InProgress(redis, "me")

    claimed = in_progress.claim(["a", "b", "c"], 10, done=[], now=from_ms(0), expires_seconds=0.0)

    assert [(job.number, job.queue, job.payload) for job in claimed] == [
        (1, "a", b"x"),
        (2, "a", b"y"),
        (3, "c", b"x"),
        (4, "c", b"y"),
    ]
    assert in_progress.paused == {"b"}
    assert in_progress.claim([], 0, done=[1, 2], now=from_ms(0), expires_seconds=0.0) == []
    assert in_progress.paused == {"b"}


def test_a_key_paused_of_another_type_pauses_nothing(redis: Redis) -> None:
    redis.set("paused", "by nobody")
    redis.lpush("queue:a", "x")

    claimed = InProgress(redis, "me").claim(["a"], 1, done=[], now=from_ms(0), expires_seconds=0.0)

    assert len(claimed) == 1
