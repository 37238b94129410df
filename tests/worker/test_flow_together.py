"""Rules of one job together, and jobs with rules in each state: what is left in Redis when all has ended."""

import json
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from redis import Redis

from clock import Batch, Job, JobResult, Limit, Rate, Unique
from clock.api import BatchRef, JobRef
from clock.inspection.doctor.deep import wrong_children
from clock.inspection.jobs.job_sets import QueueJobs, WaitingSet
from clock.inspection.jobs.limits import delete_blocked
from clock.inspection.jobs.pages import Place, queue_place, set_place
from clock.job.push.client import using_clock
from clock.store.jobs.delayed import Delayed, Nearer
from clock.testing import FakeClock
from clock.worker.maintenance.recovery import unpark
from clock.worker.maintenance.scheduled import ScheduledJobs
from tests.job.redis_rows import waiting
from tests.limited import violations
from tests.worker import jobs
from tests.worker.conftest import NOW, Bench

Build = Callable[..., Bench]
fails: set[int] = set()


class AllRulesJob(Job):
    retry = 1
    unique = Unique()
    limits: ClassVar[Any] = Limit("all rules", 1)
    rates: ClassVar[Any] = Rate("all rules", 1_000_000, per=1)
    result_ttl = 3_600

    def perform(self, number: int) -> int:
        jobs.note(self.jid, number)
        if number in fails:
            raise RuntimeError("fails")
        return number


class OldNameJob(AllRulesJob):
    """The class under its old name."""


class NextJob(Job):
    def perform(self, name: str) -> None:
        jobs.note(self.jid, name)


@pytest.fixture(autouse=True)
def _fresh(fake_clock: FakeClock) -> Any:
    fails.clear()
    with using_clock(fake_clock):
        yield


def run_all(bench: Build, redis: Redis) -> list[object]:
    """Run all jobs, with their retries; what they noted."""
    worker, began = bench(), len(jobs.ran)
    for _ in range(4):
        worker.run_all()
        for where in ("schedule", "retry"):
            rows: Any = redis.zrange(where, 0, -1)
            Delayed(redis).release(where, [(row, "default", row) for row in rows])
        ScheduledJobs(Delayed(redis), Nearer(redis), clock=FakeClock(NOW)).poll()
    return [what for _, what in jobs.ran[began:]]


def check(redis: Redis) -> None:
    """Nothing is held, blocked, locked or pending any more, and the deep checks find no fault."""
    found: Any = redis.keys("clock:*")
    left = {key.decode() for key in found}
    held = {"clock:limit_holders", "clock:limit_reserved", "clock:blocked", "clock:freed", "clock:unique"}
    assert left & held == set()
    assert violations(redis) == []
    assert wrong_children(redis, NOW) == []


def callbacks() -> dict[str, Any]:
    signatures = {f"on_{event}": NextJob.signature(event) for event in ("success", "complete", "death")}
    return dict(signatures)


def test_a_batch_of_jobs_with_all_rules_leaves_nothing(bench: Build, redis: Redis) -> None:
    with Batch(**callbacks()):
        jids = AllRulesJob.perform_bulk([[n] for n in range(5)])

    assert sorted(run_all(bench, redis), key=str) == [0, 1, 2, 3, 4, "complete", "success"]
    assert [JobResult(jid).get(0) for jid in jids] == [0, 1, 2, 3, 4]
    check(redis)


def test_an_inner_batch_with_a_dead_job_keeps_success_of_the_outer_one_back_until_it_is_revived(
    bench: Build, redis: Redis
) -> None:
    fails.add(1)
    with Batch(on_success=NextJob, on_complete=NextJob, args=["outer"]) as outer:
        with Batch(on_success=NextJob, args=["inner"], parent=outer):
            AllRulesJob.perform_bulk([[0], [1]])
        NextJob.perform_async("child")

    assert sorted(map(str, run_all(bench, redis))) == ["0", "1", "1", "child", "outer"]
    fails.clear()
    dead = WaitingSet(redis, "dead")
    dead.enqueue(list(set_place(redis, "dead").jobs()), NOW.timestamp())
    assert run_all(bench, redis) == [1, "inner", "outer"]
    check(redis)


