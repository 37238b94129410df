"""Options of one push: own jid, front of the queue, own fields, options over options; pushing by class name."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from clock import Job, Limit, Rate, aenqueue, enqueue
from clock.errors import ArgumentsError, JobError, StoreUnavailable
from clock.job.options import CallOptions
from clock.job.registry import register
from clock.store.ledger.held_pushes import holding
from clock.store.server.connection import set_default


class MailJob(Job):
    queue = "mail"
    retry_queue = "slow"

    def perform(self, number: int, kind: str = "plain") -> None: ...


#: Options whose value 1 is wrong.
VALUES: dict[str, object] = {
    **{"queue": "billing", "retry_queue": "slow", "tags": ["card"], "jid": "order-7", "log_level": "debug"},
    **{"dead": False, "exactly_once": True, "at_front": True, "encrypt": False, "durable": 0},
    **{"unique": True, "limits": Limit("crm", 1), "rates": Rate("crm", 1, per=1), "fields": {"shop": 7}},
    **{"enqueue_after_commit": lambda push: push(), "then": MailJob.signature(1)},
}


@pytest.fixture(autouse=True)
def _known() -> None:
    register(MailJob)  # another test may have made the registry forget it


def payloads(redis: Redis, queue: str = "mail") -> list[dict[str, object]]:
    """Those that wait, the next one to be taken first."""
    return [json.loads(text) for text in reversed(redis.lrange(f"queue:{queue}", 0, -1))]


def test_a_job_has_the_jid_that_it_is_given(redis: Redis) -> None:
    assert MailJob.set(jid="order-7").perform_async(1) == "order-7"
    assert MailJob.set(jid="order-8").perform_in(60, 1) == "order-8"

    assert payloads(redis)[0]["jid"] == "order-7"
    with pytest.raises(JobError, match="text of 1 to 200 characters without control characters"):
        MailJob.set(jid="a\nb")
    with pytest.raises(JobError, match="jid is ''; it must be a text of 1 to 200 characters"):
        MailJob.set(jid="")
    with pytest.raises(JobError, match="each job has its own jid"):
        MailJob.set(jid="x").perform_bulk([[1], [2]])
    with pytest.raises(JobError, match="each run of an event has its own jid"):
        MailJob.set(jid="x").prepared_push()


def test_a_job_of_a_firing_keeps_its_own_jid_and_the_others_theirs() -> None:
    with holding("nightly", 0, None) as held:
        first, own, second = (
            MailJob.perform_async(1),
            MailJob.set(jid="own").perform_async(2),
            MailJob.perform_async(3),
        )

    assert held.jids == [first, own, second]
    with holding("nightly", 0, None):
        assert [MailJob.perform_async(1), MailJob.perform_async(3)] == [first, second]


def test_jobs_at_the_front_are_taken_before_those_that_wait(redis: Redis) -> None:
    MailJob.perform_async(1)
    MailJob.set(at_front=True).perform_async(2)
    MailJob.set(at_front=True).perform_bulk([[3], [4]])

    assert [payload["args"] for payload in payloads(redis)] == [[3], [4], [2], [1]]
    assert "at_front" not in payloads(redis)[0]
    with pytest.raises(JobError, match="at_front is for jobs that are enqueued now"):
        MailJob.set(at_front=True).perform_in(60, 1)
    with holding("nightly", 0, None), pytest.raises(JobError, match="at_front is for jobs"):
        MailJob.set(at_front=True).perform_async(1)


def test_own_fields_are_kept_under_a_prefix_of_their_own(redis: Redis) -> None:
    MailJob.set(fields={"tenant": 7, "trace": {"a": [1]}}).perform_async(1)

    [payload] = payloads(redis)
    assert (payload["x_tenant"], payload["x_trace"]) == (7, {"a": [1]})
    with pytest.raises(JobError, match="fields is"):
        MailJob.set(fields={"not a name": 1})
    with pytest.raises(ArgumentsError, match=r"MailJob\.set: the field 'bad' is an object, "):
        MailJob.set(fields={"bad": object()})


def test_options_are_set_over_options(redis: Redis) -> None:
    base = MailJob.set(queue="low", tags=["a"], wait=60, fields={"x": 1})

    base.set(queue="high", wait=0.0, fields={"y": 2}).perform_async(1)

    [payload] = payloads(redis, "high")
    assert (payload["tags"], payload["x_x"], payload["x_y"]) == (["a"], 1, 2)
    assert str(base.set(retry=1)) == "MailJob.set(queue='low', retry=1, tags=['a'], x_x=1, wait=60)"


def test_a_retry_queue_is_an_option_of_class_and_call(redis: Redis) -> None:
    MailJob.perform_async(1)
    MailJob.set(retry_queue="other").perform_async(2)

    assert [payload["retry_queue"] for payload in payloads(redis)] == ["slow", "other"]
    with pytest.raises(JobError, match="retry_queue is ''"):
        MailJob.set(retry_queue="")


def test_bulk_in_batches_reads_an_iterable_as_it_is_pushed(redis: Redis) -> None:
    waiting: list[int] = []

    def rows() -> Iterator[list[int]]:
        for number in range(25):
            waiting.append(redis.llen("queue:mail"))
            yield [number]

    jids = MailJob.perform_bulk(rows(), batch_size=10)

    assert len(set(jids)) == 25
    assert [payload["args"] for payload in payloads(redis)] == [[number] for number in range(25)]
    assert waiting == [0] * 10 + [10] * 10 + [20] * 5
    with pytest.raises(ArgumentsError, match="batch_size is 0; it must be 1 to"):
        MailJob.perform_bulk([[1]], batch_size=0)
    with pytest.raises(ArgumentsError, match="leave out spread_interval"):
        MailJob.perform_bulk([[1]], batch_size=5, spread_interval=60)


def test_bulk_in_batches_that_is_cut_off_has_the_number_of_jobs_that_redis_has(
    redis: Redis, redis_away: Redis
) -> None:
    def rows() -> Iterator[list[int]]:
        for number in range(25):
            if number == 20:
                set_default(redis_away)
            yield [number]

    with pytest.raises(StoreUnavailable) as caught:
        MailJob.perform_bulk(rows(), batch_size=10)

    assert caught.value.pushed == redis.llen("queue:mail") == 20


def test_a_job_is_pushed_by_the_name_of_a_class_that_is_not_here(redis: Redis) -> None:
    jid = enqueue("Billing::ChargeJob", [7, "eur"], queue="billing", retry=3)
    asyncio.run(aenqueue("Billing::ChargeJob", [8], queue="billing"))

    first, second = payloads(redis, "billing")
    assert (first["class"], first["args"], first["retry"], first["jid"]) == (
        "Billing::ChargeJob",
        [7, "eur"],
        3,
        jid,
    )
    assert (second["args"], second["retry"]) == ([8], True)


@pytest.mark.parametrize("option", sorted(CallOptions.__optional_keys__ - {"redact"}))
def test_a_class_that_is_not_here_accepts_each_option(option: str, redis: Redis) -> None:
    options: Any = {option: VALUES.get(option, 1)}

    assert enqueue("Billing::ChargeJob", [7], **options)


def test_a_class_that_is_here_gives_its_options_and_checks_its_arguments(redis: Redis) -> None:
    enqueue("MailJob", [1])

    assert payloads(redis)[0]["retry_queue"] == "slow"
    with pytest.raises(ArgumentsError):
        enqueue("MailJob", [1, "x", 3])


def test_what_cannot_be_pushed_by_name_is_refused(redis: Redis) -> None:
    with pytest.raises(ArgumentsError, match="takes a list of arguments, not 7"):
        enqueue("Billing::ChargeJob", 7)  # type: ignore[arg-type]
    with pytest.raises(JobError, match="takes the name of a class, not ''"):
        enqueue("")
    with pytest.raises(ArgumentsError, match="object"):
        enqueue("Billing::ChargeJob", [object()])
    with pytest.raises(JobError, match="redact names arguments of perform"):
        enqueue("Billing::ChargeJob", [1], redact=["card"])
