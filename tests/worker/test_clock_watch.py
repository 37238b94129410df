"""What workers tell of the clock: what became of its jobs, and that it is behind."""

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from clock.clocks import to_ms
from clock.job.context import JobRun
from clock.problems import Problems
from clock.store import keys
from clock.store.ledger import history, next_due
from clock.store.ledger.ledger import RedisLedger
from clock.testing import FakeClock
from clock.worker.maintenance.duties import ClockWatch
from clock.worker.running.job_log import record_outcome
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
    ledger, watching = RedisLedger(redis), ClockWatch(redis, clock=fake_clock)

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
    assert next_due.look(redis).leader is None


def test_a_job_that_failed_and_is_not_kept_is_recorded_as_failed(bench: Callable[..., Any], redis: Redis) -> None:
    push_from_clock(redis, "BreakThingJob", retry=False)

    bench().run_all()

    assert (outcome(redis)["outcome"], outcome(redis)["failed"]) == ("dropped", True)


def test_a_clock_that_stays_late_is_logged_every_minute(
    redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    ledger, watching = RedisLedger(redis), ClockWatch(redis, clock=fake_clock)
    ledger.mark_next_due("nightly", redis.time()[0] * 1000 - 3_600_000)
    fake_clock.advance(timedelta(seconds=1000))
    logged = []

    for seconds in (0, 59, 1, 59, 1):
        fake_clock.advance(timedelta(seconds=seconds))
        watching.look()
        logged.append(len(caplog.messages))

    assert logged == [1, 1, 2, 2, 3]


def test_another_late_event_is_logged_at_once(
    redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    ledger, watching = RedisLedger(redis), ClockWatch(redis, clock=fake_clock)

    for hours in (1, 2):
        ledger.mark_next_due(f"after {hours}", redis.time()[0] * 1000 - hours * 3_600_000)
        watching.look()

    assert len(caplog.messages) == 2


def test_a_clock_that_is_on_time_is_not_mentioned(
    redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    assert not ClockWatch(redis, clock=fake_clock).look()

    assert caplog.messages == []


@pytest.mark.parametrize(
    ("clock", "jid"), [(None, "j"), ("x", "j"), ({"event": 7}, "j"), ({"due": 1}, "j"), ({"event": "nightly"}, 7)]
)
def test_a_job_whose_event_or_id_cannot_be_read_is_done_and_in_no_history(
    bench: Callable[..., Any], redis: Redis, caplog: pytest.LogCaptureFixture, clock: object, jid: object
) -> None:
    job = {"class": "NoteThingJob", "args": [1], "jid": jid, "clock": clock}
    redis.lpush("queue:default", json.dumps(job))

    bench().run_all()

    assert (len(jobs.ran), caplog.messages) == (1, [])
    assert list(redis.scan_iter(keys.OUTCOMES + "*")) == []


def test_an_outcome_says_when_the_job_ended_and_how_long_it_took(redis: Redis, fake_clock: FakeClock) -> None:
    push_from_clock(redis, "NoteThingJob")
    pushed: Any = redis.lindex("queue:default", 0)
    payload = json.loads(pushed)

    run = JobRun(payload, "default", "failed", 1.2345, ValueError("x" * 600), goes_to="dead")
    record_outcome(redis, fake_clock, Problems(clock=fake_clock), run)

    found = outcome(redis)
    assert (found["outcome"], found["at"], found["took_ms"]) == ("dead", to_ms(fake_clock.now()), 1234)
    assert found["error"] == ("ValueError: " + "x" * 600)[:500]
    assert found.keys() == {"outcome", "at", "took_ms", "error"}
    assert not redis.exists(keys.WATCHED + "nightly")


def test_an_outcome_that_redis_refuses_is_logged(
    redis: Redis, fake_clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    push_from_clock(redis, "NoteThingJob")
    redis.set(keys.OUTCOMES + "nightly", "a string")
    payload: dict[str, object] = {"class": "NoteThingJob", "jid": "a1b2", "clock": {"event": "nightly"}}

    record_outcome(redis, fake_clock, Problems(clock=fake_clock), JobRun(payload, "default", "done", 0.5))

    assert "The history of 'nightly' lacks outcomes" in caplog.text
