"""`@job` on a function, and Celery's names for it."""

import json
import sys
from collections.abc import Iterator
from copy import copy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from clock import Job, job
from clock.contrib.celery_names import shared_task
from clock.errors import ArgumentsError, DuplicateJobClass, JobError, UnknownJobClass
from clock.job import registry
from clock.job.function_jobs import FunctionJob
from clock.testing import drain_all, fake
from clock.timetable import load


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    known = dict(registry._classes)
    registry._classes.clear()
    yield
    registry._classes.clear()
    registry._classes.update(known)


def payload(redis: Redis, queue: str = "default") -> dict[str, Any]:
    rows: Any = redis.lrange(f"queue:{queue}", 0, -1)
    [row] = rows
    return dict(json.loads(row))


def test_a_function_is_pushed_by_its_name_with_its_options(redis: Redis) -> None:
    @job(queue="mail", retry=3, tags=["shop"])
    def send_receipt(order_id: int, kind: str = "full") -> None: ...

    jid = send_receipt.perform_async(7, kind="short")

    found = payload(redis, "mail")
    assert (found["class"], found["args"], found["jid"]) == ("send_receipt", [7, "short"], jid)
    assert (found["retry"], found["tags"]) == (3, ["shop"])


def test_a_method_of_another_library_names_the_method_that_pushes() -> None:
    @job
    def send_receipt(order_id: int) -> None: ...

    with pytest.raises(AttributeError, match=r"the job send_receipt has no 'delay'; send_receipt.perform_async\("):
        getattr(send_receipt, "delay")  # noqa: B009  # a type checker refuses the attribute
    assert not hasattr(send_receipt, "apply_async")
    assert copy(send_receipt).job is send_receipt.job


def test_a_worker_and_a_test_run_the_function() -> None:
    ran: list[object] = []

    @job
    def note(thing: str) -> int:
        ran.append(thing)
        return len(ran)

    @job(wire_name="notes.later")
    async def note_later(thing: str) -> None:
        ran.append(thing)

    with fake():
        note.perform_async("pushed")
        note_later.perform_async("awaited")
        drain_all()

    assert note("called") == 3
    assert note.perform_inline("inline") == 4
    assert ran == ["pushed", "awaited", "called", "inline"]
    assert registry.lookup("notes.later") is note_later.job


def test_a_bound_function_gets_the_running_job() -> None:
    @job(bind=True)
    def attempt(run: Job, more: int) -> int:
        return run.attempt + more

    assert attempt.perform_inline(1) == 2


def test_a_function_takes_options_and_hooks_of_a_base_class() -> None:
    class ShopJob(Job):
        queue = "shop"

        def perform(self) -> None: ...

        def retry_in(self, count: int, error: BaseException) -> str:
            return "kill"

    @job(base=ShopJob, retry=2)
    def pack(order_id: int) -> None: ...

    assert (pack.job.queue, pack.job.retry, issubclass(pack.job, ShopJob)) == ("shop", 2, True)


def test_arguments_are_checked_against_the_function() -> None:
    @job
    def send(order_id: int) -> None: ...

    with pytest.raises(ArgumentsError, match=r"send: perform\(order_id: int\) cannot take 0 arguments"):
        send.perform_async()  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"queu": "mail"}, "unknown option 'queu'; did you mean 'queue'"),
        ({"retry": "often"}, "retry is 'often'; it must be"),
        ({"base": int}, "base is <class 'int'>; it must be a job class"),
        ({"redact": ["password"]}, "redact names 'password'"),
    ],
)
def test_wrong_options_are_refused_where_the_function_is_defined(options: Any, message: str) -> None:
    with pytest.raises(JobError, match=message):

        @job(**options)
        def send(order_id: int) -> None: ...


def test_only_functions_are_jobs_and_each_has_a_name_of_its_own() -> None:
    with pytest.raises(JobError, match="it must be a function"):
        job(7)  # type: ignore[call-overload]
    with pytest.raises(JobError, match="generator"):

        @job
        def rows() -> Iterator[int]:
            yield 1

    def twice() -> None: ...

    job(twice)
    twice.__module__ = "elsewhere"
    with pytest.raises(DuplicateJobClass):
        job(twice)


def test_a_clock_file_enqueues_it(tmp_path: Path) -> None:
    file = tmp_path / "clock.py"
    file.write_text(
        "from clock import every, job\n\n@job\ndef send(order_id: int) -> None: ...\n\n"
        "every().day.at('06:00').do(send, 7)\nevery().day.at('07:00').do(send.set(queue='low'), 7)\n"
    )

    first, second = load(file).events

    assert (str(first.action), str(second.action)) == ("send(7)", "send.set(queue='low')(7)")


def test_the_decorator_and_the_package_have_one_name() -> None:
    package: object = sys.modules["clock.job"]

    assert package is job
    assert vars(package)["registry"] is registry
    assert isinstance(job(wire_name="nothing")(lambda: None), FunctionJob)
    with pytest.raises(JobError, match="@job got a lambda, which has no name for payloads"):
        job(lambda: None)


def test_celerys_names_push_the_job(redis: Redis) -> None:
    @shared_task(name="orders.charge", max_retries=5, ignore_result=True)
    def charge(order_id: int, currency: str = "eur") -> None: ...

    charge.apply_async((7,), {"currency": "usd"}, queue="billing", task_id="order-7", expires=60)
    charge.delay(8)
    charge.apply_async([9], countdown=3600)
    charge.apply_async((10,), eta=datetime(2100, 1, 1, tzinfo=UTC))

    found = payload(redis, "billing")
    assert (found["class"], found["args"], found["jid"]) == ("orders.charge", [7, "usd"], "order-7")
    assert (found["retry"], found["expires_at"] - found["created_at"]) == (5, pytest.approx(60))
    assert payload(redis)["args"] == [8]
    assert redis.zcard("schedule") == 2
    assert redis.zcount("schedule", 4102444800, 4102444800) == 1


def test_what_celery_has_and_clock_has_not_is_refused_with_what_to_write() -> None:
    def task() -> None: ...

    with pytest.raises(JobError, match="unsupported option 'autoretry_for'; every failure is retried"):
        shared_task(autoretry_for=(ValueError,))(task)
    with pytest.raises(JobError, match="acks_late can only be True here"):
        shared_task(acks_late=False)(task)
    charge = shared_task(task)
    with pytest.raises(JobError, match="countdown or eta, not both"):
        charge.apply_async(countdown=1, eta=datetime.now(UTC) + timedelta(hours=1))
    with pytest.raises(JobError, match="expires is a datetime; pass seconds or a timedelta from now"):
        charge.apply_async((7,), expires=datetime(2100, 1, 1, tzinfo=UTC))  # type: ignore[arg-type]  # Celery takes it
    with pytest.raises(UnknownJobClass):
        registry.lookup("charge")
