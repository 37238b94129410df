"""`result_ttl` and cancelling in a worker."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from redis import Redis

from clock import Discard, IterableJob, Job, JobFailed, JobResult
from clock.api import JobRef, cancel
from clock.clocks import from_ms, to_ms
from clock.errors import ResultMissing
from clock.job import Context
from clock.store import keys
from clock.store.jobs import cancellations
from clock.testing import FakeClock, fake, inline, world
from clock.worker.maintenance.duties import cancel_running
from tests.job.redis_rows import waiting
from tests.servers import lifetime
from tests.worker import jobs
from tests.worker.conftest import NOW, Bench
from tests.worker.jobs import NoteThingJob

Build = Callable[..., Bench]
around: list[Callable[[], object]] = []


class SumThingsJob(Job):
    result_ttl = timedelta(minutes=5)

    def perform(self, *numbers: int) -> Any:
        if not numbers:
            raise Discard("nothing to add")
        return {"sum": sum(numbers)}


class BreakSumJob(Job):
    result_ttl = 60
    retry = 1

    def perform(self) -> None:
        raise ValueError("no sum ß")


class LargeThingJob(Job):
    result_ttl = 60

    async def perform(self, size: int) -> Any:
        return "ß" * size if size else {1, 2}


class CheckThingsJob(IterableJob):
    result_ttl = 60

    def items(self, *, cursor: int | None) -> Iterator[tuple[int, int]]:
        yield from ((number, number) for number in range((cursor or 0) + 1, 5))

    def each(self, number: int) -> None:
        jobs.note(self.jid, number)
        if number == 2:
            around[0]()


class AwaitLongJob(Job):
    async def perform(self) -> None:
        around[0]()
        await asyncio.sleep(30)


class IgnoreCancelJob(Job):
    def perform(self, fails: bool) -> None:
        around[0]()
        jobs.note(self.jid, self.cancelled)
        if fails:
            raise RuntimeError("boom")


def marks(redis: Redis) -> set[str]:
    return cancellations.marked(redis, now=from_ms(0))


def cancel_it(redis: Redis, worker: Bench, clock: FakeClock) -> None:
    """Cancel the running job, and let the worker's heartbeat notice it."""
    job = worker.fetcher.slots[0].job
    assert job is not None
    jid = json.loads(job.payload)["jid"]
    cancellations.mark(redis, [jid], now=clock.now())
    cancel_running(redis, worker.fetcher.slots, clock=clock)


def test_the_result_is_written_when_the_job_is_acknowledged_and_expires(bench: Build, redis: Redis) -> None:
    jid = SumThingsJob.perform_async(1, 2**70)
    result = JobResult(jid)
    assert result.status == "unknown"
    with pytest.raises(TimeoutError, match=f"the job {jid} has no result after 0 s"):
        result.get(timeout=0)

    bench().run_all()

    assert result.get(timeout=0) == {"sum": 2**70 + 1}
    assert asyncio.run(JobResult(jid).aget(timeout=0)) == {"sum": 2**70 + 1}
    assert redis.pttl(f"clock:job_result:{jid}") in lifetime(300)
    assert redis.keys("clock:in_progress:*") == []
    assert redis.get("stat:processed") == b"1"


@pytest.mark.parametrize("get", [JobResult.get, lambda result: asyncio.run(result.aget())])
def test_a_caller_waits_until_the_job_has_ended(
    bench: Build, redis: Redis, get: Callable[[JobResult], Any]
) -> None:
    class EndingJobResult(JobResult):
        """The job ends after the caller has looked once."""

        def _read(self) -> Mapping[str, str]:
            found = super()._read()
            if not found:
                bench().run_all()
            return found

    assert get(EndingJobResult(SumThingsJob.perform_async(1, 2))) == {"sum": 3}


def test_a_job_without_the_option_keeps_nothing(bench: Build, redis: Redis) -> None:
    NoteThingJob.perform_async(1)

    bench().run_all()

    assert redis.keys("clock:job_result:*") == []


def test_a_failure_is_a_result_only_when_it_is_final(bench: Build, redis: Redis) -> None:
    jid = BreakSumJob.perform_async()
    bench().run_all()
    assert JobResult(jid).status == "unknown"
    [member] = list_of(redis.zrange("retry", 0, -1))
    redis.lpush("queue:default", member)

    bench().run_all()

    with pytest.raises(JobFailed, match=f"the job {jid} failed: ValueError: no sum ß") as caught:
        JobResult(jid).get()
    assert (caught.value.status, caught.value.error_class) == ("failed", "ValueError")


def test_a_dropped_job_says_why(bench: Build) -> None:
    jid = SumThingsJob.perform_async()

    bench().run_all()

    with pytest.raises(JobFailed, match="was dropped: Discard: nothing to add"):
        JobResult(jid).get()


@pytest.mark.parametrize(("size", "why"), [(40_000, "over the limit of 65536"), (0, "not support a set")])
def test_a_result_that_cannot_be_kept_is_named(bench: Build, redis: Redis, size: int, why: str) -> None:
    jid = LargeThingJob.perform_async(size)

    bench().run_all()

    assert JobResult(jid).status == "done"
    with pytest.raises(ResultMissing, match=why):
        JobResult(jid).get()


class ReturnOddJob(Job):
    result_ttl = 60
    odd: ClassVar[Any] = None

    def perform(self) -> Any:
        return self.odd


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        ({"path": ["a\udcff"]}, "it has text that is not valid UTF-8"),
        (float("nan"), "JSON does not support a value in this float"),
    ],
)
def test_a_job_is_done_even_if_redis_cannot_hold_its_result(
    bench: Build, redis: Redis, monkeypatch: pytest.MonkeyPatch, odd: object, why: str
) -> None:
    monkeypatch.setattr(ReturnOddJob, "odd", odd)
    jid = ReturnOddJob.perform_async()

    bench().run_all()

    assert redis.zcard("dead") == 0
    with pytest.raises(ResultMissing, match=why):
        JobResult(jid).get(timeout=0)


