"""An idle worker: a thread waits for the next job, and claims it as it comes, from whichever queue."""

import threading
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import pytest
from redis import ConnectionPool, Redis

from clock.clocks import SystemClock
from clock.errors import StoreUnavailable
from clock.store.jobs import blocking_wait
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.moves import Claimed
from clock.testing import FakeClock
from clock.worker import Queue, WorkerOptions
from clock.worker.fetching.claims import Claims
from clock.worker.fetching.fetcher import Fetcher
from clock.worker.fetching.handoff import Handoff
from clock.worker.fetching.idle_wait import IdleWait
from tests.patience import PATIENCE_SECONDS
from tests.worker.jobs import NoteThingJob
from tests.worker.test_claims import ScriptedInProgress

HASH = "clock:in_progress:here:1:a"


class ObservedInProgress(InProgress):
    """Signals when a wait starts, and can lose its answer or delay it."""

    wait_seconds = PATIENCE_SECONDS / 4

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis, "here:1:a")
        self.waits = threading.Semaphore(0)
        self._claimed: SimpleQueue[list[Claimed]] = SimpleQueue()
        self.answers = threading.Event()
        self.answers.set()
        self.losses = 0

    def claim_on_arrival(self, *args: Any, **kwargs: Any) -> list[Claimed]:
        self.waits.release()
        jobs = super().claim_on_arrival(*args, **{**kwargs, "seconds": self.wait_seconds})
        self._claimed.put(jobs)
        self.answers.wait(PATIENCE_SECONDS)
        if jobs and self.losses:
            self.losses -= 1
            raise StoreUnavailable("the answer was lost")
        return jobs

    def claimed(self) -> list[Claimed]:
        """What a wait has claimed, as soon as it has."""
        return self._claimed.get(timeout=PATIENCE_SECONDS)


class Crew:
    """A fetcher with its thread, and threads that take jobs and keep them."""

    def __init__(self, redis: Redis, threads: int, queues: tuple[str, ...] = ("default",)) -> None:
        self.in_progress = ObservedInProgress(redis)
        options = WorkerOptions(tuple(map(Queue, queues)), concurrency=threads)
        self.fetcher = Fetcher(self.in_progress, options=options, clock=SystemClock())
        self.taken: list[list[Any]] = []
        self.news = threading.Semaphore(0)
        self.fetching = threading.Thread(target=self.fetcher.run, daemon=True)
        self.threads = [
            threading.Thread(target=self._take, args=(slot,), daemon=True) for slot in self.fetcher.slots
        ]
        for thread in (*self.threads, self.fetching):
            thread.start()

    def waits(self) -> bool:
        return self.in_progress.waits.acquire(timeout=PATIENCE_SECONDS)

    def has_taken(self, count: int) -> bool:
        return all(self.news.acquire(timeout=PATIENCE_SECONDS) for _ in range(count))

    def end(self) -> bool:
        self.fetcher.stop()
        for thread in (*self.threads, self.fetching):
            thread.join(PATIENCE_SECONDS)
        return not any(thread.is_alive() for thread in (*self.threads, self.fetching))

    def _take(self, slot: Any) -> None:
        while (job := self.fetcher.take(slot)) is not None:
            self.taken.append([job.number, job.payload])
            self.news.release()
            self.fetcher.finish(slot, job, 0.0)


@pytest.fixture
def crew(redis: Redis) -> Iterator[Crew]:
    crew = Crew(redis, threads=3)
    assert crew.waits()
    yield crew
    assert crew.end()


def test_jobs_that_arrive_together_are_all_taken_once(redis: Redis, crew: Crew) -> None:
    NoteThingJob.perform_bulk([[number] for number in range(100)])

    assert crew.has_taken(100)
    assert crew.end()
    assert len({payload for _, payload in crew.taken}) == len(crew.taken) == 100
    assert redis.hlen(HASH) == 0


def test_a_stop_ends_the_wait_at_once_and_what_comes_after_it_stays_in_its_queue(redis: Redis, crew: Crew) -> None:
    assert crew.end()
    NoteThingJob.perform_async(1)

    assert redis.llen("queue:default") == 1
    assert redis.hlen(HASH) == 0
    assert not crew.taken


def test_jobs_claimed_by_a_wait_that_a_stop_overtakes_are_put_back_in_their_order(
    redis: Redis, crew: Crew
) -> None:
    crew.in_progress.answers.clear()  # the answer is on its way ...
    NoteThingJob.perform_bulk([[number] for number in range(2)])
    claimed = crew.in_progress.claimed()
    crew.fetcher.stop()  # ... when the worker is told to be quiet
    crew.in_progress.answers.set()

    assert crew.end()
    assert not crew.taken
    assert redis.hlen(HASH) == 0
    assert redis.lrange("queue:default", 0, -1) == [job.payload for job in reversed(claimed)]
    assert len(claimed) == 2


@pytest.mark.slow
def test_jobs_claimed_by_a_wait_whose_answer_was_lost_are_found(redis: Redis, crew: Crew) -> None:
    crew.in_progress.losses = 1

    NoteThingJob.perform_async(1)

    assert crew.has_taken(1)
    assert len(crew.taken) == 1


