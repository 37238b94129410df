"""`IterableJob` in a worker: where it continues, what a stop costs, and what is pushed once."""

import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from operator import itemgetter
from typing import Any

import pytest
from redis import Redis

from clock import Batch, IterableJob, Job
from clock.errors import JobError, StoreUnavailable
from clock.job import Context, registry
from clock.job.context import RunState
from clock.job.push.client import ToRedis, using_clock
from clock.store.jobs.flow import batches
from clock.store.jobs.flow.unique_locks import held
from clock.testing import FakeClock, fake, inline, world
from clock.worker.heartbeat.heartbeat import WorkerDescription
from clock.worker.maintenance.recovery import recover
from clock.worker.options import Queue, WorkerOptions
from tests.job.redis_rows import delayed, waiting
from tests.worker.conftest import Bench

Build = Callable[..., Bench]
seen: list[Any] = []
around: list[Callable[[int], object]] = []


@pytest.fixture(autouse=True)
def _empty() -> None:
    seen.clear()
    around.clear()


class ChildJob(Job):
    queue = "children"

    def perform(self, number: int) -> None: ...


class CountThingsJob(IterableJob):
    def items(self, stop: int, name: str = "", *, cursor: int | None) -> Iterator[tuple[int, int]]:
        for number in range((cursor or 0) + 1, stop + 1):
            yield number, number

    def each(self, number: int, stop: int, name: str = "") -> None:
        for call in around:
            call(number)
        seen.append(number)

    def count(self, stop: int, name: str = "") -> int:
        return stop


class FanOutJob(CountThingsJob):
    exactly_once = True

    def each(self, number: int, stop: int, name: str = "") -> None:
        ChildJob.perform_async(number)
        ChildJob.perform_in(60, number)
        super().each(number, stop, name)


class FanNothingOutJob(CountThingsJob):
    exactly_once = True


class UniqueChildJob(ChildJob):
    unique = True


class UniqueFanOutJob(CountThingsJob):
    exactly_once = True

    def each(self, number: int, stop: int, name: str = "") -> None:
        UniqueChildJob.perform_async(number % 2)


class AwaitThingsJob(IterableJob):
    async def items(self, stop: int, *, cursor: int | None) -> AsyncIterator[tuple[int, int]]:
        for number in range((cursor or 0) + 1, stop + 1):
            yield number, number

    async def each(self, number: int, stop: int) -> None:
        for call in around:
            call(number)
        seen.append(number)


def at(number: int, call: Callable[[], object]) -> None:
    around.append(lambda found: call() if found == number else None)


def boom() -> None:
    around.clear()
    raise RuntimeError("boom")


def retried(redis: Redis) -> list[dict[str, Any]]:
    members: Any = redis.zrange("retry", 0, -1)
    return [json.loads(member) for member in members]


def test_it_handles_each_item_in_order_and_is_done(bench: Build, redis: Redis) -> None:
    CountThingsJob.perform_async(3, name="x")

    bench().run_all()

    assert seen == [1, 2, 3]
    assert redis.keys("clock:in_progress:*") == []
    assert int(redis.get("stat:processed") or 0) == 1


@pytest.mark.parametrize("job", [CountThingsJob, AwaitThingsJob])
def test_a_stop_is_no_attempt_and_the_job_continues_after_the_last_item(
    bench: Build, redis: Redis, job: Any
) -> None:
    jid = job.perform_async(4)
    worker = bench()
    at(2, worker.fetcher.claims.stopped.set)

    worker.processor.process(worker.take())

    [payload] = waiting(redis)
    assert payload["jid"] == jid
    assert payload["iteration"]["cursor"] == 2
    assert "retry_count" not in payload
    assert int(redis.get("stat:processed") or 0) == 0
    bench("host:2:def").run_all()
    assert seen == [1, 2, 3, 4]


