"""What a job class says to its own failures."""

import asyncio
import base64
import json
import random
import zlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from clock import Discard, Job
from clock.worker.running.retry import Verdict, delay, judge
from tests.traced import not_traced
from tests.worker.conftest import NOW, Bench

Build = Callable[..., Bench]
told: list[Any] = []


def _misbehave(how: object, payload: dict[str, object]) -> None:
    if how == "raise":
        raise ZeroDivisionError
    if how == "exit":
        raise SystemExit(3)
    if how == "spoil":
        payload["args"] = object()


class FailAsToldJob(Job):
    def perform(self, answer: object, last: object = None) -> None:
        raise RuntimeError("boom")

    def retry_in(self, count: int, error: BaseException) -> Any:
        answer = self.context.args[0]
        told.append((self.jid, count, str(error)))
        _misbehave(answer, self.context.payload)
        return timedelta(minutes=10) if answer == "ten minutes" else answer

    def retries_exhausted(self, payload: dict[str, object], error: BaseException) -> object:
        told.append((payload["jid"], payload["error_class"], str(error)))
        _misbehave(self.context.args[1], payload)
        return self.context.args[1]


class LoopForeverJob(Job):
    timeout = 0.05

    def perform(self) -> None:
        while True:
            pass


class AwaitThingForeverJob(Job):
    timeout = 0.05

    async def perform(self) -> None:
        await asyncio.Event().wait()


class DropThingJob(Job):
    def perform(self) -> None:
        raise Discard("the thing is gone")


@pytest.fixture(autouse=True)
def _nothing_told() -> None:
    told.clear()


def push(redis: Redis, *args: object, **fields: object) -> None:
    payload = {"class": "FailAsToldJob", "args": args, "jid": "j", "retry": True, **fields}
    redis.lpush("queue:default", json.dumps(payload))


def scores(redis: Redis, key: str) -> list[float]:
    rows: Any = redis.zrange(key, 0, -1, withscores=True)
    return [score - NOW.timestamp() for _, score in rows]


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (0, 0),
        (3600, 3600),
        (0.5, 0.5),
        ("ten minutes", 600),
        (None, 31),
        ("raise", 31),
        ("exit", 31),
        ("spoil", 31),
        (-1, 31),
        ("soon", 31),
    ],
)
def test_retry_in_says_when_a_job_is_tried_again(
    bench: Build, redis: Redis, answer: object, seconds: float
) -> None:
    push(redis, answer, retry_count=1, failed_at=5.5)

    bench().run_all()

    [score] = scores(redis, "retry")
    assert seconds <= score <= seconds + 10 * 3
    assert told == [("j", 2, "boom")]


def test_retry_in_may_kill_or_discard_a_job(bench: Build, redis: Redis) -> None:
    push(redis, "kill", None)
    push(redis, "discard")

    bench().run_all()

    assert scores(redis, "retry") == []
    assert scores(redis, "dead") == [0]
    assert told[1] == ("j", "RuntimeError", "boom")
    assert len(told) == 3


def test_a_dropped_job_is_done_with_and_is_no_failure(bench: Build, redis: Redis) -> None:
    redis.lpush("queue:default", '{"class":"DropThingJob","args":[],"jid":"j"}')

    bench().run_all()

    assert not redis.exists("retry", "dead", "stat:failed")
    assert redis.keys("clock:in_progress:*") == []
    assert redis.get("stat:processed") == b"1"


@pytest.mark.parametrize("job", [pytest.param("LoopForeverJob", marks=not_traced), "AwaitThingForeverJob"])
def test_a_job_over_its_timeout_is_interrupted_and_tried_again(bench: Build, redis: Redis, job: str) -> None:
    redis.lpush("queue:default", json.dumps({"class": job, "args": [], "jid": "j"}))

    bench().run_all()

    rows: Any = redis.zrange("retry", 0, -1)
    failed = json.loads(rows[0])
    assert (failed["error_class"], failed["retry_count"]) == ("JobTimeout", 0)
    assert failed["error_message"] == "it ran for longer than its timeout, 0.05 s"
    assert redis.get("stat:failed") == b"1"


