"""Claims and acknowledgements when the answers of Redis are lost, and the queues on which an idle worker waits."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from clock.errors import StoreUnavailable
from clock.store.jobs.in_progress import InProgress
from clock.store.jobs.moves import Claimed
from clock.testing import FakeClock
from clock.worker.fetching.claims import Claims
from clock.worker.options import Queue, WorkerOptions
from tests.worker.jobs import NoteThingJob

LOST = StoreUnavailable("the answer was lost")
LIMITED = b'{"limits":["crm"]'


class ScriptedInProgress(InProgress):
    """Answers as the test says: `before_loss` is called by the next claim, whose answer is then lost."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis, "host:1:abc")
        self.before_loss: Callable[[], object] | None = None
        self.acknowledged: list[dict[str, Any]] = []  # by each claim
        self.arrivals: list[list[Claimed] | None] = []  # answers to the next waits; None: it is lost
        self.waits_on: list[list[str]] = []
        self.looks = 0

    def claim(self, *args: Any, **kwargs: Any) -> list[Claimed]:
        self.acknowledged.append({name: kwargs[name] for name in ("done", "frees", "limited")})
        found = super().claim(*args, **kwargs)
        if self.before_loss is not None:
            call, self.before_loss = self.before_loss, None
            call()
            raise LOST
        return found

    def claim_on_arrival(self, *_: Any, **kwargs: Any) -> list[Claimed]:
        self.waits_on.append(kwargs["waits_on"])
        found = self.arrivals.pop(0)
        if found is None:
            raise LOST
        return found

    def all(self) -> list[Claimed]:
        self.looks += 1
        return super().all()


@pytest.fixture
def in_progress(redis: Redis) -> ScriptedInProgress:
    return ScriptedInProgress(redis)


def claims_of(in_progress: InProgress, clock: FakeClock, *queues: str, concurrency: int = 4) -> Claims:
    options = WorkerOptions(tuple(map(Queue, queues or ("default",))), concurrency)
    return Claims(in_progress, options=options, clock=clock)


def test_an_idle_worker_waits_first_on_the_queue_of_its_latest_job(
    in_progress: ScriptedInProgress, fake_clock: FakeClock
) -> None:
    claims = claims_of(in_progress, fake_clock, "critical", "default", "low")
    in_progress.arrivals = [[], [Claimed(1, "low", b"{}"), Claimed(2, "default", b"{}")], [], []]

    for _ in range(4):
        claims.wait_and_claim(2, 1.0)

    assert in_progress.waits_on == [["critical", "default"]] * 2 + [["low", "critical"]] * 2


def test_after_a_failed_wait_an_idle_worker_waits_first_on_another_queue(
    in_progress: ScriptedInProgress, fake_clock: FakeClock
) -> None:
    claims = claims_of(in_progress, fake_clock, "critical", "default", "low")
    in_progress.arrivals = [None, []]

    with pytest.raises(StoreUnavailable):
        claims.wait_and_claim(1, 1.0)
    claims.wait_and_claim(1, 1.0)

    assert in_progress.waits_on == [["critical", "default"], ["default", "critical"]]


def test_after_a_stop_no_job_is_waited_for(in_progress: ScriptedInProgress, fake_clock: FakeClock) -> None:
    claims = claims_of(in_progress, fake_clock)
    claims.stopped.set()

    assert claims.wait_and_claim(1, 1.0) == ()
    assert in_progress.waits_on == []


def test_jobs_of_a_wait_whose_answer_was_lost_are_found_by_the_next_claim(
    in_progress: ScriptedInProgress, fake_clock: FakeClock, redis: Redis
) -> None:
    NoteThingJob.perform_async(1)
    claims = claims_of(in_progress, fake_clock)
    in_progress.arrivals = [None]
    with pytest.raises(StoreUnavailable):
        claims.wait_and_claim(1, 1.0)
    in_progress.claim(["default"], 1, done=(), frees=(), limited=None, now=fake_clock.now(), expires_seconds=20)

    [found] = claims.claim(1)

    assert found in claims


def test_jobs_of_a_claim_whose_answer_was_lost_are_found_by_the_next_wait(
    in_progress: ScriptedInProgress, fake_clock: FakeClock
) -> None:
    NoteThingJob.perform_async(1)
    claims = claims_of(in_progress, fake_clock)
    in_progress.before_loss = lambda: None
    with pytest.raises(StoreUnavailable):
        claims.claim(1)
    in_progress.arrivals = [[]]

    assert len(claims.wait_and_claim(1, 1.0)) == 1


def test_only_a_claim_that_gets_jobs_counts_as_the_last_one(
    in_progress: ScriptedInProgress, fake_clock: FakeClock
) -> None:
    claims = claims_of(in_progress, fake_clock)
    before = claims.last_claimed

    fake_clock.advance(timedelta(seconds=1))
    claims.claim(1)
    assert claims.last_claimed == before
    NoteThingJob.perform_async(1)
    claims.claim(1)

    assert claims.last_claimed == fake_clock.monotonic()


