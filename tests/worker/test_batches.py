"""Batches and jobs that follow others: which callbacks are pushed, when, and what a crash leaves of a batch."""

import asyncio
import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from clock import Batch, BatchDone, Discard, Job, Limit, Unique
from clock.api import BatchRef, JobRef, Queue
from clock.clocks import from_ms, to_ms
from clock.errors import ArgumentsError, JobError
from clock.inspection.doctor.deep import children_finding, correct_children
from clock.inspection.doctor.finding import Grade
from clock.inspection.jobs.batches import open_batches
from clock.inspection.jobs.job_sets import QueueJobs, WaitingSet
from clock.inspection.jobs.pages import queue_place, set_place
from clock.job.flow import batch as batch_module
from clock.job.push.client import using_clock
from clock.store import keys, repairs
from clock.store.jobs.delayed import Delayed
from clock.store.jobs.flow import batches
from clock.store.ledger.held_pushes import holding
from clock.testing import FakeClock, fake, inline
from clock.worker.maintenance.duties import LostChildren
from clock.worker.maintenance.recovery import recover
from tests.job.redis_rows import delayed, waiting
from tests.worker import jobs
from tests.worker.conftest import Bench

Build = Callable[..., Bench]
fails: set[object] = set()  # arguments of jobs that raise
during: list[Callable[[Any], object]] = []  # what a job does, besides


class ImportRowJob(Job):
    retry = 1

    def perform(self, row: object) -> None:
        jobs.note(self.jid, ("import", row))
        for call in during:
            call(self)
        if row in fails:
            raise RuntimeError("bad row")


class UniqueRowJob(ImportRowJob):
    unique = Unique()


class DroppedRowJob(Job):
    def perform(self, row: int) -> None:
        raise Discard("not needed")


class ReportJob(Job):
    def perform(self, what: str) -> None:
        jobs.note(self.jid, ("report", what))


class ImportAllJob(Job):
    def perform(self, rows: list[int]) -> None:
        with Batch(on_success=ReportJob, args=["all"]):
            for row in rows:
                if row in fails:
                    raise RuntimeError("the opener fails")
                ImportRowJob.perform_async(row)


@pytest.fixture(autouse=True)
def _fresh(fake_clock: FakeClock) -> Any:
    fails.clear()
    during.clear()
    with using_clock(fake_clock):
        yield


def three(**more: Any) -> Batch:
    """A batch with all callbacks."""
    names = ("success", "complete", "death")
    callbacks = {f"on_{name}": ReportJob.signature(name) for name in names}
    return Batch(**{**callbacks, **more})


def reports(redis: Redis) -> list[str]:
    """The callbacks that were pushed and have not run."""
    rows = [row for row, _ in delayed(redis)] + waiting(redis)
    return [row["args"][0] for row in rows if row["class"] == "ReportJob"]


def counts(redis: Redis, batch: Batch) -> tuple[int, ...]:
    """(pending, done, ended otherwise)"""
    return tuple(batches.count(redis, [batch.bid])[0])


def state(redis: Redis, batch: Batch) -> str:
    found = batches.read(redis, batch.bid)
    assert found is not None
    return found.state


def move_due(redis: Redis, where: str = "schedule") -> None:
    """Move all delayed jobs to their queues, whenever they are due."""
    rows: Any = redis.zrange(where, 0, -1)
    Delayed(redis).release(where, [(row, json.loads(row)["queue"], row) for row in rows])


def run_dead(bench: Build, redis: Redis) -> None:
    """Run the jobs that wait, with their retries: those that fail are dead then."""
    worker = bench()
    worker.run_all()
    move_due(redis, "retry")
    worker.run_all()


def test_the_last_job_of_a_sealed_batch_pushes_success_and_complete_once(bench: Build, redis: Redis) -> None:
    with three() as batch:
        ImportRowJob.perform_async(1)
        ImportRowJob.perform_bulk([[2], [3]])
        ImportRowJob.perform_in(60, 4)
        bench().run_all()
        assert counts(redis, batch) == (1, 3, 0)
        move_due(redis)
        bench().run_all()
        assert reports(redis) == []  # it is open

    assert sorted(reports(redis)) == ["complete", "success"]
    assert state(redis, batch) == "done"
    batches.seal(redis, batch.bid, now=from_ms(1))
    assert len(reports(redis)) == 2
    move_due(redis)
    bench().run_all()
    assert [what for _, what in jobs.ran][4:] == [("report", "complete"), ("report", "success")]