@pytest.mark.parametrize(
    ("last", "dead"), [(None, [0.0]), ("discard", []), ("raise", [0.0]), ("exit", [0.0]), ("spoil", [0.0])]
)
def test_retries_exhausted_is_called_before_a_job_dies(
    bench: Build, redis: Redis, last: object, dead: list[float]
) -> None:
    push(redis, None, last, retry=0)

    bench().run_all()

    assert told == [("j", "RuntimeError", "boom")]
    assert scores(redis, "dead") == dead


def judged(now: float = 1000.0, error: BaseException | None = None, **payload: object) -> Verdict:
    return judge({"class": "UnknownJob", "args": [], **payload}, None, error or RuntimeError("boom"), now=now)


@pytest.mark.parametrize(("count", "seconds"), [(0, 15), (1, 16), (2, 31), (24, 331_791)])
def test_the_wait_before_a_retry_grows_with_the_fourth_power(
    monkeypatch: pytest.MonkeyPatch, count: int, seconds: int
) -> None:
    monkeypatch.setattr(random, "random", lambda: 0.5)

    assert delay(count) == seconds + 5 * (count + 1)
    assert delay(count, 100.0) == 100 + 5 * (count + 1)


def test_a_job_has_25_retries_unless_it_has_another_number() -> None:
    last, dead = judged(retry_count=23), judged(retry_count=24)

    assert (last.where, last.retries, dead.where) == ("retry", 25, "dead")
    assert [judged(retry=2, retry_count=count).where for count in (0, 1)] == ["retry", "dead"]
    assert judged(retry=True).where == "retry"
    assert judged(retry=False).words(0.0) == "dropped: retry = False"
    assert judged(retry=0, dead=False).words(0.0) == "dropped: no retries left, and dead = False"


def test_a_job_with_retry_for_is_retried_for_so_long_after_its_first_failure() -> None:
    times = [judged(now=now, retry_for=10, failed_at=990.0, retry_count=99).where for now in (999.9, 1000.0)]
    invalid = judged(retry_for=10, failed_at="yesterday", retry_count=99)

    assert times == ["retry", "dead"]
    assert invalid.where == "dead"
    assert judged(retry_for=10).retries is None


def test_a_retry_goes_to_the_retry_queue_else_to_its_own() -> None:
    verdicts = judged(retry_queue="a", queue="b"), judged(queue="b"), judged()

    assert [verdict.payload["queue"] for verdict in verdicts] == ["a", "b", "default"]


def test_the_log_says_what_becomes_of_a_failed_job() -> None:
    verdict = judged(retry=7, retry_count=2)
    words = Verdict("retry", 1040.0, verdict.payload, retries=verdict.retries).words(1000.0)

    assert words == "retry 4/7 in 40 s"
    assert Verdict("retry", 1040.0, verdict.payload).words(1000.0) == "retry 4 in 40 s"
    assert judged(retry=0).words(1000.0) == "moved to dead"


def frames(backtrace: object) -> list[str] | None:
    """The frames that a job keeps of an error that was raised two calls deep."""
    try:
        scores(None, "retry")  # type: ignore[arg-type]  # it fails
    except AttributeError as error:
        packed = judged(error=error, backtrace=backtrace).payload.get("error_backtrace")
    return None if packed is None else json.loads(zlib.decompress(base64.b64decode(str(packed))))


def test_a_job_keeps_as_much_of_the_traceback_as_it_asks_for() -> None:
    innermost = frames(1)

    assert frames(False) is None
    assert judged(error=RuntimeError()).payload.keys().isdisjoint({"error_backtrace"})
    assert len(frames(True) or ()) == 2
    assert innermost is not None
    assert len(innermost) == 1
    assert innermost[0].endswith("in scores")