def test_jobs_of_a_lost_answer_are_looked_for_once_and_by_a_claim_only(
    in_progress: ScriptedInProgress, fake_clock: FakeClock
) -> None:
    NoteThingJob.perform_async(1)
    claims = claims_of(in_progress, fake_clock)
    in_progress.before_loss = lambda: None
    with pytest.raises(StoreUnavailable):
        claims.claim(1)

    assert claims.claim(0, always=True) == []
    assert len(claims.claim(1)) == 1
    assert claims.claim(1) == []
    assert in_progress.looks == 1


def test_a_lost_acknowledgement_does_not_make_a_worker_look_for_lost_jobs(
    in_progress: ScriptedInProgress, fake_clock: FakeClock
) -> None:
    claims = claims_of(in_progress, fake_clock)
    in_progress.before_loss = lambda: None
    with pytest.raises(StoreUnavailable):
        claims.claim(0, always=True)

    claims.claim(1)

    assert in_progress.looks == 0


def test_a_worker_that_was_silent_for_as_long_as_a_heartbeat_is_valid_looks_for_its_jobs_after_that(
    in_progress: ScriptedInProgress, fake_clock: FakeClock
) -> None:
    fake_clock.advance(timedelta(seconds=100))
    claims = claims_of(in_progress, fake_clock)
    fake_clock.advance(timedelta(seconds=20))
    claims.claim(1)
    assert in_progress.looks == 0

    fake_clock.advance(timedelta(seconds=20.001))
    claims.claim(1)

    assert in_progress.looks == 1


def test_a_claim_with_nothing_to_do_is_not_sent(in_progress: ScriptedInProgress, fake_clock: FakeClock) -> None:
    claims = claims_of(in_progress, fake_clock)

    claims.claim(0)
    claims.stopped.set()
    claims.claim(1)

    assert in_progress.acknowledged == []


@pytest.mark.parametrize("limits", [None, LIMITED])
def test_jobs_that_end_while_an_acknowledgement_is_lost_are_acknowledged_with_it_in_their_order(
    in_progress: ScriptedInProgress, fake_clock: FakeClock, limits: bytes | None
) -> None:
    claims = claims_of(in_progress, fake_clock)
    first, second, *later = (Claimed(number, "default", b"{}", limits) for number in (1, 2, 3, 4))
    claims.finish(first, ("lock", "a"))
    claims.finish(second, ("lock", "b"))

    def finish_later() -> None:
        for job in later:
            claims.finish(job, ("lock", "c"))

    in_progress.before_loss = finish_later
    with pytest.raises(StoreUnavailable):
        claims.claim(0)
    assert claims.has_done

    claims.claim(0)

    assert in_progress.acknowledged[1] == {
        "done": [1, 2, 3, 4] if limits is None else [],
        "frees": [(1, "lock", "a"), (2, "lock", "b"), (3, "lock", "c"), (4, "lock", "c")],
        "limited": {} if limits is None else {LIMITED: [1, 2, 3, 4]},
    }
    assert not claims.has_done


def test_jobs_with_limits_are_acknowledged_by_their_limits(
    in_progress: ScriptedInProgress, fake_clock: FakeClock
) -> None:
    claims = claims_of(in_progress, fake_clock)
    other = b'{"limits":["mail"]'

    for number, limits in enumerate([LIMITED, LIMITED, None, LIMITED, other, None]):
        claims.finish(Claimed(number, "default", b"{}", limits))
    claims.claim(0)

    [sent] = in_progress.acknowledged
    assert sent["done"] == [2, 5]
    assert sent["limited"] == {LIMITED: [0, 1, 3], other: [4]}


def test_jobs_that_could_not_be_put_back_are_still_held(redis: Redis, fake_clock: FakeClock) -> None:
    NoteThingJob.perform_async(1)
    NoteThingJob.set(queue="low").perform_async(2)
    claims = claims_of(InProgress(redis, "host:1:abc"), fake_clock, "default", "low")
    jobs = [*claims.claim(1), *claims.claim(1)]
    redis.set("queue:low", "a string")

    with pytest.raises(Exception, match="queue:low"):
        claims.give_back(jobs)

    assert [job in claims for job in jobs] == [False, True]
    assert redis.llen("queue:default") == 1


def test_jobs_are_held_until_redis_has_them_back(
    in_progress: ScriptedInProgress, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(*_: object, **__: object) -> None:
        raise LOST

    NoteThingJob.perform_async(1)
    claims = claims_of(in_progress, fake_clock)
    [job] = claims.claim(1)

    with monkeypatch.context() as patch:
        patch.setattr(in_progress, "put_back", lose)
        with pytest.raises(StoreUnavailable):
            claims.give_back([job])
    assert job in claims

    claims.give_back([job])
    assert job not in claims


def test_a_finished_job_with_a_limit_is_not_put_back(
    in_progress: ScriptedInProgress, fake_clock: FakeClock, redis: Redis
) -> None:
    NoteThingJob.perform_bulk([[1], [2]])
    claims = claims_of(in_progress, fake_clock)
    finished, waiting = claims.claim(2)
    claims.finish(Claimed(finished.number, finished.queue, finished.payload, LIMITED))

    claims.give_back_all()

    assert redis.lrange("queue:default", 0, -1) == [waiting.payload]
