"""`perform_async` with the options of the class: what is the same for each push is made once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from clock import Job, Limit, Rate, Unique, client_middleware
from clock.errors import ArgumentsError, JobError, NoPerform
from clock.job.options import OPTIONS
from clock.job.payload import Payload
from clock.job.push.template import COMPARED
from tests.job.redis_rows import waiting

PUSH_CALLS = 45  # of Python functions; one LPUSH of the client library makes 80


class SendCardJob(Job):
    def perform(self, number: int, word: str = "") -> None: ...


class SendTaggedCardJob(SendCardJob):
    queue = " low "
    retry = 3
    dead = False
    backtrace = True
    tags = ("mail", "ß")
    redact = ("word",)
    retry_for = timedelta(hours=1)
    retry_queue = "later"
    result_ttl = 60
    result_limit = 500


class SendRarelyJob(SendCardJob):
    expires_in = 60
    limits = Limit("send", 1)
    rates = Rate("send", 1, per=1)
    unique = Unique(window=60)


class NoWorkJob(Job):
    pass


def payload(redis: Redis, queue: str = "default") -> Payload:
    [found] = waiting(redis, queue)
    return found


def unchanging(payload: Payload) -> list[str]:
    """The fields in their order, without those that differ from push to push. 1 is not True here."""
    changing = ("jid", "created_at", "enqueued_at", "expires_at")
    return [repr((name, value)) for name, value in payload.items() if name not in changing]


@pytest.mark.parametrize(
    ("job", "queue"), [(SendCardJob, "default"), (SendTaggedCardJob, "low"), (SendRarelyJob, "default")]
)
def test_a_payload_is_the_same_as_one_that_is_built_singly(
    redis: Redis, job: type[SendCardJob], queue: str
) -> None:
    jid = job.perform_async(2**70, "ß\n")
    own = payload(redis, queue)
    redis.flushdb()
    job.set().perform_async(2**70, "ß\n")

    assert (own["jid"], own["created_at"]) == (jid, own["enqueued_at"])
    assert unchanging(own) == unchanging(payload(redis, queue))


CHANGES: dict[str, Callable[[Any], object]] = {
    "queue": lambda job: setattr(job, "queue", "default "),
    "retry": lambda job: setattr(job, "retry", 1),  # it was True, and True == 1
    "tags": lambda job: setattr(job, "tags", ("a",)),
    "tags in place": lambda job: job.tags.append("b"),
    "dead": lambda job: setattr(job, "dead", False),
    "backtrace": lambda job: setattr(job, "backtrace", 1),
    "retry_for": lambda job: setattr(job, "retry_for", 60),
    "result_ttl": lambda job: setattr(job, "result_ttl", 5),
    "expires_in": lambda job: setattr(job, "expires_in", 5),
    "unique": lambda job: setattr(job, "unique", True),
    "rates": lambda job: setattr(job, "rates", Rate("x", 5, per=1)),
    "redact": lambda job: setattr(job, "redact", ["word"]),
    "wire_name": lambda job: setattr(job, "wire_name", "Other"),
    "middleware": lambda _: client_middleware.add(lambda job, payload, queue: payload.update(new=1)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_the_class_or_the_middleware_applies_to_the_next_push(redis: Redis, change: str) -> None:
    members = {"queue": "first", "tags": ["a"], "backtrace": True}
    job: Any = type(f"Change{change.title().replace(' ', '')}Job", (SendCardJob,), members)
    job.perform_async(1)
    redis.flushdb()

    CHANGES[change](job)
    job.perform_async(1)

    queue = "default" if change == "queue" else "first"
    own = payload(redis, queue)
    redis.flushdb()
    job.set().perform_async(1)
    assert unchanging(own) == unchanging(payload(redis, queue))


def test_every_option_of_a_class_that_payloads_hold_is_compared() -> None:
    in_no_payload = {"timeout", "max_run_time"}  # unless `.set` gives them

    assert OPTIONS.keys() - in_no_payload <= set(COMPARED)


def test_a_class_does_not_push_with_the_options_of_its_base(redis: Redis) -> None:
    SendCardJob.perform_async(1)
    SendTaggedCardJob.perform_async(2)
    SendCardJob.perform_async(3)

    assert [one["args"] for one in waiting(redis)] == [[1], [3]]
    assert [one["class"] for one in waiting(redis, "low")] == ["SendTaggedCardJob"]


def test_a_perform_that_was_replaced_takes_other_arguments(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArgumentsError):
        SendCardJob.perform_async()  # type: ignore[call-arg]  # the mistake
    monkeypatch.setattr(SendCardJob, "perform", lambda self: None)

    assert SendCardJob.perform_async()  # type: ignore[call-arg]  # right from now on
    with pytest.raises(ArgumentsError):
        SendCardJob.perform_async(1)


def test_invalid_arguments_raise_what_they_raise_for_other_pushes(redis: Redis) -> None:
    for args in [(1, 2, 3), (1, "\ud800"), (10**5000,), (1, float("nan"))]:
        with pytest.raises(ArgumentsError) as own:
            SendCardJob.perform_async(*args)  # type: ignore[arg-type]  # these are the mistakes
        with pytest.raises(ArgumentsError) as single:
            SendCardJob.set().perform_async(*args)  # type: ignore[arg-type]  # these are the mistakes
        assert str(own.value) == str(single.value)
    with pytest.raises(NoPerform, match="Job has no perform; define it, or push a subclass that does"):
        Job.perform_async(1)
    with pytest.raises(NoPerform):
        NoWorkJob.perform_async()
    assert not redis.exists("queue:default")


COUNTED = """
import sys
from clock import Job

class SendCardJob(Job):
    def perform(self, number): ...

SendCardJob.perform_async(1)
calls = []
sys.setprofile(lambda frame, event, _: calls.append(frame.f_code.co_qualname) if event == "call" else None)
SendCardJob.perform_async(2)
sys.setprofile(None)
print(*calls, sep="\\n")
"""


@pytest.mark.process  # counted in a program of its own: Python 3.11 may loop for ever if optimized code is counted
@pytest.mark.parametrize(("namespace", "most"), [("", PUSH_CALLS), ("shop", PUSH_CALLS + 12)])
def test_a_push_costs_few_calls(redis_url: str, redis: Redis, namespace: str, most: int) -> None:
    environ = {**os.environ, "REDIS_URL": redis_url, "CLOCK_NAMESPACE": namespace}

    counted = subprocess.run(
        [sys.executable, "-c", COUNTED], env=environ, text=True, capture_output=True, check=True, timeout=60
    )

    assert 10 < len(counted.stdout.splitlines()) <= most, counted.stdout


def test_an_option_that_json_does_not_support_is_named_by_the_next_push(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SendCardJob, "tags", ["\ud800"])

    with pytest.raises(JobError, match=r"^SendCardJob: the payload cannot be encoded as JSON: "):
        SendCardJob.perform_async(1)

    assert redis.keys("*") == []