def test_the_limit_can_be_raised_for_one_push(bench: Build) -> None:
    jid = LargeThingJob.set(result_limit=100_000).perform_async(40_000)

    bench().run_all()

    assert JobResult(jid).get() == "ß" * 40_000


def test_tests_have_results_too() -> None:
    with inline():
        assert JobResult(SumThingsJob.perform_async(1, 2)).get() == {"sum": 3}
    with fake():
        jid = SumThingsJob.perform_async(1, 2)
        assert JobResult(jid).status == "unknown"
        SumThingsJob.drain()
        assert JobResult(jid).get() == {"sum": 3}
    with world("2026-03-02 09:00") as w:
        jid = w.enqueue(SumThingsJob, 4)
        w.run(minutes=1)
        assert b"4" in (w.redis.hget(f"clock:job_result:{jid}", "value") or b"")


@pytest.mark.parametrize("push", ["perform_async", "perform_in"])
def test_a_program_that_waits_for_a_cancelled_job_is_told(redis: Redis, push: str) -> None:
    args = (60, 1) if push == "perform_in" else (1,)
    jid = getattr(SumThingsJob, push)(*args)
    other = SumThingsJob.set(result_ttl=None).perform_async(1)

    assert cancel(jid)
    assert cancel(other)

    assert JobResult(jid).status == "cancelled"
    with pytest.raises(JobFailed, match="cancelled"):
        JobResult(jid).get(timeout=1)
    assert 0 < redis.ttl(f"clock:job_result:{jid}") <= 300
    assert JobResult(other).status == "unknown"


@pytest.mark.parametrize("push", ["perform_async", "perform_in"])
def test_a_waiting_job_is_deleted_at_once(redis: Redis, push: str) -> None:
    args = (60, 1) if push == "perform_in" else (1,)
    jid = getattr(NoteThingJob, push)(*args)

    assert cancel(jid)

    assert waiting(redis) == []
    assert redis.zcard("schedule") == 0
    assert marks(redis) == set()
    assert not cancel(jid)


def test_a_job_that_the_search_missed_is_removed_when_it_is_claimed(bench: Build, redis: Redis) -> None:
    jid = SumThingsJob.perform_async(1)
    cancellations.mark(redis, [jid], now=NOW)
    NoteThingJob.perform_async("other")

    bench().run_all()

    assert JobResult(jid).status == "cancelled"
    assert [thing for _, thing in jobs.ran] == ["other"]
    assert marks(redis) == set()
    assert redis.get("stat:processed") == b"1"


def test_a_running_iteration_ends_after_its_item(bench: Build, redis: Redis, fake_clock: FakeClock) -> None:
    worker = bench()
    around[:] = [lambda: cancel_it(redis, worker, fake_clock)]
    jid = CheckThingsJob.perform_async()

    worker.run_all()

    assert [thing for _, thing in jobs.ran] == [1, 2]
    assert JobResult(jid).status == "cancelled"
    assert redis.keys("clock:in_progress:*") == []
    assert redis.zcard("retry") == 0
    assert marks(redis) == set()


def test_a_coroutine_is_cancelled_where_it_waits(bench: Build, redis: Redis, fake_clock: FakeClock) -> None:
    worker = bench()
    around[:] = [lambda: cancel_it(redis, worker, fake_clock)]
    AwaitLongJob.perform_async()

    worker.run_all()

    assert redis.zcard("retry") == 0
    assert redis.keys("clock:in_progress:*") == []


@pytest.mark.parametrize("fails", [True, False])
def test_a_job_that_does_not_check_runs_to_its_end_and_is_not_tried_again(
    bench: Build, redis: Redis, fake_clock: FakeClock, fails: bool
) -> None:
    worker = bench()
    around[:] = [lambda: cancel_it(redis, worker, fake_clock)]
    IgnoreCancelJob.perform_async(fails)

    worker.run_all()

    assert [thing for _, thing in jobs.ran] == [True]
    assert redis.zcard("retry") == 0
    assert marks(redis) == set()


def test_check_raises_only_in_a_cancelled_job() -> None:
    job = NoteThingJob.for_context(Context())
    job.check()
    for _ in range(2):
        job.context.state.cancel()

    with pytest.raises(BaseException, match="it was cancelled") as caught:
        job.check()
    assert not isinstance(caught.value, Exception)


def test_a_parked_and_a_running_job_can_be_cancelled(bench: Build, redis: Redis) -> None:
    jid = NoteThingJob.perform_async(1)
    worker = bench()
    claimed = worker.take()

    assert JobRef(jid).cancel()

    assert marks(redis) == {jid}
    worker.fetcher.give_back_all()
    bench("host:2:def").run_all()
    assert claimed
    assert jobs.ran == []


def list_of(members: Any) -> list[bytes]:
    return list(members)


def test_a_worker_renews_the_mark_of_a_cancelled_job_while_it_runs(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    worker, scores = bench(), list[float | None]()
    jid = IgnoreCancelJob.perform_async(False)

    def beat_twice() -> None:
        cancel_running(redis, worker.fetcher.slots, clock=fake_clock)
        cancellations.mark(redis, [jid], now=fake_clock.now(), seconds=60)
        cancel_running(redis, worker.fetcher.slots, clock=fake_clock)
        scores.append(redis.zscore(keys.CANCELLED, jid))

    around[:] = [beat_twice]
    worker.run_all()

    assert scores == [to_ms(fake_clock.now() + timedelta(days=1))]
    assert marks(redis) == set()
