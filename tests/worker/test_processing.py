import asyncio
import base64
import json
import sys
import zlib
from collections.abc import Callable
from datetime import timedelta
from types import FrameType
from typing import Any

import pytest
from redis import Redis

import clock
from clock import Discard, Rate, RateLimited, Unique
from clock.errors import JobCancelled, message_of
from clock.job import Job
from clock.job.context import JobRun
from clock.job.push.client import using_clock
from clock.store.jobs import cancellations
from clock.store.jobs.moves import Claimed
from clock.testing import FakeClock
from clock.worker.running.processor import Processor
from tests.worker import jobs
from tests.worker.conftest import NOW, Bench
from tests.worker.jobs import (
    BreakForgottenJob,
    BreakOnceForAllJob,
    BreakShownJob,
    BreakThingJob,
    BreakTogetherJob,
    BreakTwiceJob,
    EmptyThingJob,
    ExitThingJob,
    NoteThingJob,
)

Build = Callable[..., Bench]


def members(redis: Redis, name: str) -> list[tuple[dict[str, Any], float]]:
    rows: Any = redis.zrange(name, 0, -1, withscores=True)
    return [(json.loads(row), score) for row, score in rows]


def stats(redis: Redis) -> tuple[int, int]:
    return int(redis.get("stat:processed") or 0), int(redis.get("stat:failed") or 0)


def test_a_job_runs_with_its_arguments_and_is_gone_and_counted(bench: Build, redis: Redis) -> None:
    jid = NoteThingJob.perform_async({"a": [1, None]})

    bench().run_all()

    assert jobs.ran == [(jid, {"a": [1, None]})]
    assert redis.keys("clock:in_progress:*") == []
    assert stats(redis) == (1, 0)
    assert redis.get("stat:processed:2026-11-24") == b"1"


calls: list[tuple[str, str]] = []


class CountCallsJob(Job):
    def perform(self) -> None:
        frame: FrameType | None = sys._getframe()
        while frame is not None and "process" not in dict(calls):
            if frame.f_code.co_filename.startswith((clock.__path__[0], __file__)):
                calls.append((frame.f_code.co_name, frame.f_code.co_filename))
            frame = frame.f_back


def test_a_claimed_payload_reaches_perform_by_seven_calls_in_four_files(bench: Build) -> None:
    calls.clear()
    CountCallsJob.perform_async()

    bench().run_all()

    assert calls[0][0] == "perform"
    assert calls[-1][0] == "process"
    assert len(calls) <= 7, calls
    assert len({file for _, file in calls}) <= 4, calls


def test_a_payload_written_by_hand_in_sidekiqs_format_runs(bench: Build, redis: Redis) -> None:
    redis.lpush("queue:default", '{"class":"NoteThingJob","args":["by hand"],"jid":"b9b4c6dded71b38868804f3a"}')

    bench().run_all()

    assert jobs.ran == [("b9b4c6dded71b38868804f3a", "by hand")]


def test_a_claimed_job_is_in_progress_until_it_is_done(bench: Build, redis: Redis) -> None:
    NoteThingJob.perform_async(1)
    worker = bench()

    claimed = worker.take()

    assert redis.llen("queue:default") == 0
    assert worker.in_progress.all() == [claimed]


def test_a_failed_job_waits_for_its_retry_in_sidekiqs_fields(bench: Build, redis: Redis) -> None:
    BreakThingJob.perform_async()

    bench().run_all()

    [(payload, score)] = members(redis, "retry")
    assert (payload["error_class"], payload["error_message"]) == ("RuntimeError", "boom ß")
    assert (payload["retry_count"], payload["failed_at"]) == (0, NOW.timestamp())
    assert "retried_at" not in payload
    assert 15 <= score - NOW.timestamp() <= 25
    assert redis.keys("clock:in_progress:*") == []
    assert stats(redis) == (1, 1)


def test_a_job_whose_tasks_failed_says_what_they_failed_with(bench: Build, redis: Redis) -> None:
    BreakTogetherJob.perform_async()

    bench().run_all()

    [(payload, _)] = members(redis, "retry")
    assert payload["error_class"] == "ExceptionGroup"
    assert payload["error_message"].endswith("(1 sub-exception): ValueError: no such learner")


def nested(depth: int) -> BaseException:
    error: Exception = ValueError("x" * 2_000)
    for _ in range(depth):
        error = ExceptionGroup("nested", [error])
    return error


