import asyncio
import json
from typing import Any

import pytest
from redis import Redis

from clock import JobResult, api
from clock.clocks import from_ms
from clock.errors import ResultMissing
from clock.inspection.jobs.job_sets import WaitingSet
from clock.store.jobs.in_progress import InProgress
from tests.api.conftest import Payload

AT = 1_795_500_000.0


@pytest.mark.parametrize(
    ("key", "state", "where"),
    [
        ("schedule", "scheduled", "schedule"),
        ("retry", "retry", "retry"),
        ("dead", "dead", "dead"),
        ("queue:low", "enqueued", "low"),
        ("clock:parked:SendMailJob", "parked", "SendMailJob"),
    ],
)
def test_a_job_is_found_wherever_it_waits(
    redis: Redis, payload: Payload, key: str, state: str, where: str
) -> None:
    if key in ("schedule", "retry", "dead"):
        redis.zadd(key, {payload("other"): AT, payload("wanted"): AT})
    else:
        redis.sadd("queues", "low")
        redis.sadd("clock:parked", "SendMailJob")
        redis.lpush(key, payload("other"), payload("wanted"))

    located = api.JobRef("wanted").locate()

    assert located is not None
    assert (located.state, located.where, located.job.jid) == (state, where, "wanted")
    assert api.JobRef("nobody").locate() is None


def test_a_job_that_a_worker_has_claimed_runs_there(redis: Redis, payload: Payload) -> None:
    redis.lpush("queue:default", payload("wanted"))
    InProgress(redis, "host:1:aa").claim(["default"], 5, done=[], now=from_ms(0), expires_seconds=0.0)

    located = asyncio.run(api.JobRef("wanted").alocate())

    assert located is not None
    assert (located.state, located.where) == ("running", "host:1:aa")


def test_a_search_that_may_not_read_everything_says_so(redis: Redis, payload: Payload) -> None:
    redis.sadd("queues", "default")
    redis.lpush("queue:default", *[payload(str(n)) for n in range(6_000)])

    with pytest.raises(api.SearchIncomplete, match="no job 'nobody' was found in 0 s"):
        api.JobRef("nobody", within=0).locate()


def test_the_history_of_a_job_is_told_by_its_payload_and_its_event(redis: Redis, payload: Payload) -> None:
    firing = {"event": "nightly", "due": 1_795_500_000_000, "previous": None}
    failed = {"failed_at": AT + 2, "retried_at": AT + 60, "error_class": "OSError", "error_message": "down"}
    redis.zadd("retry", {payload("wanted", clock=firing, created_at=AT, enqueued_at=AT + 1, **failed): AT + 90})
    record = {"decision": "fired", "due": 1_795_500_000_000, "jids": ["wanted"]}
    redis.xadd("clock:history:nightly", {"entry": json.dumps(record)})
    outcome = {"jid": "wanted", "outcome": "retry", "at": 1_795_500_060_000, "took_ms": 12}
    redis.xadd("clock:outcomes:nightly", {"entry": json.dumps(outcome)})

    told = [(moment.at - AT, moment.what, moment.detail) for moment in api.JobRef("wanted").history()]

    assert told == [
        (0, "created", ""),
        (0, "due", "event 'nightly': fired"),
        (1, "enqueued", ""),
        (2, "failed first", ""),
        (60, "failed again", "OSError: down"),
        (60, "ran", "retry, ran 12 ms"),
    ]
    assert api.JobRef("nobody").history() == []


def test_a_push_that_middleware_stopped_is_found_nowhere_and_cannot_be_cancelled(redis: Redis) -> None:
    redis.zadd("schedule", {json.dumps({"class": "MailJob", "args": []}): AT})  # its program gives no jid
    stopped = api.JobRef("", redis=redis)

    assert stopped.locate() is None
    assert stopped.history() == []
    assert (stopped.cancel(), api.cancel(""), stopped.run_now()) == (False, False, False)
    assert redis.keys("*cancel*") == []
    assert JobResult("").status == "unknown"
    with pytest.raises(ResultMissing, match="client middleware stopped its push"):
        JobResult("").get()


def test_a_job_at_the_end_of_a_long_queue_is_found(redis: Redis, payload: Payload) -> None:
    redis.sadd("queues", "default")
    redis.lpush("queue:default", *[payload(str(n)) for n in range(6_000)], payload("wanted"))

    located = api.JobRef("wanted").locate()

    assert located is not None
    assert located.state == "enqueued"


def test_a_job_that_a_worker_takes_during_its_cancellation_stays_marked_and_is_dropped_there(
    redis: Redis, payload: Payload, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis.zadd("schedule", {payload("wanted"): AT})
    delete = WaitingSet.delete

    def take_first(self: WaitingSet, *args: Any) -> int:
        redis.delete("schedule")
        return delete(self, *args)

    monkeypatch.setattr(WaitingSet, "delete", take_first)

    assert asyncio.run(api.acancel("wanted"))

    assert redis.zscore("clock:cancelled", "wanted") is not None


@pytest.mark.parametrize(
    "firing", ["odd", {"event": 5}, {"event": "nightly", "due": 1}, {"event": "nightly", "due": 7}]
)
def test_the_history_of_a_job_needs_no_record_of_its_firing(redis: Redis, payload: Payload, firing: Any) -> None:
    redis.zadd("retry", {payload("wanted", clock=firing, created_at=AT): AT})
    for due in (1, 2):
        redis.xadd("clock:history:nightly", {"entry": json.dumps({"decision": "fired", "due": due})})

    told = [moment.what for moment in api.JobRef("wanted").history()]

    assert told == (["due", "created"] if "1" in str(firing) else ["created"])