def test_an_empty_batch_completes_when_it_is_sealed(redis: Redis) -> None:
    with three():
        assert reports(redis) == []

    assert sorted(reports(redis)) == ["complete", "success"]


def test_the_first_dead_job_pushes_death_and_the_last_job_completes(bench: Build, redis: Redis) -> None:
    fails.update((1, 2))
    with three() as batch:
        ImportRowJob.perform_bulk([[1], [2], [3]])
    run_dead(bench, redis)

    assert sorted(reports(redis)) == ["complete", "death"]
    assert counts(redis, batch) == (0, 1, 2)
    assert {child[2:] for child in batches.children(redis, batch.bid, "f")} == {("dead", "ImportRowJob")}


@pytest.mark.parametrize("way", ["enqueue", "reschedule"])
def test_a_dead_job_that_is_retried_by_hand_can_still_cause_success(
    way: str, bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    fails.add(1)
    with three() as outer, three(parent=BatchRef(outer.bid, redis=redis)) as batch:
        ImportRowJob.perform_bulk([[1], [2]])
    run_dead(bench, redis)
    assert sorted(reports(redis)) == ["complete", "complete", "death", "death"]
    fails.clear()
    dead = WaitingSet(redis, "dead")
    if way == "enqueue":
        dead.enqueue(list(set_place(redis, "dead").jobs()), fake_clock.now().timestamp())
    else:
        dead.reschedule(list(set_place(redis, "dead").jobs()), 1.0)
    assert counts(redis, batch) == (1, 1, 0)
    assert counts(redis, outer) == (1, 0, 0)

    move_due(redis)
    bench().run_all()

    assert reports(redis) == ["success", "success"]
    assert counts(redis, batch) == (0, 2, 0)


def test_dropped_cancelled_deleted_and_killed_jobs_count_as_ended_and_are_named(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    with three() as batch:
        jids = {
            "dropped": DroppedRowJob.perform_async(1),
            "cancelled": ImportRowJob.perform_in(60, 2),
            "deleted": ImportRowJob.set(queue="other").perform_async(3),
            "dead": ImportRowJob.set(queue="low").perform_async(4),
        }
        swept = [ImportRowJob.set(queue="swept").perform_async(row) for row in (5, 6)]
        later = ImportRowJob.perform_in(3600, 7)
    JobRef(jids["cancelled"]).cancel()
    QueueJobs(redis, "other").delete(list(queue_place(redis, "other").jobs()))
    Queue("swept").clear()
    WaitingSet(redis, "schedule").clear()
    worker = bench()
    worker.processor.process(worker.take())  # of the queue `default`
    worker.fetcher.acknowledge()
    [row] = waiting(redis, "low")
    redis.lset("queue:low", 0, json.dumps({**row, "worker_killed": 2}))
    doomed = bench("dead:1:a")
    doomed.in_progress.mark(doomed.take())
    redis.zadd("clock:workers", {"dead:1:a": 1})
    recover(redis, clock=fake_clock)

    named = {child.jid: child.how for child in batches.children(redis, batch.bid, "f")}
    assert named == {
        **{jid: how for how, jid in jids.items()},
        **dict.fromkeys([*swept, later], "deleted"),
    }
    assert sorted(reports(redis)) == ["complete", "death"]


def test_an_opener_that_runs_again_adds_the_missing_jobs_only(bench: Build, redis: Redis) -> None:
    fails.add(3)
    ImportAllJob.perform_async([1, 2, 3, 2])
    worker = bench()
    worker.run_all()
    assert [what for _, what in jobs.ran] == [("import", 1), ("import", 2)]
    assert [found.state for found in batches.read_all(redis).values()] == ["open"]
    [opener] = batches.read_all(redis).values()
    assert opener.opener is not None
    fails.clear()
    retried = json.loads(list_of(redis.zrange("retry", 0, -1))[0])
    redis.delete("retry")
    redis.lpush("queue:default", json.dumps({**retried, "args": [[2, 3, 1, 2]]}))  # its rows come in another order

    worker.run_all()

    assert sorted(str(what) for _, what in jobs.ran) == [str(("import", row)) for row in (1, 2, 2, 3)]
    assert reports(redis) == ["all"]
    redis.lpush("queue:default", json.dumps(retried))  # it was done, but its worker died before it said so
    worker.run_all()
    assert len(jobs.ran) == 4
    assert reports(redis) == ["all"]


def list_of(found: Any) -> list[Any]:
    return list(found)


def test_a_job_adds_jobs_to_its_own_batch_each_once(bench: Build, redis: Redis) -> None:
    def add(job: Job) -> None:
        if not job.context.args[0]:
            with job.batch:
                ImportRowJob.perform_async("more")
            with job.batch:
                ImportRowJob.perform_async("more")
            ImportRowJob.perform_async("apart")

    during.append(add)
    fails.add(0)  # it runs twice
    with three() as batch:
        ImportRowJob.perform_async(0)
    run_dead(bench, redis)

    assert [what for _, what in jobs.ran].count(("import", "more")) == 2
    assert counts(redis, batch) == (0, 2, 1)
    with pytest.raises(JobError, match=r"self.batch is for jobs that a batch pushed"):
        ImportRowJob.perform_inline(0)


def test_a_batch_waits_for_the_batches_in_it(bench: Build, redis: Redis) -> None:
    with Batch(on_success=ReportJob, args=["outer"]) as outer:
        with Batch(on_success=ReportJob, args=["inner"], parent=outer) as inner:
            ImportRowJob.perform_async(1)
        ImportRowJob.perform_async(2)
    assert counts(redis, outer) == (2, 0, 0)
    assert counts(redis, inner) == (1, 0, 0)

    bench().run_all()

    assert sorted(reports(redis)) == ["inner", "outer"]
    with pytest.raises(BatchDone, match=rf"the batch {outer.bid} is done or unknown"), Batch(parent=outer):
        pass


def test_a_blocked_job_that_is_removed_has_ended(bench: Build, redis: Redis) -> None:
    limits = [Limit("crm", 1)]
    with three() as batch:
        ImportRowJob.set(limits=limits).perform_bulk([[1], [2]])
    bench("another:1:a").take()  # it holds the only place
    bench().fetcher.claim(1)
    [blocked] = list_of(redis.zrange(keys.BLOCKED, 0, -1))

    assert repairs.remove_waiting(redis, keys.BLOCKED, [blocked]) == 1

    assert counts(redis, batch) == (1, 0, 1)


def push_and_fail() -> None:
    ImportRowJob.perform_async(1)
    raise RuntimeError


def test_a_block_that_fails_leaves_the_batch_open(bench: Build, redis: Redis) -> None:
    with pytest.raises(RuntimeError), three(id="monthly") as batch:
        push_and_fail()
    bench().run_all()
    assert state(redis, batch) == "open"

    with three(id="monthly") as batch:
        ImportRowJob.perform_async(1)

    assert sorted(reports(redis)) == ["complete", "success"]
    assert len(jobs.ran) == 1


async def push_and_fail_later(batch: Batch) -> None:
    async with batch:
        await ImportRowJob.aperform_async(1)
        raise RuntimeError


def test_a_block_in_a_coroutine_that_fails_leaves_the_batch_open(bench: Build, redis: Redis) -> None:
    batch = three()
    with pytest.raises(RuntimeError):
        asyncio.run(push_and_fail_later(batch))
    bench().run_all()

    assert state(redis, batch) == "open"
    assert reports(redis) == []


def test_a_batch_has_one_block(redis: Redis) -> None:
    with Batch() as batch:
        ImportRowJob.perform_async(1)

    with pytest.raises(JobError, match="a batch has one block; make another Batch"), batch:
        pass
    assert len(waiting(redis)) == 1


def test_a_job_whose_batch_is_gone_cannot_add_to_it(bench: Build, redis: Redis) -> None:
    errors: list[BatchDone] = []

    def add(job: Job) -> None:
        redis.delete(*redis.keys("clock:batch*"))
        with pytest.raises(BatchDone) as raised, job.batch:
            ImportRowJob.perform_async("more")
        errors.append(raised.value)

    during.append(add)
    with Batch() as batch:
        ImportRowJob.perform_async(0)
    bench().run_all()

    assert batch.bid in str(errors[0])
    assert waiting(redis) == []


def test_the_openers_of_batches_that_a_process_remembers_are_bounded(
    bench: Build, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_module, "_opened", OrderedDict())
    monkeypatch.setattr(batch_module, "_MOST_OPENERS", 3)
    ImportAllJob.perform_bulk([[[]]] * 10)

    bench().run_all()

    assert len(batch_module._opened) == 3


def test_a_unique_job_that_is_kept_out_is_not_in_the_batch(bench: Build, redis: Redis) -> None:
    first = UniqueRowJob.perform_async(1)
    with three() as batch:
        assert UniqueRowJob.perform_async(1) == first
        UniqueRowJob.perform_async(2)
    assert counts(redis, batch) == (1, 0, 0)

    bench().run_all()

    assert sorted(reports(redis)) == ["complete", "success"]
    assert redis.hlen(keys.UNIQUE) == 0


def test_the_jobs_of_a_firing_and_their_batch_are_held_together(redis: Redis) -> None:
    with holding("nightly", 0, None) as held, three() as batch:
        jid = ImportRowJob.perform_async(1)

    assert batches.read(redis, batch.bid) is None
    assert [(one.bid, one.is_sealed) for one in held.batches] == [(batch.bid, True)]
    [push] = held.pushes
    assert (push.lock.bid, push.lock.jid) == (batch.bid, jid) if push.lock else False


def test_a_job_that_is_done_pushes_the_job_that_follows(bench: Build, redis: Redis, fake_clock: FakeClock) -> None:
    last = ReportJob.set(queue="low", wait=60).signature("last")
    then = ImportRowJob.set(then=last).signature(2)
    with three() as batch:
        ImportRowJob.set(then=then).perform_async(1)
    bench().run_all()
    [(second, due)] = delayed(redis)
    assert (second["args"], due) == ([2], fake_clock.now().timestamp())
    assert counts(redis, batch) == (1, 1, 0)
    move_due(redis)
    bench().run_all()
    third, due = next(row for row in delayed(redis) if row[0]["args"] == ["last"])
    assert (third["queue"], due) == ("low", fake_clock.now().timestamp() + 60)
    assert counts(redis, batch) == (1, 2, 0)


def test_a_job_that_is_dropped_pushes_no_following_job(bench: Build, redis: Redis) -> None:
    DroppedRowJob.set(then=ReportJob.signature("after")).perform_async(1)

    bench().run_all()

    assert redis.get("stat:processed") == b"1"
    assert delayed(redis) == []


def test_a_job_may_follow_at_an_instant(bench: Build, redis: Redis, fake_clock: FakeClock) -> None:
    noon = fake_clock.now() + timedelta(hours=6)
    ImportRowJob.set(then=ReportJob.set(wait_until=noon).signature("at noon")).perform_async(1)

    bench().run_all()

    [(after, due)] = delayed(redis)
    assert (after["args"], from_ms(round(1000 * due))) == (["at noon"], noon)


def test_a_job_that_fails_pushes_no_following_job_until_it_succeeds(bench: Build, redis: Redis) -> None:
    fails.add(1)
    jid = ImportRowJob.set(then=ReportJob.signature("after"), result_ttl=60).perform_async(1)
    run_dead(bench, redis)
    assert reports(redis) == []
    fails.clear()
    dead = WaitingSet(redis, "dead")
    dead.enqueue(list(set_place(redis, "dead").jobs()), 0.0)
    bench().run_all()

    [(after, _)] = delayed(redis)
    assert after["args"] == ["after"]
    assert after["jid"] != jid


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: Batch(on_success=ReportJob), "perform"),
        (lambda: Batch(on_success=ReportJob.set(wait=5), args=["x"]).__enter__(), "cannot wait"),
        (lambda: Batch(on_success=UniqueRowJob, args=[1]).__enter__(), "cannot be unique"),
        (lambda: Batch(on_success="ReportJob"), "is not a callback"),  # type: ignore[arg-type]  # the mistake
        (lambda: Batch(id="a b"), "letters, digits"),
        (lambda: Batch().bid, "no id before its block"),
        (lambda: Batch(on_success=dict), "is not a callback"),  # type: ignore[arg-type]  # the mistake
        (
            lambda: ImportRowJob.set(then=ReportJob.set(jid="mine").signature("x")).perform_async(1),
            "cannot have jid",
        ),
        (lambda: ImportRowJob.set(then=ReportJob), "SomeJob.signature"),  # type: ignore[arg-type]  # the mistake
        (lambda: ImportRowJob.set(then=UniqueRowJob.signature(1)).perform_async(1), "cannot be unique"),
        (lambda: ReportJob.signature(*[]), "perform"),
    ],
)
def test_a_mistake_is_named_before_anything_is_pushed(
    wrong: Callable[[], object], words: str, redis: Redis
) -> None:
    with pytest.raises((JobError, ArgumentsError), match=words):
        wrong()

    assert waiting(redis) == []
    assert batches.read_all(redis) == {}