@pytest.mark.parametrize(
    ("error", "end"),
    [
        (nested(20_000), ": ValueError: " + "x" * 500),
        (ExceptionGroup("wide", [ValueError("x" * 600)] * 5_000), "x; and 4990 more"),
        (
            BaseExceptionGroup("b", [KeyboardInterrupt("stop"), Exception()]),
            "KeyboardInterrupt: stop; Exception: ",
        ),
    ],
)
def test_the_message_of_a_group_of_errors_names_some_of_them_and_is_bounded(
    error: BaseException, end: str
) -> None:
    assert message_of(error).endswith(end)
    assert len(message_of(error)) < 6_000


def test_the_text_of_an_error_may_raise_anything() -> None:
    class Rude(Exception):
        def __str__(self) -> str:
            raise KeyboardInterrupt

    assert message_of(Rude()) == "(its message cannot be read: KeyboardInterrupt)"


def test_times_are_written_with_a_fraction_so_that_sidekiq_8_takes_them_for_seconds(
    bench: Build, redis: Redis
) -> None:
    with using_clock(FakeClock(NOW)):
        BreakThingJob.perform_async()
    redis.lpush("queue:default", '{"class":"BreakThingJob","args":[],"jid":"j","retry_count":1,"failed_at":5}')

    bench().run_all()

    rows: Any = redis.zrange("retry", 0, -1)
    text = b" ".join(rows).decode()
    for name in ("created_at", "enqueued_at", "failed_at", "retried_at"):
        assert f'"{name}":{NOW.timestamp():.1f}' in text
    assert '"failed_at":5,' in text  # milliseconds that Sidekiq 8 wrote stay as they are


