"""What workers tell of the clock: what became of its jobs, and that it is behind."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from clock.store import keys
from clock.store.ledger import history, overdue
from clock.store.ledger.ledger import RedisLedger
from clock.testing import FakeClock
from clock.worker.maintenance.clock_watch import ClockWatch
from tests.worker import jobs


def push_from_clock(redis: Redis, job: str, *args: object, retry: bool | int = 1) -> None:
    payload = {
        "class": job,
        "args": args,
        "jid": "a1b2",
        "queue": "default",
        "retry": retry,
        "clock": {"event": "nightly", "due": 1000, "previous": None},
    }
    redis.lpush("queue:default", json.dumps(payload))
    redis.hset(keys.WATCHED + "nightly", "a1b2", 1000)
    redis.xadd(
        keys.HISTORY + "nightly", {"entry": json.dumps({"decision": "fired", "due": 1000, "jids": ["a1b2"]})}
    )


def outcome(redis: Redis) -> dict[str, Any]:
    [record] = history.read(redis, "nightly")
    found: dict[str, Any] = record["outcomes"]["a1b2"]
    return found


def test_the_history_of_the_event_tells_that_its_job_is_done(bench: Callable[..., Any], redis: Redis) -> None:
    push_from_clock(redis, "NoteThingJob", "x")

    bench().run_all()

    assert outcome(redis)["outcome"] == "done"
    assert not redis.exists(keys.WATCHED + "nightly")


def test_a_job_that_failed_and_is_tried_again_has_not_ended(bench: Callable[..., Any], redis: Redis) -> None:
    push_from_clock(redis, "BreakThingJob")

    bench().run_all()

    assert outcome(redis)["outcome"] == "retry"
    assert outcome(redis)["error"]
    rows: Any = redis.zrange("retry", 0, -1, withscores=True)
    [(_, retry_at)] = rows
    assert outcome(redis)["retry_at"] == round(retry_at * 1000)
    assert redis.hkeys(keys.WATCHED + "nightly") == [b"a1b2"]


@pytest.mark.parametrize("unprintable", [True, False])
def test_an_error_whose_text_cannot_be_written_is_retried_as_any_other(
    bench: Callable[..., Any], redis: Redis, unprintable: bool
) -> None:
    push_from_clock(redis, "BreakOddlyJob", unprintable)

    bench().run_all()

    assert outcome(redis)["outcome"] == "retry"
    assert (redis.zcard("retry"), redis.zcard("dead")) == (1, 0)


def test_a_job_whose_id_cannot_be_written_in_a_history_is_done_all_the_same(
    bench: Callable[..., Any], redis: Redis
) -> None:
    payload = b'{"class":"NoteThingJob","args":[1],"jid":"\\ud800","clock":{"event":"\\ud800","due":1000}}'
    redis.lpush("queue:default", payload)

    bench().run_all()

    assert len(jobs.ran) == 1
    assert not redis.exists("dead", "retry")


def test_a_job_of_no_clock_is_in_no_history(bench: Callable[..., Any], redis: Redis) -> None:
    jobs.NoteThingJob.perform_async("x")

    bench().run_all()

    assert list(redis.scan_iter(keys.OUTCOMES + "*")) == []


def test_a_clock_that_is_behind_is_logged_once_by_a_worker_until_it_fires_again(
    redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    ledger, watching = RedisLedger(redis), ClockWatch(redis, clock=fake_clock, limit_seconds=60)

    with caplog.at_level(logging.INFO):
        ledger.mark_next_due("nightly", redis.time()[0] * 1000 - 30_000)
        assert not watching.look()
        ledger.mark_next_due("nightly", redis.time()[0] * 1000 - 90_000)
        assert watching.look()
        assert watching.look()
        ledger.mark_next_due("nightly", redis.time()[0] * 1000 + 90_000)
        assert not watching.look()

    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert told[0].startswith("The clock is late: event 'nightly' is overdue: it was due 9")
    assert told[0].endswith("no clock is the leader")
    assert overdue.look(redis).leader is None


def test_a_job_that_failed_and_is_not_kept_is_recorded_as_failed(bench: Callable[..., Any], redis: Redis) -> None:
    push_from_clock(redis, "BreakThingJob", retry=False)

    bench().run_all()

    assert (outcome(redis)["outcome"], outcome(redis)["failed"]) == ("dropped", True)