def test_options_that_a_batch_cannot_keep_are_refused(redis: Redis) -> None:
    with Batch():
        with pytest.raises(JobError, match="at_front is not for jobs in a batch"):
            ImportRowJob.set(at_front=True).perform_async(1)
        with pytest.raises(JobError, match="enqueue_after_commit is not for jobs in a batch"):
            ImportRowJob.set(enqueue_after_commit=lambda push: None).perform_async(1)
    assert waiting(redis) == []


def test_a_batch_in_a_coroutine(redis: Redis) -> None:
    async def push() -> str:
        async with three() as batch:
            await ImportRowJob.aperform_async(1)
            await ImportRowJob.aperform_bulk([[2]])
        return batch.bid

    bid = asyncio.run(push())

    assert batches.count(redis, [bid])[0].pending == 2


@pytest.mark.slow
async def ids_before_a_thread_is_free(*opened: Batch) -> list[str]:
    loop, is_free = asyncio.get_running_loop(), threading.Event()
    loop.set_default_executor(ThreadPoolExecutor(1))
    busy = loop.run_in_executor(None, is_free.wait)
    opening = [asyncio.create_task(batch.__aenter__()) for batch in opened]
    try:
        await asyncio.sleep(0)
        return [batch.bid for batch in opened]
    finally:
        is_free.set()
        await asyncio.gather(busy, *opening)