@pytest.mark.parametrize("how", ["cancel", "delete"])
@pytest.mark.parametrize("state", ["enqueued", "scheduled", "retry", "blocked", "parked"])
def test_a_job_that_is_removed_frees_its_lock_ends_in_its_batch_and_pushes_no_next_job(
    bench: Build, redis: Redis, state: str, how: str
) -> None:
    redis.hset("clock:limits", "all rules", 0 if state == "blocked" else 1)
    with Batch(on_success=NextJob, on_complete=NextJob, args=["end"]) as batch:
        push = AllRulesJob.set(then=NextJob.signature("then"))
        jid = push.perform_in(60, 7) if state == "scheduled" else push.perform_async(7)
    BRINGS_TO[state](bench(), redis)
    assert locks(redis) == [jid]

    if how == "cancel":
        assert JobRef(jid).cancel()
    else:
        DELETES[state](redis, jid)
    redis.delete("clock:limits")
    unpark(Delayed(redis))

    assert [what for what in run_all(bench, redis) if what != 7] == ["end"]
    view = BatchRef(batch.bid).view()
    assert view is not None
    assert (view.state, view.failed) == ("done", 1)
    check(redis)


def park(bench: Bench, redis: Redis) -> None:
    bench.moves.park(bench.take(), "AllRulesJob")


def fail(bench: Bench, redis: Redis) -> None:
    fails.add(7)
    bench.run_all()


BRINGS_TO: dict[str, Callable[[Bench, Redis], object]] = {
    "enqueued": lambda bench, redis: None,
    "scheduled": lambda bench, redis: None,
    "retry": fail,
    "blocked": lambda bench, redis: bench.fetcher.claims.claim(1),
    "parked": park,
}


def deleted_from(where: Any, place: Place, jid: str) -> None:
    assert where.delete([job for job in place.jobs() if job.jid == jid]) == 1


DELETES: dict[str, Callable[[Redis, str], object]] = {
    "enqueued": lambda redis, jid: deleted_from(QueueJobs(redis, "default"), queue_place(redis, "default"), jid),
    "scheduled": lambda redis, jid: deleted_from(WaitingSet(redis, "schedule"), set_place(redis, "schedule"), jid),
    "retry": lambda redis, jid: deleted_from(WaitingSet(redis, "retry"), set_place(redis, "retry"), jid),
    "blocked": lambda redis, jid: delete_blocked(redis, jid),
    "parked": lambda redis, jid: JobRef(jid).cancel(),  # a parked job cannot be deleted
}


def locks(redis: Redis) -> list[str]:
    """The jids that hold a lock."""
    values: Any = redis.hvals("clock:unique")
    return [value.decode().partition("|")[0] for value in values]


def test_a_queue_is_cleared_with_locks_places_and_batches(bench: Build, redis: Redis) -> None:
    with Batch(on_complete=NextJob.signature("end")):
        AllRulesJob.perform_bulk([[n] for n in range(3)])
        worker = bench()
        worker.fetcher.claim(1)
        worker.fetcher.claims.claim(5)
        AllRulesJob.perform_bulk([[n] for n in range(3, 1_004)])

    assert QueueJobs(redis, "default").clear() == 1_001
    worker.processor.process(worker.take())
    worker.fetcher.acknowledge()

    assert run_all(bench, redis) == [1, 2, "end"]
    check(redis)


def test_a_renamed_class_runs_the_jobs_of_its_old_name_with_their_rules(bench: Build, redis: Redis) -> None:
    with Batch(on_success=NextJob.signature("end")):
        OldNameJob.set(then=NextJob.signature("then")).perform_async(1)
        AllRulesJob.perform_async(1)

    assert sorted(run_all(bench, redis), key=str) == [1, 1, "end", "then"]
    check(redis)


def test_a_limit_whose_name_changed_between_releases_keeps_the_blocked_jobs_of_both(
    bench: Build, redis: Redis
) -> None:
    AllRulesJob.perform_async(0)
    worker = bench()
    worker.fetcher.claim(1)
    old = AllRulesJob.perform_async(1)
    new = AllRulesJob.set(limits=Limit("new name", 1)).perform_async(2)

    assert [json.loads(job.payload)["jid"] for job in worker.fetcher.claims.claim(5)] == [new]
    worker.processor.process(worker.take())
    worker.fetcher.acknowledge()
    ScheduledJobs(Delayed(redis), Nearer(redis), clock=FakeClock(NOW)).poll()
    assert [json.loads(job.payload)["jid"] for job in worker.fetcher.claims.claim(5)] == [old]


@pytest.mark.parametrize("count", [0, 1, 1_001])
def test_a_bulk_push_obeys_all_rules(bench: Build, redis: Redis, count: int) -> None:
    with Batch(on_success=NextJob.signature("end")):
        jids = AllRulesJob.set(then=NextJob.signature("then")).perform_bulk([[n] for n in range(count)])
        assert AllRulesJob.perform_bulk([[n] for n in range(count)]) == jids

    assert len(set(jids)) == count
    assert len(locks(redis)) == count
    assert {json.dumps(job["limits"]) for job in waiting(redis)} <= {'[{"name": "all rules", "max": 1}]', "[]"}
