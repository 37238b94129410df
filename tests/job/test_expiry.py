from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from clock import Discard, Job, client_middleware
from clock.job import Context
from clock.job.payload import Payload
from clock.job.push.client import using_clock
from clock.testing import FakeClock
from tests.job.redis_rows import delayed, waiting

NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)


class SendForecastJob(Job):
    expires_in = timedelta(hours=1)

    def perform(self) -> str:
        return "sent"


class SendNewsJob(Job):
    def perform(self) -> str:
        return "sent"


def test_a_payload_says_when_it_expires(redis: Redis) -> None:
    with using_clock(FakeClock(NOW)):
        SendForecastJob.perform_async()
        SendNewsJob.set(expires_in=60).perform_async()
        SendNewsJob.perform_async()

    assert [row.get("expires_at") for row in waiting(redis)] == [
        NOW.timestamp() + 3600,
        NOW.timestamp() + 60,
        None,
    ]


def test_the_time_of_a_delayed_job_counts_from_when_it_is_due(redis: Redis) -> None:
    with using_clock(FakeClock(NOW)):
        SendForecastJob.perform_in(600)

    assert delayed(redis)[0][0]["expires_at"] == NOW.timestamp() + 4200


@pytest.mark.parametrize(
    ("payload", "runs"),
    [
        ({"expires_at": NOW.timestamp()}, True),
        ({"expires_at": NOW.timestamp() - 0.5}, False),
        ({"enqueued_at": NOW.timestamp() - 3599}, True),
        ({"enqueued_at": NOW.timestamp() - 3601}, False),
        ({"enqueued_at": int((NOW.timestamp() - 3601) * 1000)}, False),
        ({"enqueued_at": "yesterday"}, True),
        ({}, True),
    ],
)
def test_a_job_that_has_expired_is_dropped(payload: dict[str, object], runs: bool) -> None:
    context = Context({"args": [], **payload}, clock=FakeClock(NOW))

    if runs:
        assert SendForecastJob.run(context) == "sent"
    else:
        with pytest.raises(Discard, match=r"it expired \d s ago"):
            SendForecastJob.run(context)


def test_client_middleware_may_keep_a_job_from_expiring(redis: Redis) -> None:
    @client_middleware.prepend
    def keep(job: type[Job], payload: Payload, queue: str) -> None:
        del payload["expires_in"]

    SendForecastJob.perform_async()

    [payload] = waiting(redis)
    assert payload.keys().isdisjoint({"expires_in", "expires_at"})