@pytest.mark.parametrize("job", [CountThingsJob, AwaitThingsJob])
def test_a_failure_keeps_the_cursor_of_the_last_item_that_is_done(bench: Build, redis: Redis, job: Any) -> None:
    job.perform_async(4)
    at(3, boom)

    bench().run_all()

    [payload] = retried(redis)
    assert payload["error_message"] == "boom"
    assert payload["iteration"]["cursor"] == 2
    redis.lpush("queue:default", json.dumps(payload))
    bench().run_all()
    assert seen == [1, 2, 3, 4]


def test_the_position_is_saved_each_second_so_a_crash_repeats_few_items(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    CountThingsJob.perform_async(9)
    around.append(lambda number: fake_clock.advance(timedelta(seconds=0.4)))
    at(6, lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    worker = bench()
    worker.moves.set_aside = lambda *args, **kwargs: None  # type: ignore[method-assign]  # the worker dies
    worker.processor.process(worker.take())
    seen_before = list(seen)

    fake_clock.advance(timedelta(minutes=5))
    around.clear()
    recover(redis, clock=fake_clock)
    [payload] = waiting(redis)
    bench("host:2:def").run_all()

    assert payload["iteration"]["cursor"] == 5  # also saved when the item failed
    assert seen_before == [1, 2, 3, 4, 5]
    assert seen == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_a_job_that_other_workers_have_now_ends_at_its_next_save(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    CountThingsJob.perform_async(9)
    around.append(lambda number: fake_clock.advance(timedelta(seconds=0.6)))
    at(3, lambda: redis.delete("clock:in_progress:host:1:abc"))

    bench().run_all()

    assert seen == [1, 2, 3, 4]
    assert waiting(redis) == []
    assert int(redis.get("stat:processed") or 0) == 0


def test_max_run_time_releases_the_thread_and_the_job_continues(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    CountThingsJob.set(max_run_time=timedelta(seconds=2)).perform_async(5)
    around.append(lambda number: fake_clock.advance(timedelta(seconds=1)))

    bench().run_all()

    assert seen == [1, 2]
    [(payload, score)] = delayed(redis)
    assert score <= fake_clock.now().timestamp()
    assert payload["iteration"] == {"cursor": 2, "done": 2, "total": 5, "seconds": 2.0}
    assert redis.get("stat:processed") is None


@pytest.mark.parametrize("crash_at", range(1, 7))
def test_exactly_once_pushes_each_child_once_wherever_it_fails(
    bench: Build, redis: Redis, fake_clock: FakeClock, crash_at: int
) -> None:
    FanOutJob.perform_async(6)
    around.append(lambda number: fake_clock.advance(timedelta(seconds=0.15)))
    at(crash_at, boom)
    bench().run_all()
    [payload] = retried(redis)
    redis.lpush("queue:default", json.dumps(payload))

    bench().run_all()

    children = [*waiting(redis, "children"), *(child for child, _ in delayed(redis))]
    assert Counter(child["args"][0] for child in children) == dict.fromkeys(range(1, 7), 2)
    assert len({child["jid"] for child in children}) == 12
    assert "clock" not in children[0]


@pytest.mark.parametrize("holder_is_gone", [False, True])
def test_exactly_once_pushes_a_unique_job_only_if_it_gets_its_lock(
    bench: Build, redis: Redis, fake_clock: FakeClock, *, holder_is_gone: bool
) -> None:
    with using_clock(fake_clock):
        holder = UniqueChildJob.perform_async(1)
        if holder_is_gone:
            redis.delete("queue:children")
            fake_clock.advance(timedelta(minutes=2))
        UniqueFanOutJob.perform_async(3)

        bench().run_all()

    zero, one = sorted(waiting(redis, "children"), key=itemgetter("args"))
    assert (zero["args"], one["args"]) == ([0], [1])
    assert (one["jid"] != holder) == holder_is_gone
    assert {lock.jid for lock in held(redis)} == {zero["jid"], one["jid"]}


def test_exactly_once_pushes_a_unique_job_only_if_it_gets_its_lock_outside_of_a_worker(redis: Redis) -> None:
    UniqueFanOutJob.perform_inline(3)

    zero, one = sorted(waiting(redis, "children"), key=itemgetter("args"))
    assert (zero["args"], one["args"]) == ([0], [1])
    assert {lock.jid for lock in held(redis)} == {zero["jid"], one["jid"]}


def test_a_repeated_save_pushes_nothing_again(bench: Build, redis: Redis) -> None:
    FanOutJob.perform_async(1)
    worker = bench()
    claimed = worker.take()
    save = worker.in_progress.save_position
    twice: Any = lambda *args, **now: save(*args, **now) and save(*args, **now)  # noqa: E731  # an answer is lost
    worker.in_progress.save_position = twice  # type: ignore[method-assign]  # see above

    worker.processor.process(claimed)

    assert len(waiting(redis, "children")) == 1


def test_a_run_without_a_worker_that_pushes_nothing_sends_nothing(
    redis: Redis, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    around.append(lambda number: fake_clock.advance(timedelta(seconds=2)))  # the position is saved after each item
    monkeypatch.setattr(ToRedis, "carry", lambda self, batches: pytest.fail("it was sent"))

    FanNothingOutJob.run(Context({"args": [3]}, clock=fake_clock))

    assert seen == [1, 2, 3]


def test_a_job_that_fails_while_redis_is_away_fails_with_its_own_error(
    redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    def save(*_: object) -> bool:
        raise StoreUnavailable("Redis cannot be reached")

    at(3, boom)
    with pytest.raises(RuntimeError, match="boom"):
        CountThingsJob.run(Context({"args": [4]}, clock=fake_clock, state=RunState(save)))

    assert "CountThingsJob: the position could not be saved: Redis cannot be reached" in caplog.text


def push_a_batch() -> None:
    with Batch():
        ChildJob.perform_async(1)


def test_an_item_cannot_open_a_batch_if_its_jobs_are_pushed_exactly_once(redis: Redis) -> None:
    around.append(lambda number: push_a_batch())

    with pytest.raises(JobError, match=r"an item of an exactly_once job cannot open a batch; open it around the"):
        FanOutJob.perform_inline(1)

    assert batches.read_all(redis) == {}


def test_a_worker_that_lost_the_job_pushes_nothing(bench: Build, redis: Redis) -> None:
    FanOutJob.perform_async(3)
    at(2, lambda: redis.delete("clock:in_progress:host:1:abc"))

    bench().run_all()

    assert waiting(redis, "children") == []


def test_the_heartbeat_shows_the_progress(bench: Build, fake_clock: FakeClock) -> None:

    CountThingsJob.perform_async(9)
    worker, found = bench(), list[Any]()
    options = WorkerOptions((Queue("default"),), 1)
    status = WorkerDescription(worker.fetcher, options, identity="host:1:abc", clock=fake_clock)
    around.append(lambda number: fake_clock.advance(timedelta(seconds=1)))
    at(4, lambda: found.append(status.beat(0).work["job-1"]))

    worker.processor.process(worker.take())

    assert found[0]["progress"] == {"done": 3, "total": 9, "seconds": 3.0}


def test_arguments_are_checked_against_items() -> None:
    with pytest.raises(JobError, match=r"perform\(stop: int, name: str = ''\) cannot take 0 arguments"):
        CountThingsJob.perform_async()
    with pytest.raises(JobError, match=r"NoCursorJob.items must accept the keyword `cursor`"):

        class NoCursorJob(IterableJob):
            def items(self) -> Iterator[tuple[int, int]]:
                yield 1, 1

            def each(self, number: int) -> None: ...


def test_a_base_class_may_have_options_only_and_each_may_be_a_static_method() -> None:
    class NoteThingsBaseJob(IterableJob):
        retry = 3

    class NoteThingsStaticJob(NoteThingsBaseJob):
        def items(self, stop: int, *, cursor: int | None) -> Iterator[tuple[int, int]]:
            yield from ((number, number) for number in range(stop))

        @staticmethod
        def each(number: int, stop: int) -> None:
            seen.append(number)

    NoteThingsStaticJob.perform_inline(2)

    assert seen == [0, 1]
    for job in (NoteThingsBaseJob, NoteThingsStaticJob):
        registry.forget(job)


def test_the_items_of_an_async_job_may_be_counted_and_listed_by_coroutines(bench: Build, redis: Redis) -> None:
    class ListThingsJob(IterableJob):
        async def items(self, stop: int, *, cursor: int | None) -> list[tuple[int, int]]:
            return [(number, number) for number in range((cursor or 0) + 1, stop + 1)]

        def each(self, number: int, stop: int) -> None:
            seen.append(number)

        async def count(self, stop: int) -> int:
            seen.append("counted")
            return stop

    ListThingsJob.perform_async(2)
    bench().run_all()

    assert seen == ["counted", 1, 2]
    registry.forget(ListThingsJob)


async def handle(number: int) -> None: ...


class HandleLater:
    def __init__(self, number: int) -> None: ...

    def __await__(self) -> Iterator[None]:
        yield


@pytest.mark.parametrize("handler", [handle, HandleLater])
def test_a_coroutine_that_nobody_would_await_fails_the_job_instead_of_skipping_its_items(
    handler: Callable[[int], object],
) -> None:
    class PassOnJob(IterableJob):
        def items(self, *, cursor: int | None) -> Iterator[tuple[int, int]]:
            yield 1, 1

        def each(self, number: int) -> Any:
            return handler(number)

    with pytest.raises(JobError, match=r"PassOnJob.each must be awaited; write async def each\(self, ...\)"):
        PassOnJob.perform_inline()
    registry.forget(PassOnJob)
    with pytest.raises(JobError, match=r"CountLaterJob.count is async, but items and each are not"):

        class CountLaterJob(PassOnJob):
            def each(self, number: int) -> None: ...

            async def count(self) -> int:
                return 1


def test_a_count_that_nobody_would_await_is_named() -> None:
    async def counted() -> int:
        return 2

    class CountByHelperJob(CountThingsJob):
        def count(self, *args: object) -> Any:
            return counted()

    with pytest.raises(JobError, match=r"CountByHelperJob.count must be awaited; write def count, or async def"):
        CountByHelperJob.perform_inline(2)
    registry.forget(CountByHelperJob)
    with pytest.raises(JobError, match=r"CountAsyncJob.count is async, but items and each are not"):

        class CountAsyncJob(CountThingsJob):
            async def count(self, *args: object) -> int:  # type: ignore[override]  # the mistake
                return 2


def test_an_each_that_yields_is_refused_as_calling_it_runs_nothing() -> None:
    with pytest.raises(JobError, match=r"YieldJob.each is a generator, so calling it runs nothing; remove the"):

        class YieldJob(CountThingsJob):
            def each(self, number: int, *args: object) -> Any:
                yield number

    with pytest.raises(JobError, match=r"YieldLaterJob.each is a generator, so calling it runs nothing"):

        class YieldLaterJob(CountThingsJob):
            async def each(self, number: int, *args: object) -> Any:
                yield number


def noted_item(self: Any, number: int) -> None: ...


async def noted_later(self: Any, number: int) -> None: ...


@pytest.mark.parametrize(
    ("items", "text"),
    [
        ([1], "PairlessJob.items yielded 1; yield pairs (cursor, item)"),
        (["ab"], "PairlessJob.items yielded 'ab'; yield pairs"),
        ([(1, 2, 3)], "PairlessJob.items yielded (1, 2, 3); yield pairs"),
        (None, "PairlessJob.items returned None; yield pairs (cursor, item)"),
    ],
)
@pytest.mark.parametrize("each", [noted_item, noted_later])
def test_items_that_are_not_pairs_are_named(each: Any, items: Any, text: str) -> None:
    def listed(self: Any, *, cursor: Any) -> Any:
        return items

    pairless: Any = type("PairlessJob", (IterableJob,), {"items": listed, "each": each})

    with pytest.raises(JobError, match=re.escape(text)):
        pairless.perform_inline()
    registry.forget(pairless)


class ReportOddJob(Job):
    def perform(self, done: Any, total: Any = None, note: Any = None) -> None:
        self.progress(float("nan") if done == "nan" else done, total, note)


@pytest.mark.parametrize(("done", "total"), [("5", None), ("nan", None), (1, "all"), (10**400, None), (None, 3)])
def test_progress_that_is_no_number_fails_the_job_and_not_the_heartbeat(done: Any, total: Any) -> None:
    with pytest.raises(JobError, match=r"progress: (done|total) is .*; it must be a number"):
        ReportOddJob.perform_inline(done, total)


def test_a_long_note_is_cut_and_its_control_characters_are_escaped() -> None:
    context = Context()

    for _ in range(2):
        context.report_progress(1, 2.5, "\x1b[31m" + "x" * 1_000)

    assert context.state.progress is not None
    assert context.state.progress["note"] == ("\\x1b[31m" + "x" * 1_000)[:200]


def test_a_count_that_is_no_number_is_named() -> None:
    class CountOddJob(IterableJob):
        def items(self, *, cursor: Any) -> Iterator[tuple[int, int]]:
            yield 1, 1

        def each(self, number: int) -> None: ...

        def count(self) -> Any:
            return "many"

    with pytest.raises(JobError, match=r"CountOddJob.count is 'many'; it must be a number"):
        CountOddJob.perform_inline()
    registry.forget(CountOddJob)


def test_a_cursor_that_json_does_not_support_is_named(bench: Build, redis: Redis) -> None:
    class SetCursorJob(IterableJob):
        exactly_once = True

        def items(self, *, cursor: Any) -> Iterator[tuple[Any, int]]:
            yield {1}, 1

        def each(self, number: int) -> None: ...

    with pytest.raises(JobError, match=r"SetCursorJob.items yielded the cursor \{1\}, which JSON"):
        SetCursorJob.perform_inline()
    registry.forget(SetCursorJob)


def test_tests_run_it_inline_collected_and_in_a_world(redis: Redis) -> None:
    with inline():
        CountThingsJob.perform_async(2)
    with fake():
        FanOutJob.perform_async(2)
        FanOutJob.drain()
        assert [job["args"] for job in ChildJob.jobs] == [[1], [1], [2], [2]]
    with world("2026-03-02 09:00", slots=2) as w:
        w.enqueue(AwaitThingsJob, 2)
        w.run(minutes=1)
        assert [run.outcome for run in w.ran(AwaitThingsJob)] == ["done"]

    assert seen == [1, 2] * 3


class ImportThingsJob(CountThingsJob):
    def each(self, number: int, stop: int, name: str = "") -> None:
        with self.batch:
            ChildJob.perform_async(7)
            super().each(number, stop, name)


@pytest.mark.parametrize("exactly_once", [True, False])
@pytest.mark.parametrize("crash_at", [1, 4])
def test_a_run_that_continues_adds_the_missing_jobs_to_its_batch_though_their_arguments_are_equal(
    bench: Build, redis: Redis, crash_at: int, *, exactly_once: bool
) -> None:
    with Batch() as batch:
        ImportThingsJob.set(exactly_once=exactly_once).perform_async(5)
    at(crash_at, boom)
    bench().run_all()
    [payload] = retried(redis)
    redis.lpush("queue:default", json.dumps(payload))

    bench().run_all()

    children = waiting(redis, "children")
    assert len(children) == len({child["jid"] for child in children}) == 5
    assert {child["bid"] for child in children} == {batch.bid}
    assert batches.count(redis, [batch.bid])[0][:2] == (5, 1)


class OpenThingsJob(CountThingsJob):
    def each(self, number: int, stop: int, name: str = "") -> None:
        with Batch():
            ChildJob.perform_async(7)
            super().each(number, stop, name)


def test_a_run_that_continues_opens_the_batches_of_its_items_and_no_other(bench: Build, redis: Redis) -> None:
    OpenThingsJob.perform_async(4)
    at(3, boom)
    bench().run_all()
    [payload] = retried(redis)
    redis.lpush("queue:default", json.dumps(payload))

    bench().run_all()

    children = waiting(redis, "children")
    assert len({child["jid"] for child in children}) == len({child["bid"] for child in children}) == 4
    assert redis.hlen("clock:batches") == 4