def test_a_second_failure_raises_the_count_and_keeps_the_first_time(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    redis.lpush(
        "queue:default",
        '{"class":"BreakThingJob","args":[],"jid":"j","retry":true,"retry_count":2,"failed_at":5.5,"own":[1]}',
    )

    bench().run_all()

    [(payload, score)] = members(redis, "retry")
    assert (payload["retry_count"], payload["failed_at"], payload["retried_at"]) == (3, 5.5, NOW.timestamp())
    assert payload["own"] == [1]
    assert 81 + 15 <= score - NOW.timestamp() <= 81 + 15 + 40


def test_a_job_with_two_retries_runs_three_times_and_dies(bench: Build, redis: Redis) -> None:
    BreakTwiceJob.perform_async()
    worker = bench()

    for _ in range(3):
        worker.run_all()
        for payload, _ in members(redis, "retry"):
            redis.delete("retry")
            redis.lpush("queue:default", json.dumps(payload))

    [(payload, score)] = members(redis, "dead")
    assert (payload["retry_count"], score) == (2, NOW.timestamp())
    assert stats(redis) == (3, 3)


def test_a_job_without_retries_is_dropped_and_counted(bench: Build, redis: Redis) -> None:
    BreakOnceForAllJob.perform_async()
    BreakForgottenJob.perform_async()

    bench().run_all()

    assert not redis.exists("retry", "dead")
    assert stats(redis) == (2, 2)


def test_retry_for_ends_when_its_time_is_over_however_often_it_was_tried(bench: Build, redis: Redis) -> None:
    first = NOW.timestamp()
    for failed_at in (first - 3599, first - 3601, int((first - 3601) * 1000)):
        payload = {"class": "BreakThingJob", "args": [], "jid": str(failed_at), "retry_for": 3600}
        redis.lpush("queue:default", json.dumps(payload | {"retry_count": 40, "failed_at": failed_at}))

    bench().run_all()

    assert [payload["jid"] for payload, _ in members(redis, "retry")] == [str(first - 3599)]
    assert len(members(redis, "dead")) == 2


def test_a_backtrace_is_packed_as_sidekiq_packs_it(bench: Build, redis: Redis) -> None:
    BreakShownJob.perform_async()

    bench().run_all()

    packed = members(redis, "retry")[0][0]["error_backtrace"]
    lines = json.loads(zlib.decompress(base64.b64decode(packed)))
    assert lines[0].endswith(":in perform")


def test_text_that_utf8_cannot_hold_survives_a_retry(bench: Build, redis: Redis) -> None:
    redis.lpush("queue:default", rb'{"class":"BreakThingJob","args":[],"jid":"j","own":"\ud800"}')

    bench().run_all()

    assert members(redis, "retry")[0][0]["own"] == "\ud800"


def test_a_job_is_tried_again_with_the_arguments_that_were_pushed_whatever_it_did_to_them(
    bench: Build, redis: Redis
) -> None:
    EmptyThingJob.perform_async([1, {"a": 2}])

    bench().run_all()

    assert members(redis, "retry")[0][0]["args"] == [[1, {"a": 2}]]


def test_sys_exit_in_a_job_is_a_failure_like_any_other(bench: Build, redis: Redis) -> None:
    ExitThingJob.perform_async()

    bench().run_all()

    assert members(redis, "retry")[0][0]["error_class"] == "SystemExit"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b'{"class": not json', "not JSON"),
        (b"[1,2]", "expected a JSON object, not a list"),
        (b"\xff\xfe", "not JSON"),
        (b'{"args":[]}', "it has no class"),
        (b'{"class":7,"args":[]}', "it has no class"),
        (b'{"class":"","args":[]}', "it has no class"),
        (b'{"class":"\\ud800","args":[]}', "it has no class"),
        (b'{"class":"NoteThingJob","args":{"a":1}}', "its args are not a list: {'a': 1}"),
        (b'{"class":"NoteThingJob"}', "its args are not a list: None"),
        (b'{"class":"NoteThingJob","args":[1,2,3]}', "cannot take 3 arguments"),
        (b'{"class":"HandleThingJob","args":[]}', "HandleThingJob has no perform; define it, or push a subclass"),
        (b'{"class":"NoteThingJob","args":[1e400]}', "the number 1e400 is out of range"),
        (b'{"class":"NoteThingJob","args":[NaN]}', "NaN is not valid JSON"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_what_cannot_be_run_goes_to_dead_with_the_reason(
    bench: Build, redis: Redis, payload: bytes, reason: str
) -> None:
    redis.lpush("queue:default", payload)
    NoteThingJob.perform_async("after")

    bench().run_all()

    [(dead, _)] = members(redis, "dead")
    assert reason in dead["error_message"]
    assert [thing for _, thing in jobs.ran if thing == "after"] == ["after"]
    assert redis.keys("clock:in_progress:*") == []


def test_a_job_of_a_base_class_that_has_no_perform_is_dead_as_itself(bench: Build, redis: Redis) -> None:
    redis.lpush("queue:default", b'{"class":"HandleThingJob","args":[7],"jid":"x"}')

    bench().run_all()

    [(dead, _)] = members(redis, "dead")
    assert (dead["class"], dead["args"], dead["jid"]) == ("HandleThingJob", [7], "x")
    assert dead["error_class"] == "NoPerform"


def test_an_unreadable_payload_is_kept_as_it_was(bench: Build, redis: Redis) -> None:
    redis.lpush("queue:default", b'{"class": \xff not json')

    bench().run_all()

    [(dead, _)] = members(redis, "dead")
    assert dead["args"] == ['{"class": \\xff not json']
    assert (dead["class"], dead["retry"]) == ("UnreadablePayload", False)


@pytest.mark.parametrize("name", ["NotDeployedYetJob", "NächsterJob"])
def test_a_job_of_an_unknown_class_is_parked_without_a_retry_spent(bench: Build, redis: Redis, name: str) -> None:
    payload = b'{"class":"%s","args":[1],"jid":"x"}' % name.encode()
    redis.lpush("queue:default", payload)

    bench().run_all()

    assert redis.lrange(f"clock:parked:{name}", 0, -1) == [payload]
    assert redis.smembers("clock:parked") == {name.encode()}
    assert not redis.exists("retry", "dead", "stat:failed")


def test_dead_jobs_are_trimmed_by_age_and_number(bench: Build, redis: Redis) -> None:
    half_a_year = 180 * 24 * 3600
    redis.zadd("dead", {"old": NOW.timestamp() - half_a_year - 1, "young": NOW.timestamp() - half_a_year + 1})
    redis.lpush("queue:default", b"nonsense")

    bench().run_all()

    assert [row for row in list[Any](redis.zrange("dead", 0, -1)) if len(row) < 10] == [b"young"]


def test_dead_keeps_ten_thousand(bench: Build, redis: Redis) -> None:
    redis.zadd("dead", {f"n{number}": NOW.timestamp() - 60 + number / 1e6 for number in range(10_000)})
    redis.lpush("queue:default", b"nonsense")

    bench().run_all()

    assert redis.zcard("dead") == 10_000
    assert redis.zscore("dead", "n0") is None


def test_queues_are_taken_from_in_their_order(bench: Build, redis: Redis) -> None:
    with using_clock(FakeClock(NOW)):
        NoteThingJob.set(queue="low").perform_async("low")
        NoteThingJob.perform_async("default")

    bench().run_all()

    assert [thing for _, thing in jobs.ran] == ["default", "low"]


class ExitingProcessor(Processor):
    """It cannot process jobs with the argument "exit"."""

    def process(self, claimed: Claimed) -> None:
        if b'["exit"]' in claimed.payload:
            raise SystemExit(3)
        super().process(claimed)


def test_an_exit_while_a_job_is_processed_does_not_end_the_thread(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    worker = bench()
    worker.processor = ExitingProcessor(
        worker.fetcher.slots[0],
        worker.fetcher,
        worker.moves,
        clock=fake_clock,
        listeners=[lambda run: worker.fetcher.stop() if run.payload["args"] == [2] else None],
    )
    NoteThingJob.perform_async("exit")
    NoteThingJob.perform_async(2)
    worker.fetcher.claim(2)

    worker.processor.run()

    assert [thing for _, thing in jobs.ran] == [2]
    assert [payload["error_class"] for payload, _ in members(redis, "dead")] == ["SystemExit"]


def test_a_listener_that_exits_changes_no_job_and_does_not_end_the_thread(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    worker = bench()

    def leave(run: JobRun) -> None:
        if run.payload["args"] == [2]:
            worker.fetcher.stop()
        raise SystemExit(3)

    worker.processor = Processor(
        worker.fetcher.slots[0], worker.fetcher, worker.moves, clock=fake_clock, listeners=[leave]
    )
    NoteThingJob.perform_async(1)
    NoteThingJob.perform_async(2)
    worker.fetcher.claim(2)

    worker.processor.run()

    assert [thing for _, thing in jobs.ran] == [1, 2]
    assert members(redis, "dead") == []
    assert stats(redis) == (2, 0)


class DiscardThingJob(Job):
    def perform(self) -> None:
        raise Discard("it is gone")


class HoldBackThingJob(Job):
    def perform(self, seconds: float) -> None:
        raise RateLimited(retry_after=seconds)


@pytest.fixture
def runs(bench: Build, fake_clock: FakeClock) -> tuple[Bench, list[JobRun]]:
    """A worker, and the runs that its listeners get."""
    worker, found = bench(), list[JobRun]()
    worker.processor = Processor(
        worker.fetcher.slots[0], worker.fetcher, worker.moves, clock=fake_clock, listeners=[found.append]
    )
    return worker, found


def test_a_listener_gets_the_outcome_of_each_run_and_where_its_job_goes(
    redis: Redis, runs: tuple[Bench, list[JobRun]]
) -> None:
    worker, found = runs
    pushes: list[Callable[[], object]] = [
        lambda: NoteThingJob.perform_async(1),
        DiscardThingJob.perform_async,
        BreakThingJob.perform_async,
        BreakOnceForAllJob.perform_async,
        lambda: redis.lpush("queue:default", "not json"),
    ]

    for push in pushes:
        push()
        worker.run_all()

    assert [(run.outcome, run.goes_to) for run in found] == [
        ("done", ""),
        ("dropped", ""),
        ("failed", "retry"),
        ("failed", ""),
        ("unfit", "dead"),
    ]
    assert stats(redis) == (4, 2)


class TakeTimeJob(Job):
    def perform(self, seconds: float) -> None:
        clock = self.context.clock
        assert isinstance(clock, FakeClock)
        clock.advance(timedelta(seconds=seconds))


def test_a_listener_gets_how_long_a_run_took(runs: tuple[Bench, list[JobRun]], fake_clock: FakeClock) -> None:
    worker, found = runs
    fake_clock.advance(timedelta(seconds=10))
    TakeTimeJob.perform_async(2.5)

    worker.run_all()

    assert [run.seconds for run in found] == [2.5]


def test_a_job_that_was_cancelled_before_it_starts_is_dropped_and_does_not_count(
    redis: Redis, runs: tuple[Bench, list[JobRun]]
) -> None:
    worker, found = runs
    jid = NoteThingJob.perform_async(1)
    cancellations.mark(redis, [jid], now=NOW)

    worker.run_all()

    assert [(run.outcome, run.seconds, str(run.error)) for run in found] == [("dropped", 0.0, str(JobCancelled()))]
    assert (jobs.ran, stats(redis), redis.keys("clock:in_progress:*")) == ([], (0, 0), [])


def test_a_job_runs_though_another_job_of_its_claim_was_cancelled(
    redis: Redis, runs: tuple[Bench, list[JobRun]]
) -> None:
    worker, found = runs
    cancelled = NoteThingJob.perform_async(1)
    NoteThingJob.perform_async(2)
    cancellations.mark(redis, [cancelled], now=NOW)
    worker.fetcher.claim(2)

    for _ in range(2):
        worker.processor.process(worker.take())

    assert [(run.payload["args"], run.outcome) for run in found] == [([1], "dropped"), ([2], "done")]


@pytest.mark.parametrize("fields", [{}, {"worker_killed": 1}])
def test_only_a_job_with_which_a_worker_has_died_is_noted_while_it_runs(
    bench: Build, redis: Redis, fake_clock: FakeClock, fields: dict[str, object]
) -> None:
    worker, seen = bench(), list[int]()
    worker.processor = Processor(
        worker.fetcher.slots[0],
        worker.fetcher,
        worker.moves,
        clock=fake_clock,
        listeners=[lambda _: seen.append(len(worker.in_progress.marked()))],
    )
    job = {"class": NoteThingJob.wire_name, "args": [1], "jid": "1", "queue": "default", "retry": True}
    redis.lpush("queue:default", json.dumps({**job, **fields}))

    worker.run_all()

    assert seen == [len(fields)]
    assert worker.in_progress.marked() == set()


class CancelItselfJob(Job):
    async def perform(self) -> None:
        raise asyncio.CancelledError("a lost connection")


def test_a_coroutine_that_nobody_has_cancelled_fails_with_its_cancelled_error(bench: Build, redis: Redis) -> None:
    CancelItselfJob.perform_async()

    bench().run_all()

    assert [payload["error_class"] for payload, _ in members(redis, "retry")] == ["CancelledError"]
    assert stats(redis) == (1, 1)


at_once: list[Callable[[], object]] = []


class BreakLateJob(Job):
    def perform(self) -> None:
        at_once.pop()()
        raise RuntimeError("too late")


def test_a_job_that_fails_after_it_was_put_back_is_logged_and_stays_in_its_queue(
    redis: Redis, runs: tuple[Bench, list[JobRun]]
) -> None:
    worker, found = runs
    at_once.append(worker.fetcher.give_back_all)
    BreakLateJob.perform_async()

    worker.processor.process(worker.take())

    assert [(run.outcome, str(run.error)) for run in found] == [("failed", "too late")]
    assert (redis.llen("queue:default"), members(redis, "retry"), stats(redis)) == (1, [], (0, 0))


def test_a_push_that_a_newer_one_has_replaced_does_not_count(
    redis: Redis, runs: tuple[Bench, list[JobRun]]
) -> None:
    worker, found = runs
    for number in (1, 2):
        NoteThingJob.set(unique=Unique(by=[], on_conflict="replace")).perform_async(number)

    worker.run_all()

    assert sorted(run.outcome for run in found) == ["done", "dropped"]
    assert ([thing for _, thing in jobs.ran], stats(redis)) == ([2], (1, 0))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "it is held back for 30 s; it continues later"),
        (
            {"rates": [Rate("mailgun", 5, per=60), Rate("all", 5, per=60)]},
            "it is held back for 30 s, and all jobs of mailgun, all; it continues later",
        ),
    ],
)
def test_a_job_that_is_held_back_logs_with_which_others_and_does_not_count(
    bench: Build, redis: Redis, caplog: pytest.LogCaptureFixture, options: dict[str, Any], words: str
) -> None:
    caplog.set_level("INFO", "clock.job")
    HoldBackThingJob.set(**options).perform_async(30)

    bench().run_all()

    assert words in caplog.text
    assert (len(members(redis, "schedule")), stats(redis)) == (1, (0, 0))


def test_a_thread_that_cannot_process_an_unreadable_job_keeps_it_as_dead(
    bench: Build, redis: Redis, fake_clock: FakeClock
) -> None:
    class LeavingProcessor(Processor):
        def process(self, claimed: Claimed) -> None:
            worker.fetcher.stop()
            raise SystemExit(3)

    worker = bench()
    redis.lpush("queue:default", "not json")
    worker.fetcher.claim(1)

    LeavingProcessor(worker.fetcher.slots[0], worker.fetcher, worker.moves, clock=fake_clock).run()

    [(dead, _)] = members(redis, "dead")
    assert (dead["class"], dead["error_class"]) == ("UnreadablePayload", "SystemExit")
