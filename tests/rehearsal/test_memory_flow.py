"""Rules of jobs in tests without Redis: `fake()` and `inline()` keep them as the scripts do."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from clock import Batch, BatchDone, Discard, IterableJob, Job, JobResult, NotUnique, Unique
from clock.api import cancel
from clock.errors import JobError
from clock.job.push.client import using_clock
from clock.rehearsal.job_modes import Mode
from clock.testing import FakeClock, all_jobs, drain_all, fake, inline, mode

ran: list[object] = []
around: list[Callable[[], object]] = []


class BakeLoafJob(Job):
    unique: ClassVar[bool | Unique | None] = True
    result_ttl = 60

    def perform(self, kind: str, weight: int = 1) -> str:
        ran.append(kind)
        for call in around:
            call()
        if kind == "stale":
            raise Discard("stale")
        return kind


class KneadDoughJob(BakeLoafJob):
    unique = None


class TellBakerJob(Job):
    def perform(self, event: str) -> None:
        ran.append(event)


class LockOvenJob(Job):
    encrypt = True

    def perform(self, oven: int, secret: dict[str, str]) -> None:
        ran.append(secret)


class BakeAllJob(IterableJob):
    exactly_once = True

    def items(self, *, cursor: int | None) -> Iterator[tuple[int, str]]:
        yield from [(0, "rye"), (1, "rye")]

    def each(self, kind: str) -> None:
        with self.batch:
            KneadDoughJob.perform_async(kind)


def reported(**more: Any) -> Batch:
    success, complete, death = map(TellBakerJob.signature, ("success", "complete", "death"))
    return Batch(on_success=success, on_complete=complete, on_death=death, **more)


@pytest.fixture(autouse=True)
def fake_clock() -> Iterator[FakeClock]:
    ran.clear()
    around.clear()
    clock = FakeClock(datetime(2026, 11, 24, 6, tzinfo=UTC))
    with using_clock(clock):
        yield clock


@pytest.fixture(params=[fake, inline])
def run_all(request: pytest.FixtureRequest) -> Iterator[Callable[[], object]]:
    """Both modes; runs what was collected."""
    chosen: Callable[[], Mode] = request.param
    with chosen():
        yield drain_all if mode() == "fake" else lambda: 0


def test_a_window_lasts_after_the_job(run_all: Callable[[], object], fake_clock: FakeClock) -> None:
    throttled = BakeLoafJob.set(unique=Unique(window=timedelta(minutes=10)))
    first = throttled.perform_async("rye")
    run_all()

    assert throttled.perform_async("rye") == first
    fake_clock.advance(timedelta(minutes=10))
    assert throttled.perform_async("rye") != first


def test_a_running_job_keeps_its_lock(run_all: Callable[[], object]) -> None:
    found: list[str] = []
    around.append(lambda: found.append(BakeLoafJob.perform_async("rye")))
    jid = BakeLoafJob.set(jid="first").perform_async("rye")
    run_all()

    assert (ran, found) == (["rye"], [jid])


def test_a_lock_until_the_start_is_free_while_the_job_runs(run_all: Callable[[], object]) -> None:
    rule = BakeLoafJob.set(unique=Unique(until="start"))
    around.append(lambda: len(ran) < 3 and rule.perform_async("rye"))
    rule.perform_async("rye")
    run_all()

    assert ran == ["rye"] * 3


def test_a_conflict_raises_if_the_rule_requests_that(run_all: Callable[[], object]) -> None:
    rule = BakeLoafJob.set(unique=Unique(on_conflict="raise", window=60))
    rule.perform_async("rye")

    with pytest.raises(NotUnique):
        rule.perform_async("rye")


def test_a_job_that_a_lock_keeps_out_is_not_in_the_batch(run_all: Callable[[], object]) -> None:
    with reported():
        BakeLoafJob.perform_async("rye")
        BakeLoafJob.perform_async("rye")
    run_all()

    assert ran[-2:] == ["complete", "success"]


def test_a_batch_of_a_name_is_opened_once(run_all: Callable[[], object], caplog: pytest.LogCaptureFixture) -> None:
    with reported(id="monthly"):
        KneadDoughJob.perform_async("rye")
    run_all()
    with reported(id="monthly"):
        KneadDoughJob.perform_async("wheat")
    run_all()

    assert ran == ["rye", "complete", "success"]
    assert "Pushed no KneadDoughJob: the batch monthly is done" in caplog.text


@pytest.mark.parametrize("is_done", [False, True])
def test_a_batch_cannot_be_in_one_that_is_unknown_or_done(run_all: Callable[[], object], *, is_done: bool) -> None:
    if is_done:
        with Batch(id="yearly"):
            pass

    with pytest.raises(BatchDone, match="the batch yearly is done or unknown"), Batch(parent="yearly"):
        pass


def test_a_block_that_ends_in_another_fake_ends_nothing_there() -> None:
    batch = reported()
    with fake():
        batch.__enter__()
    with fake():
        batch.__exit__(None, None, None)

        assert all_jobs() == []


def test_a_following_job_is_collected_with_its_time(fake_clock: FakeClock) -> None:
    noon = fake_clock.now() + timedelta(hours=6)
    due: dict[str, dict[str, Any]] = {
        "noon": {"wait_until": noon},
        "soon": {"wait": 60},
        "past": {"wait_until": fake_clock.now()},
    }
    with fake():
        for name, when in due.items():
            KneadDoughJob.set(then=TellBakerJob.set(**when).signature(name)).perform_async("rye")
        KneadDoughJob.drain()

        collected: list[Any] = list(TellBakerJob.jobs)
    found = {payload["args"][0]: payload.get("at") for payload in collected}
    assert found == {"noon": noon.timestamp(), "soon": fake_clock.now().timestamp() + 60, "past": None}


def test_a_replaced_job_has_ended_for_its_batch() -> None:
    rule = BakeLoafJob.set(unique=Unique(by="kind", on_conflict="replace"))
    with fake():
        with reported():
            old = rule.perform_async("rye", 1)
            rule.perform_async("rye", 2)
        assert [job["args"] for job in BakeLoafJob.jobs] == [["rye", 2]]
        assert JobResult(old).status == "dropped"
        drain_all()

    assert ran == ["rye", "complete"]


def test_a_dropped_job_is_not_done(run_all: Callable[[], object]) -> None:
    with reported():
        jid = KneadDoughJob.set(then=TellBakerJob.signature("then")).perform_async("stale")
    run_all()

    assert ran == ["stale", "complete"]
    assert JobResult(jid).status == "dropped"


def test_a_job_that_fails_in_a_coroutines_push_has_a_result() -> None:
    around.append(lambda: 1 / 0)
    with inline():
        with pytest.raises(ZeroDivisionError):
            asyncio.run(KneadDoughJob.set(jid="j1").aperform_async("rye"))

        assert JobResult("j1").status == "failed"


def test_a_following_job_and_a_callback_get_their_arguments_decrypted(run_all: Callable[[], object]) -> None:
    signature = LockOvenJob.signature(1, {"code": "7"})
    with Batch(on_success=signature):
        KneadDoughJob.set(then=signature).perform_async("rye")
    run_all()

    assert ran == ["rye", {"code": "7"}, {"code": "7"}]


def test_jobs_of_an_exactly_once_item_are_in_its_batch() -> None:
    with fake():
        with reported():
            BakeAllJob.perform_async()
        BakeAllJob.drain()
        assert [job["class"] for job in all_jobs()] == ["KneadDoughJob"] * 2
        drain_all()
    assert ran == ["rye", "rye", "complete", "success"]


def test_a_collected_job_is_cancelled() -> None:
    with fake():
        with reported():
            jid = BakeLoafJob.perform_async("rye")
        assert (cancel(jid), cancel(jid)) == (True, False)
        drain_all()
        assert ran == ["complete"]
        assert JobResult(jid).status == "cancelled"
        assert BakeLoafJob.perform_async("rye") != jid, "its lock is free"
    with inline():
        assert not cancel(KneadDoughJob.perform_async("rye"))


def test_a_following_job_is_refused_if_the_first_one_is_not_pushed() -> None:
    with pytest.raises(JobError, match="KneadDoughJob: perform_inline pushes no following job"):
        KneadDoughJob.set(then=TellBakerJob.signature("then")).perform_inline("rye")
