import json

import pytest
from redis import Redis

from clock.errors import JobError
from clock.inspection.jobs.pages import queue_place
from clock.job import Job
from clock.job.redaction import shown_args


class LogInJob(Job):
    redact = ("password",)

    def perform(self, user: int, password: str, options: dict[str, object] | None = None) -> None: ...


def test_the_worker_gets_what_listings_do_not_show(redis: Redis) -> None:
    LogInJob.perform_async(7, "hush", {"again": [{"password": "hush", "n": 1}]})

    payload = json.loads(redis.lindex("queue:default", 0) or b"")
    [job] = queue_place(redis, "default").jobs()
    assert payload["args"][1] == "hush"
    assert job.args == [7, "[hidden]", {"again": [{"password": "[hidden]", "n": 1}]}]


def test_nothing_is_hidden_that_is_not_named(redis: Redis) -> None:
    assert shown_args({"args": [1, {"password": "x"}]}) == [1, {"password": "x"}]


def test_a_name_that_perform_does_not_take_is_refused_at_once() -> None:
    with pytest.raises(JobError, match="redact names 'pasword', which perform does not take; it takes password"):

        class WrongJob(Job):
            redact = ("pasword",)

            def perform(self, password: str) -> None: ...


def test_one_call_may_hide_more(redis: Redis) -> None:
    LogInJob.set(redact=["user", "password"]).perform_async(7, "hush")

    [job] = queue_place(redis, "default").jobs()
    assert job.args == ["[hidden]", "[hidden]"]
