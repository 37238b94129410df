import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from clock.clocks import SystemClock, from_ms
from clock.health.metrics import Metrics
from clock.job import server_middleware
from clock.job.context import JobRun, Outcome
from clock.store.jobs.flow import batches
from clock.store.ledger.decision import Decision, DecisionKind
from tests.health.test_server import Signs

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(metrics: Metrics) -> Samples:
    """All samples, by name and labels."""
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/metrics", "QUERY_STRING": ""}
    page = b"".join(metrics.app(environ, lambda *_: lambda _: None)).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


@pytest.fixture
def metrics(redis: Redis) -> Iterator[Metrics]:
    before = server_middleware.entries
    yield Metrics(redis, SystemClock())
    server_middleware.entries = before


def decision(kind: str, late_ms: int) -> Decision:
    return Decision("nightly", "every day", 0, 1, DecisionKind(kind), {"late_ms": late_ms})


def test_firings_are_counted_by_outcome_and_their_lateness_measured(metrics: Metrics) -> None:
    note = metrics.count_firings()

    for kind, late_ms in (("fired", 3), ("fired", 40), ("missed", 7_200_000)):
        note(decision(kind, late_ms))

    found = scrape(metrics)
    assert found["clock_firings_total", (("event", "nightly"), ("outcome", "fired"))] == 2
    assert found["clock_firings_total", (("event", "nightly"), ("outcome", "missed"))] == 1
    assert found["clock_firing_lateness_seconds_count", ()] == 2
    assert found["clock_firing_lateness_seconds_bucket", (("le", "0.005"),)] == 1


def test_a_clock_tells_whether_it_leads_and_what_is_overdue(metrics: Metrics) -> None:
    signs = Signs()
    metrics.watch_clock(signs)

    assert scrape(metrics)["clock_leader", ()] == 1
    signs.leads, signs.seconds_overdue = False, 12.5
    assert (scrape(metrics)["clock_leader", ()], scrape(metrics)["clock_overdue_seconds", ()]) == (0, 12.5)


def test_jobs_are_counted_by_class_and_outcome_and_timed(metrics: Metrics) -> None:
    note = metrics.count_jobs()
    runs: list[Outcome] = ["done", "done", "failed", "dropped", "unfit"]
    for outcome in runs:
        note(JobRun({"class": "WatchedJob"}, "low", outcome, 0.5))

    found = scrape(metrics)
    outcomes = {
        outcome: found["clock_jobs_total", (("job", "WatchedJob"), ("outcome", outcome), ("queue", "low"))]
        for outcome in ("done", "failed", "dropped")
    }
    assert outcomes == {"done": 2, "failed": 1, "dropped": 1}
    assert found["clock_job_run_seconds_count", (("job", "WatchedJob"),)] == 4


def test_queues_and_sets_are_read_from_redis(metrics: Metrics, redis: Redis) -> None:
    redis.sadd("queues", "default")
    redis.lpush("queue:default", json.dumps({"class": "AJob", "args": [], "enqueued_at": 1.5}))
    redis.zadd("retry", {"a": 1, "b": 2})
    redis.zadd("dead", {"a": 1})
    batches.open_batch(redis, "b", batches.Batch(), now=from_ms(1))
    batches.open_batch(redis, "c", batches.Batch(parent="b"), now=from_ms(1))
    batches.seal(redis, "c", now=from_ms(1))

    found = scrape(metrics)

    assert found["clock_queue_jobs", (("queue", "default"),)] == 1
    assert found["clock_queue_latency_seconds", (("queue", "default"),)] > 1e9
    assert (found["clock_retry_jobs", ()], found["clock_dead_jobs", ()], found["clock_scheduled_jobs", ()]) == (
        2,
        1,
        0,
    )
    assert (found["clock_batches_unfinished", ()], found["clock_batch_jobs_pending", ()]) == (1, 0)
    assert abs(found["clock_skew_seconds", ()]) < 60
    assert found["clock_redis_up", ()] == 1


def test_the_process_own_figures_are_told_though_redis_is_away(free_port: int) -> None:
    away = Redis(port=free_port, retry=Retry(NoBackoff(), 0))
    metrics = Metrics(away, SystemClock())
    metrics.count_firings()(decision("fired", 1))

    found = scrape(metrics)

    assert found["clock_redis_up", ()] == 0
    assert found["clock_firings_total", (("event", "nightly"), ("outcome", "fired"))] == 1


def test_the_dashboard_asks_only_for_metrics_that_there_are(
    metrics: Metrics, redis: Redis, repository: Path
) -> None:
    redis.sadd("queues", "default")
    metrics.watch_clock(Signs())
    metrics.count_firings()(decision("fired", 1))
    metrics.count_jobs()
    known = {name.removesuffix("_created") for name, _ in scrape(metrics)}
    known |= {"clock_jobs_total", "clock_job_run_seconds_bucket"}
    dashboard = json.loads((repository / "docs/grafana-dashboard.json").read_text())

    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
        for name in re.findall(r"clock_[a-z_]+", target["expr"])
    }

    assert asked
    assert asked <= known
