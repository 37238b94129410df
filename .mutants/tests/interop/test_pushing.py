"""Jobs go both ways between Ruby and Python on one Redis."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from clock import Job
from clock.job import registry
from tests.interop.conftest import Ruby
from tests.patience import eventually
from tests.process.conftest import App, Running

pytestmark = [pytest.mark.interop, pytest.mark.process, pytest.mark.slow]

THINGS = [1, "zwei ß 🎉", 3.5, None, True, [1, [2]], {"a": {"b": None}}, 2**70]


def rows(redis: Redis, name: str) -> list[bytes]:
    found: Any = redis.lrange(name, 0, -1)
    return list(found)


@pytest.fixture
def note_thing_job() -> Any:
    """A job that only Ruby runs."""

    class NoteMatterJob(Job):
        def perform(self, *things: object) -> None: ...

    yield NoteMatterJob
    registry.forget(NoteMatterJob)


def test_what_ruby_pushes_runs_here(app: App, ruby: Ruby, redis: Redis) -> None:
    jids = ruby(
        """
        now = NoteMatterJob.perform_async(1, "two", nil, [1], {"a" => 2.5})
        soon = NoteMatterJob.perform_in(0.5, "soon")
        past = NoteMatterJob.perform_at(Time.now.to_f - 5, "past")
        bulk = NoteMatterJob.perform_bulk((1..1500).map { |number| [number] })
        other = NoteMatterJob.set(queue: "low").perform_async("other")
        [now, soon, past, *bulk, other]
        """
    )

    worker = app.start("worker", "-r", "shop", "-q", "default", "-q", "low")
    eventually(lambda: redis.llen("ran") == len(jids), "all of Ruby's jobs run")

    assert sorted(row.decode() for row in rows(redis, "ran")) == sorted(jids)
    assert worker.end() == 0


def test_what_is_pushed_here_runs_in_ruby_with_the_same_arguments(
    redis: Redis, sidekiq: Callable[[], Running], note_thing_job: type[Job]
) -> None:
    wanted = {note_thing_job.perform_async(*THINGS): THINGS}
    wanted[note_thing_job.perform_in(0.5, "soon")] = ["soon"]
    wanted[note_thing_job.perform_at(datetime.now(UTC) + timedelta(seconds=0.5), "at")] = ["at"]
    wanted |= zip(
        note_thing_job.perform_bulk([[n] for n in range(1_500)]), ([n] for n in range(1_500)), strict=True
    )
    redis.zadd("schedule", dict.fromkeys(list[Any](redis.zrange("schedule", 0, -1)), 1))  # no 15 s for its poller

    process = sidekiq()
    eventually(lambda: redis.llen("ran in ruby") == len(wanted), "Ruby runs all")

    ran = {jid: things for jid, *things in map(json.loads, rows(redis, "ran in ruby"))}
    assert ran == wanted
    assert process.end() == 0


def test_a_payload_has_the_fields_that_rubys_has_in_its_forms(
    redis: Redis, ruby: Ruby, note_thing_job: type[Job]
) -> None:
    ruby('NoteMatterJob.perform_async(1, "two")')
    theirs = json.loads(rows(redis, "queue:default")[0])
    redis.flushall()

    note_thing_job.perform_async(1, "two")

    [text] = rows(redis, "queue:default")
    ours = json.loads(text)
    assert {name: type(value) for name, value in ours.items()} == {
        name: type(value) for name, value in theirs.items()
    }
    assert ours | {"jid": 0, "created_at": 0, "enqueued_at": 0} == theirs | {
        "jid": 0,
        "created_at": 0,
        "enqueued_at": 0,
    }
    assert re.fullmatch("[0-9a-f]{24}", ours["jid"])


def test_a_job_that_failed_here_may_succeed_in_ruby(
    app: App, redis: Redis, sidekiq: Callable[[], Running]
) -> None:
    redis.sadd("queues", "default")
    redis.lpush("queue:default", '{"class":"BreakThingJob","args":[1],"jid":"j1","retry":5,"own":"kept"}')
    worker = app.start("worker", "-r", "shop")
    eventually(lambda: redis.zcard("retry"), "it fails here")
    assert worker.end() == 0
    [failed] = [json.loads(row) for row in list[Any](redis.zrange("retry", 0, -1))]
    redis.delete("retry")
    redis.lpush("queue:default", json.dumps(failed | {"class": "NoteMatterJob"}))

    process = sidekiq()

    eventually(lambda: redis.llen("ran in ruby"), "it runs in Ruby")
    assert process.end() == 0
    assert failed["own"] == "kept"


def test_a_retry_that_ruby_began_goes_on_here(app: App, redis: Redis, sidekiq: Callable[[], Running]) -> None:
    redis.sadd("queues", "default")
    redis.lpush("queue:default", '{"class":"BreakThingJob","args":[],"jid":"j1","retry":5}')
    process = sidekiq()
    eventually(lambda: redis.zcard("retry"), "it fails in Ruby")
    assert process.end() == 0
    [first] = [json.loads(row) for row in list[Any](redis.zrange("retry", 0, -1))]
    redis.zadd("retry", dict.fromkeys(list[Any](redis.zrange("retry", 0, -1)), 1))

    worker = app.start("worker", "-r", "shop")

    eventually(lambda: b'"retry_count":1' in b"".join(list[Any](redis.zrange("retry", 0, -1))), "it fails here")
    assert worker.end() == 0
    [second] = [json.loads(row) for row in list[Any](redis.zrange("retry", 0, -1))]
    assert (first["retry_count"], first["error_message"]) == (0, "broken in ruby")
    assert (second["failed_at"], second["error_message"]) == (first["failed_at"], "broken in python: ß")