def test_batches_that_are_opened_together_have_ids_that_do_not_depend_on_threads(redis: Redis) -> None:
    """A job that runs again would mix up its batches, and callbacks would be lost."""
    first, second = Batch(), Batch()

    assert asyncio.run(ids_before_a_thread_is_free(first, second)) == [first.bid, second.bid]


def test_what_is_left_of_a_batch_is_removed_after_a_week(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    with Batch() as batch:
        ImportRowJob.perform_bulk([[row] for row in range(1500)])
    bench().run_all()
    for _ in range(2):
        batches.open_batch(redis, "other", batches.Batch(), now=fake_clock.now())
    assert redis.zcard(keys.BATCH_CHILDREN) == 0
    assert state(redis, batch) == "done"
    week = 7 * 86_400_000
    for _ in range(2):
        batches.open_batch(redis, "other", batches.Batch(), now=from_ms(to_ms(fake_clock.now()) + week))

    assert list(batches.read_all(redis)) == ["other"]
    assert redis.zcard(keys.BATCH_REMOVALS) == 0


def test_fake_collects_the_jobs_and_their_callbacks() -> None:
    with fake():
        with three():
            ImportRowJob.set(then=ImportRowJob.signature(2)).perform_async(1)
        assert len(ImportRowJob.jobs) == 1
        ImportRowJob.drain()
        assert [payload["args"] for payload in ReportJob.jobs] == [["complete"], ["success"]]
        fails.add(1)
        with three() as batch:
            ImportRowJob.perform_async(1)
            with three(parent=batch):
                ImportRowJob.perform_async(2)
        with pytest.raises(RuntimeError):
            ImportRowJob.drain()
        ImportRowJob.drain()
        named = [payload["args"][0] for payload in ReportJob.jobs][2:]  # type: ignore[index]  # a list
        assert named == ["death", "complete", "success", "complete"]


def test_inline_runs_the_callbacks_when_the_block_ends() -> None:
    with inline(), three():
        ImportRowJob.set(then=ImportRowJob.signature(2)).perform_async(1)
        assert [what for _, what in jobs.ran] == [("import", 1), ("import", 2)]

    assert [what for _, what in jobs.ran][2:] == [("report", "complete"), ("report", "success")]


def test_a_job_that_another_program_removed_is_ended_after_two_looks(
    redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    with three() as batch:
        jid = ImportRowJob.perform_async(1)
        kept = ImportRowJob.perform_in(60, 2)
    redis.delete("queue:default")
    now = fake_clock.now()
    assert f"{jid} of {batch.bid} (lost)" in children_finding(redis, now).found
    looks = LostChildren(redis, "me", clock=fake_clock)

    assert [looks.check(now) for _ in range(3)] == [0, 1, 0]

    assert [child[:3] for child in batches.children(redis, batch.bid, "f")] == [(jid, "f", "lost")]
    assert [child.jid for child in batches.children(redis, batch.bid, "p")] == [kept]
    assert children_finding(redis, now).grade is Grade.GOOD
    assert redis.get(keys.BATCH_LOST) == b"1"
    assert f"{jid} of {batch.bid}" in caplog.text
    assert batches.claim_check(redis, "me", seconds=60)
    assert batches.claim_check(redis, "me", seconds=60)
    assert not batches.claim_check(redis, "other", seconds=60)


def test_a_dead_job_that_another_program_enqueued_is_pending_again(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    fails.add(1)
    with three() as batch:
        ImportRowJob.perform_async(1)
    run_dead(bench, redis)
    fails.clear()
    [dead] = list_of(redis.zrange("dead", 0, -1))
    redis.delete("dead")
    redis.lpush("queue:default", dead)
    now = fake_clock.now()
    assert "(living)" in children_finding(redis, now).found

    assert correct_children(redis, now) == 1

    assert counts(redis, batch) == (1, 0, 0)
    bench().run_all()
    assert sorted(reports(redis)) == ["complete", "death", "success"]


def test_doctor_names_a_batch_that_has_been_open_for_an_hour(redis: Redis, fake_clock: FakeClock) -> None:
    batches.open_batch(redis, "forgotten", batches.Batch(created=to_ms(fake_clock.now())), now=from_ms(0))
    hour = fake_clock.now() + timedelta(hours=1)

    assert [finding.grade for finding in open_batches(redis, hour)] == [Grade.GOOD]
    [finding] = open_batches(redis, hour + timedelta(milliseconds=1))
    assert "forgotten" in finding.found
    assert BatchRef("forgotten").seal()
    assert [finding.grade for finding in open_batches(redis, hour + timedelta(milliseconds=1))] == [Grade.GOOD]


def test_a_job_stays_in_progress_if_its_batch_cannot_be_written(bench: Build, redis: Redis) -> None:
    with three() as batch:
        ImportRowJob.perform_async(1)
    redis.rename(keys.BATCH_CHILDREN, "kept")
    redis.set(keys.BATCH_CHILDREN, "of another program")
    worker = bench()
    worker.run_all()
    assert len(worker.in_progress.all()) == 1
    redis.delete(keys.BATCH_CHILDREN)
    redis.rename("kept", keys.BATCH_CHILDREN)

    worker.fetcher.give_back_all()
    worker.run_all()

    assert counts(redis, batch) == (0, 1, 0)
    assert sorted(reports(redis)) == ["complete", "success"]
