"""What a Ruby worker does with jobs that have rules of ours: it runs them, and ours heal what it leaves."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from clock import Batch, Job, Limit, Rate
from clock.api import BatchRef
from clock.clocks import SystemClock
from clock.inspection.doctor.deep import correct_children, free_lost_locks, lost_locks
from clock.job import registry
from clock.store import keys
from tests.limited import violations
from tests.patience import eventually
from tests.process.conftest import Running

pytestmark = [pytest.mark.interop, pytest.mark.process, pytest.mark.slow]
LATER = timedelta(minutes=10)


@pytest.fixture
def note_matter_job() -> Any:
    """A job with all rules that Ruby runs, too."""

    class NoteMatterJob(Job):
        unique = True
        limits = Limit("crm", 1)
        rates = Rate("crm", 1, per=3_600)
        result_ttl = 60

        def perform(self, *things: object) -> None: ...

    yield NoteMatterJob
    registry.forget(NoteMatterJob)


def test_a_ruby_worker_ignores_all_rules_and_what_it_leaves_is_healed(
    redis: Redis, sidekiq: Callable[[], Running], note_matter_job: type[Job]
) -> None:
    follows = note_matter_job.set(unique=False).signature("follows")
    with Batch(on_complete=note_matter_job.set(unique=False).signature("complete")) as batch:
        jids = [note_matter_job.set(then=follows).perform_async(number) for number in range(3)]

    process = sidekiq()
    eventually(
        lambda: redis.llen("ran in ruby") == 3, "Ruby runs all three at once: it knows no limit and no rate"
    )
    assert process.end() == 0

    assert redis.zcard("retry") == redis.zcard("schedule") == 0  # no job follows
    assert redis.zcard(keys.LIMIT_HOLDERS) == redis.exists(keys.RATES) == 0
    assert violations(redis) == []
    now = SystemClock().now() + LATER
    assert sorted(lock.jid for lock in lost_locks(redis, now)) == sorted(jids)
    assert free_lost_locks(redis, now) == 3
    assert correct_children(redis, now) == 3
    assert {child.how for child in BatchRef(batch.bid).failures()} == {"lost"}
    [callback] = list[Any](redis.zrange("schedule", 0, -1))
    assert json.loads(callback)["args"] == ["complete"]


def test_a_retry_by_ruby_keeps_the_rules_of_a_job(
    redis: Redis, sidekiq: Callable[[], Running], note_matter_job: type[Job]
) -> None:
    note_matter_job.perform_async(1)
    [row] = list[Any](redis.lrange("queue:default", 0, -1))
    redis.delete("queue:default")
    redis.lpush("queue:default", json.dumps(json.loads(row) | {"class": "BreakThingJob"}))

    process = sidekiq()
    eventually(lambda: redis.zcard("retry"), "it fails in Ruby")
    assert process.end() == 0

    [failed] = list[Any](redis.zrange("retry", 0, -1))
    rules = ("unique", "limits", "rates", "result_ttl", "jid")
    assert {name: json.loads(failed)[name] for name in rules} == {name: json.loads(row)[name] for name in rules}