def test_the_end_waits_for_a_claim_that_is_under_way(redis: Redis, crew: Crew) -> None:
    crew.in_progress.answers.clear()
    NoteThingJob.perform_async(1)
    assert crew.in_progress.claimed()
    crew.fetcher.stop()
    ending = threading.Thread(target=crew.fetcher.give_back_all)
    ending.start()
    crew.in_progress.answers.set()
    ending.join(PATIENCE_SECONDS)

    assert crew.end()
    assert redis.llen("queue:default") == 1
    assert redis.hlen(HASH) == 0


def test_a_redis_that_has_forgotten_the_scripts_does_not_stop_an_idle_worker(redis: Redis, crew: Crew) -> None:
    redis.script_flush()

    NoteThingJob.perform_async(1)

    assert crew.has_taken(1)


@pytest.fixture
def only_jobs_end_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking_wait, "FURTHER_SECONDS", 4 * PATIENCE_SECONDS)
    monkeypatch.setattr(ObservedInProgress, "wait_seconds", 4 * PATIENCE_SECONDS)


@pytest.mark.usefixtures("only_jobs_end_waits")
def test_a_job_in_any_queue_ends_the_wait_at_once(redis: Redis) -> None:
    crew = Crew(redis, threads=6, queues=("critical", "default", "low"))

    for turn in range(60):
        assert crew.waits()
        NoteThingJob.set(queue=["low", "critical", "low", "default"][turn % 4]).perform_async(turn)
        assert crew.has_taken(1)

    assert crew.end()
    assert len({payload for _, payload in crew.taken}) == len(crew.taken) == 60
    assert redis.hlen(HASH) == 0


@pytest.mark.usefixtures("only_jobs_end_waits")
def test_jobs_that_arrive_in_several_queues_at_any_moment_are_all_taken_once(redis: Redis) -> None:
    crew = Crew(redis, threads=4, queues=("default", "low"))

    for number in range(300):
        NoteThingJob.set(queue=["default", "low"][number % 2]).perform_async(number)

    assert crew.has_taken(300)
    assert crew.end()
    assert len({payload for _, payload in crew.taken}) == len(crew.taken) == 300
    assert redis.hlen(HASH) == 0


@pytest.mark.slow
@pytest.mark.parametrize("denied", ["-client", "-client|unblock"])
def test_where_redis_lets_no_wait_be_ended_jobs_of_all_queues_are_taken_all_the_same(
    redis: Redis, denied: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if "|" in denied:
        request.getfixturevalue("needs_redis_7")
    monkeypatch.setattr(ObservedInProgress, "wait_seconds", 0.1)
    redis.acl_setuser("plain", enabled=True, nopass=True, keys=["*"], channels=["*"], commands=["+@all", denied])
    options = {**redis.connection_pool.connection_kwargs, "username": "plain", "password": "any"}
    pool = ConnectionPool(connection_class=redis.connection_pool.connection_class, **options)
    crew = Crew(Redis(connection_pool=pool), threads=4, queues=("default", "low"))

    for number in range(4):
        assert crew.waits()
        NoteThingJob.set(queue="low" if number % 2 else "default").perform_async(number)
        assert crew.has_taken(1)

    assert crew.end()
    redis.acl_deluser("plain")


def test_an_idle_worker_works_on_other_queues_where_the_first_is_no_list(redis: Redis) -> None:
    redis.set("queue:default", "a string")
    crew = Crew(redis, threads=4, queues=("default", "low"))

    for number in range(3):
        NoteThingJob.set(queue="low").perform_async(number)
        assert crew.has_taken(1)

    assert crew.end()


def test_the_thread_that_waits_takes_the_first_job_and_the_others_are_handed_out(
    redis: Redis, fake_clock: FakeClock
) -> None:
    in_progress, handoff = ScriptedInProgress(redis), Handoff(1)
    jobs = [Claimed(number, "default", b"{}") for number in (1, 2, 3)]
    in_progress.arrivals = [jobs]
    idle_wait = IdleWait(Claims(in_progress, options=WorkerOptions(), clock=fake_clock), handoff)

    assert idle_wait.wait() == jobs[0]
    assert handoff.take_all() == jobs[1:]


def test_a_wait_that_a_stop_cannot_end_ends_by_itself(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object) -> None:
        raise StoreUnavailable("away")

    caplog.set_level("DEBUG", "clock.worker")
    monkeypatch.setattr(ObservedInProgress, "wait_seconds", 0.1)
    monkeypatch.setattr(ObservedInProgress, "end_wait", fail)
    crew = Crew(redis, threads=1)
    assert crew.waits()

    assert crew.end()

    assert "Could not cancel a wait; it ends by itself: away" in caplog.text


def test_if_no_thread_rests_nobody_waits(redis: Redis, fake_clock: FakeClock) -> None:
    claims = Claims(ScriptedInProgress(redis), options=WorkerOptions(), clock=fake_clock)

    assert IdleWait(claims, Handoff(1)).start(5) == 0
